/* What one worker tells the others: a memfd of its own (mode 0600, owned by the supervisor's user), written by
 * the worker in that slot, read by ingest (sleeping, interest, cursor), the supervisor (heartbeat) and the
 * other workers (counters, for /metrics). One per slot; it outlives the worker, so counters go on. */
#ifndef MOONX_SHM_WORKER_BLOCK_H
#define MOONX_SHM_WORKER_BLOCK_H

#include "shm/block.h"
#include "shm/order.h"
#include "shm/positions.h"
#include "shm/stats.h"
#include "shm/survey.h"

#define WORKER_BLOCK_MAGIC   0x6d6f6f6e776f726bull
#define WORKER_BLOCK_VERSION 6u
#define WORKER_INTEREST_BITS 4096u /* room-hash buckets */

/* Why an event was not delivered. The first two are of conflated routes: a newer value of its key was there or came. */
enum passed_over_reason {
    PASSED_OVER_CONFLATED, /* for a client that was slow or resumed */
    PASSED_OVER_SAMPLED, /* it came too soon after the one before: for all of the worker's clients */
    PASSED_OVER_LAPPED, /* the ring went round before the worker had read it: for all of its clients */
    PASSED_OVER_OUTDATED,  /* past its expiry (typing): for a client */
    PASSED_OVER_NO_MEMORY, /* for all of the worker's clients */
    PASSED_OVER_REASONS,
};

enum worker_state { WORKER_ABSENT, WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING };

/* Padded on purpose: no two writers on one cache line. */
struct worker_block { // NOLINT(clang-analyzer-optin.performance.Padding)
    struct block_head head;
    _Alignas(CACHE_LINE) shm_u64
        heartbeat_ns; /* CLOCK_MONOTONIC, at least every second; 0: not yet */
    shm_u32 pid;
    shm_u32 state;       /* enum worker_state */
    shm_u64 started_ms;  /* wall time */
    shm_u32 flush_uring; /* 1: writes go through io_uring, 0: sendmsg */
    /* what an operator has asked this worker for; the supervisor does it and takes it back */
    shm_u32 asked_drain;
    shm_u32 asked_log_level;             /* 1 + enum log_level */
    _Alignas(CACHE_LINE) shm_u64 cursor; /* ring position up to which it has read */
    _Alignas(CACHE_LINE) shm_u32 sleeping;
    shm_u32 presence_rooms; /* rooms presence:{userId} with a listener: is anybody to be told? */
    _Alignas(CACHE_LINE)
        shm_u64 interest[WORKER_INTEREST_BITS / 64]; /* it has a listener in that bucket */
    _Alignas(CACHE_LINE) struct stats stats;
    shm_u64 passed_over[PASSED_OVER_REASONS][POSITIONS_MAX_TOPICS]; /* events, by topic */
    /* what this worker asks all of them, and what it answers one of them */
    _Alignas(CACHE_LINE) struct survey_question question;
    _Alignas(CACHE_LINE) struct survey_answer answer;
};

/* The supervisor's, for each worker: *fd is its region. -errno. */
int worker_block_create(int *fd) MUST_CHECK;
/* Checks magic, version and size. *out stays mapped until worker_block_unmap. */
int worker_block_map(int fd, bool writable, struct worker_block **out) MUST_CHECK;
void worker_block_unmap(struct worker_block *block);

static inline unsigned worker_interest_bucket(uint64_t hash) {
    return (unsigned)(hash >> 52); /* the top 12 bits */
}

#endif
