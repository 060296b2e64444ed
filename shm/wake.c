#include "shm/wake.h"

#include <unistd.h>

static bool concerned(const struct wake_set *set, const struct worker_block *block);

void wake_set_clear(struct wake_set *set) {
    memset(set, 0, sizeof(*set));
}

void wake_set_add(struct wake_set *set, uint64_t hash) {
    unsigned bucket = worker_interest_bucket(hash);
    set->buckets[bucket / 64] |= 1ull << (bucket % 64);
    set->any = true;
}

unsigned wake_sleepers(const struct wake_set *set, struct worker_block *const *blocks,
                       const int *wake_fd, unsigned count) {
    if (!set->any && !set->everyone)
        return 0;

    unsigned woken = 0;
    /* wake_sleepers:A pairs with wake_prepare_sleep:B: `published` was stored before, the flags are read
     * after; a worker that raises its flag too late to be seen here sees the new `published`. */
    fence_full();
    for (unsigned i = 0; i < count; i++) {
        if (!blocks[i] || wake_fd[i] < 0)
            continue;
        /* wake_sleepers:B pairs with wake_prepare_sleep:A: a sleeper's interest bits are seen. */
        if (!load_acquire(&blocks[i]->sleeping) || !concerned(set, blocks[i]))
            continue;
        /* wake_sleepers:C: one bell for one sleep, however many batches come meanwhile. */
        if (exchange_full(&blocks[i]->sleeping, 0) == 0)
            continue;
        wake_bell(wake_fd[i]);
        woken++;
    }
    return woken;
}

bool wake_worker(struct worker_block *block, int wake_fd) {
    /* wake_worker:A pairs with wake_prepare_sleep:B: the answers were stored before, the flag is read after. */
    fence_full();
    if (!load_acquire(&block->sleeping) || exchange_full(&block->sleeping, 0) == 0)
        return false;
    wake_bell(wake_fd);
    return true;
}

/* EAGAIN means that the counter is full, so the eventfd is readable already: nothing is lost. */
void wake_bell(int fd) {
    const uint64_t one = 1;
    ssize_t put;
    do {
        put = write(fd, &one, sizeof(one));
    } while (put < 0 && errno == EINTR);
}

bool wake_prepare_sleep(struct worker_block *block, const shm_u64 *published, uint64_t cursor) {
    /* wake_prepare_sleep:A pairs with wake_sleepers:B: interest bits first, then the flag. */
    store_release(&block->sleeping, 1);
    fence_full(); /* wake_prepare_sleep:B pairs with wake_sleepers:A */
    if (load_acquire(published) == cursor)
        return true;
    store_relaxed(&block->sleeping, 0);
    return false;
}

void wake_awake(struct worker_block *block) {
    store_relaxed(&block->sleeping, 0);
}

void wake_drain(int fd) {
    uint64_t count;
    ssize_t got;
    do {
        got = read(fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
}

static bool concerned(const struct wake_set *set, const struct worker_block *block) {
    if (set->everyone)
        return true;
    for (unsigned i = 0; i < ARRAY_LENGTH(set->buckets); i++)
        if (set->buckets[i] & load_relaxed(&block->interest[i]))
            return true;
    return false;
}
