/* All atomics of shared memory behind these few names, so that every ordered access can be found by grep.
 * Each use site carries a label and names its partner (see ring_append.c).
 *
 * Two builds: the product uses plain memcpy for record bytes (a racing copy is thrown away by the intent
 * check, FACTS "Memory order"); with -DORDER_CHECKED (ThreadSanitizer, torture) bytes are copied as words
 * with relaxed atomics and fences become acquire/release accesses that ThreadSanitizer understands. */
#ifndef MOONX_SHM_ORDER_H
#define MOONX_SHM_ORDER_H

#include "common/base.h"

#include <stdatomic.h>

typedef _Atomic uint64_t shm_u64;
typedef _Atomic uint32_t shm_u32;
static_assert(sizeof(shm_u64) == 8 && sizeof(shm_u32) == 4, "shared words are plain words");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "no lock may hide in them");

#define load_relaxed(p)      atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p)      atomic_load_explicit((p), memory_order_acquire)
#define store_relaxed(p, v)  atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_release(p, v)  atomic_store_explicit((p), (v), memory_order_release)
#define exchange_full(p, v)  atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define fence_acquire()      atomic_thread_fence(memory_order_acquire)
#define fence_release()      atomic_thread_fence(memory_order_release)
#define fence_full()         atomic_thread_fence(memory_order_seq_cst)

/* Copies of record bytes out of and into shared memory; `length` is a multiple of 8 and both addresses are
 * 8-byte aligned in the checked build. */
void order_copy_out(void *to, const void *shared_from, size_t length);
void order_copy_in(void *shared_to, const void *from, size_t length);

#endif
