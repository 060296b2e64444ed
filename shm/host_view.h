/* The whole host as one process may see it: every shared block that heritage brought, mapped with the rights
 * this role has. /health and /metrics are made from this, so any worker can answer for all.
 *
 * Ingest maps the segment and every worker's block writable (it clears the `sleeping` flag of those it
 * wakes; so heritage gives it O_RDWR descriptors of the blocks), and every uplink queue. A worker maps its own block
 * and its own queue writable, the other blocks read-only, the other queues not at all. Nobody but the supervisor writes the host block. */
#ifndef MOONX_SHM_HOST_VIEW_H
#define MOONX_SHM_HOST_VIEW_H

#include "common/heritage.h"
#include "shm/host_block.h"
#include "shm/revocations.h"
#include "shm/segment.h"
#include "shm/uplink.h"
#include "shm/worker_block.h"

struct host_view {
    struct segment segment;
    struct host_block *host;        /* read-only */
    struct revocations revocations; /* ingest writes; header NULL where heritage has none */
    struct worker_block *workers[HERITAGE_MAX_WORKERS]; /* NULL where heritage has no descriptor */
    struct uplink_block *uplinks[HERITAGE_MAX_WORKERS]; /* likewise; writable */
    uint32_t worker_count;
};

/* -EPROTO when a block is not ours or of another version. The descriptors stay the caller's. */
int host_view_open(const struct heritage *heritage, struct host_view *out) MUST_CHECK;
void host_view_close(struct host_view *view);

/* The host sends its clients away, or an operator has just asked a worker for it: nobody new is welcome from the moment
 * in which he is told so, not only when the supervisor has taken it up. */
bool host_view_draining(const struct host_view *view);

/* A counter over all workers, or ingest's, by its owner in the table. */
uint64_t host_view_sum(const struct host_view *view, enum stat_id id);

#endif
