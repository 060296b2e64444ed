/* All atomics of shared memory behind these few names, so that every ordered access can be found by grep.
 * Each use site carries a label and names its partner; ring_append.c has the numbered list of the pairs.
 *
 * Two builds. The product copies record bytes with memcpy between bare fences; a racing copy is thrown away
 * by the intent check (ring_read.h). With -DORDER_CHECKED, for ThreadSanitizer and the torture in
 * threads, every word of a record is its own atomic: stored with release, loaded with acquire. That is what
 * the fences mean (a release fence before relaxed stores, an acquire fence after relaxed loads), said in
 * accesses that ThreadSanitizer understands; the fences themselves are then empty. */
#ifndef MOONX_SHM_ORDER_H
#define MOONX_SHM_ORDER_H

#include "common/base.h"

#include <stdatomic.h>

typedef _Atomic uint64_t shm_u64;
typedef _Atomic uint32_t shm_u32;
static_assert(sizeof(shm_u64) == 8 && sizeof(shm_u32) == 4, "shared words are plain words");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "no lock may hide in them");

#define load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define exchange_full(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define load_full(p)        atomic_load_explicit((p), memory_order_seq_cst)
#define add_full(p, v)      ((void)atomic_fetch_add_explicit((p), (v), memory_order_seq_cst))
/* True: *(p) was *(expected) and is v now; false: *(expected) is what it was. */
#define replace_full(p, expected, v)                                                               \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_seq_cst,            \
                                            memory_order_seq_cst)

#ifdef ORDER_CHECKED
/* Two read-modify-writes of one word are ordered, and the later one synchronizes with the earlier one: as
 * good as a full fence between the threads of one process. */
extern shm_u64 order_fence_word;
#define fence_acquire() atomic_signal_fence(memory_order_acquire)
#define fence_release() atomic_signal_fence(memory_order_release)
#define fence_full()    ((void)atomic_fetch_add(&order_fence_word, 1))
#else
#define fence_acquire() atomic_thread_fence(memory_order_acquire)
#define fence_release() atomic_thread_fence(memory_order_release)
#define fence_full()    atomic_thread_fence(memory_order_seq_cst)
#endif

/* Copies of record bytes out of and into shared memory; `length` is a multiple of 8 and both addresses are
 * 8-byte aligned. The product follows order_copy_out() with fence_acquire() and puts fence_release() before
 * order_copy_in(). */
void order_copy_out(void *to, const void *shared_from, size_t length);
void order_copy_in(void *shared_to, const void *from, size_t length);

#endif
