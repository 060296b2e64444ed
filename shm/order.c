#include "shm/order.h"

#ifdef ORDER_CHECKED

shm_u64 order_fence_word;

void order_copy_out(void *to, const void *shared_from, size_t length) {
    uint64_t *words = to;
    const shm_u64 *shared = shared_from;

    for (size_t i = 0; i < length / 8; i++)
        words[i] = load_acquire(&shared[i]);
}

void order_copy_in(void *shared_to, const void *from, size_t length) {
    const uint64_t *words = from;
    shm_u64 *shared = shared_to;

    for (size_t i = 0; i < length / 8; i++)
        store_release(&shared[i], words[i]);
}

#else

void order_copy_out(void *to, const void *shared_from, size_t length) {
    memcpy(to, shared_from, length);
}

void order_copy_in(void *shared_to, const void *from, size_t length) {
    memcpy(shared_to, from, length);
}

#endif
