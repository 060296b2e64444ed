/* The whole host as one process may see it: every shared block that heritage brought, mapped with the rights
 * this role has. /health and /metrics are made from this, so any worker can answer for all. */
#ifndef MOONX_SHM_HOST_VIEW_H
#define MOONX_SHM_HOST_VIEW_H

#include "common/heritage.h"
#include "shm/host_block.h"
#include "shm/segment.h"
#include "shm/worker_block.h"

struct host_view {
    struct segment segment;
    struct host_block *host;                               /* read-only */
    struct worker_block *workers[HERITAGE_MAX_WORKERS];    /* a worker's own one is writable */
    uint32_t worker_count;
};

int host_view_open(const struct heritage *heritage, struct host_view *out) MUST_CHECK;
void host_view_close(struct host_view *view);

/* A counter over all workers, or ingest's, by its owner in the table. */
uint64_t host_view_sum(const struct host_view *view, enum stat_id id);

#endif
