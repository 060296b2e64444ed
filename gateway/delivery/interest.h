/* Which room-hash buckets this worker has a listener in: counts here, a bit per bucket in the worker's block,
 * by which ingest decides whom to wake. Changed only while the worker is awake (shm/wake.h). */
#ifndef MOONX_GATEWAY_DELIVERY_INTEREST_H
#define MOONX_GATEWAY_DELIVERY_INTEREST_H

#include "shm/worker_block.h"

struct interest {
    struct worker_block *block;
    uint32_t counts[WORKER_INTEREST_BITS];
};

/* Clears what a predecessor left. */
void interest_init(struct interest *interest, struct worker_block *block);
void interest_add(struct interest *interest, uint64_t hash);
void interest_remove(struct interest *interest, uint64_t hash);
/* A room of somebody's presence has its first listener, or has lost its last: `rooms` is 1 or -1. */
void interest_watch(struct interest *interest, int rooms);

#endif
