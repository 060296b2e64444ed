/* What the supervisor tells its children and, through /health, the operator: a memfd written by the
 * supervisor alone. Child 0 is ingest, child 1 + i the worker in slot i. */
#ifndef MOONX_SHM_HOST_BLOCK_H
#define MOONX_SHM_HOST_BLOCK_H

#include "common/heritage.h"
#include "shm/block.h"
#include "shm/order.h"

#define HOST_BLOCK_MAGIC   0x6d6f6f6e686f7374ull
#define HOST_BLOCK_VERSION 1u
#define HOST_MAX_CHILDREN  (1 + HERITAGE_MAX_WORKERS)

enum host_child_state {
    HOST_CHILD_NONE,
    HOST_CHILD_RUNNING,
    HOST_CHILD_WAITING /* for its backoff */
};

struct host_child {
    shm_u32 pid; /* 0 while none runs */
    shm_u32 state;
    shm_u64 started_ms; /* wall time */
    shm_u64 restarts;
    shm_u64 hung_kills;
};

struct host_block {
    struct block_head head;
    int64_t started_wall_ms;
    uint64_t started_mono_ns;
    uint32_t worker_count;
    shm_u32 draining;  /* 1 from SIGTERM on */
    shm_u32 log_level; /* 1 + enum log_level as an operator wants it; 0: as configured */
    struct host_child children[HOST_MAX_CHILDREN];
};

/* The supervisor's, once: *fd is its region. Both: -errno; -EPROTO when it is none of this version. */
int host_block_create(int *fd) MUST_CHECK;
int host_block_map(int fd, bool writable, struct host_block **out) MUST_CHECK;
void host_block_unmap(struct host_block *block);

#endif
