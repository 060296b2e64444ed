/* Waking workers: an eventfd each and a sleeping flag in its block; no system call while it is awake, no
 * wake-up lost.
 *
 *   worker: sleeping = 1 (A) ; full fence ; indexed still == cursor? (B) ; sleep ; sleeping = 0
 *   ingest: published and indexed stored (release) (C) ; full fence once a batch ; sleeping? exchange to 0 (D), write
 * Either (B) sees (C) or (D) sees (A). A worker sets interest bits only while awake, so they precede (A):
 * ingest may skip a sleeper without listeners in any bucket of the batch. A 50 ms timer of the worker is the
 * backstop; what it finds that way is counted (STAT_LATE_WAKES) and must stay 0. */
#ifndef MOONX_SHM_WAKE_H
#define MOONX_SHM_WAKE_H

#include "shm/worker_block.h"

/* The buckets of the rooms of one batch of records. */
struct wake_set {
    uint64_t buckets[WORKER_INTEREST_BITS / 64];
    bool everyone; /* a control record concerns all */
    bool any;
};

void wake_set_clear(struct wake_set *set);
void wake_set_add(struct wake_set *set, uint64_t hash);

/* Ingest, after ring_append_publish(): wakes the sleepers concerned; blocks[i] or wake_fd[i] may be absent
 * (NULL, -1). Returns how many were woken. */
unsigned wake_sleepers(const struct wake_set *set, struct worker_block *const *blocks,
                       const int *wake_fd, unsigned count);

/* Ingest, after answers of the uplink: wakes that one worker, if it sleeps. */
bool wake_worker(struct worker_block *block, int wake_fd);

/* Rings the bell of a sleeper: its eventfd becomes readable. */
void wake_bell(int fd);

/* Worker: about to sleep. False: something was published meanwhile, don't. Call wake_awake() after. */
bool wake_prepare_sleep(struct worker_block *block, const shm_u64 *published, uint64_t cursor);
void wake_awake(struct worker_block *block);
/* Empties the eventfd. */
void wake_drain(int fd);

#endif
