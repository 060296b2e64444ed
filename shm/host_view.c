#include "shm/host_view.h"

static int map_workers(const struct heritage *heritage, struct host_view *view);
static int map_uplinks(const struct heritage *heritage, struct host_view *view);
static bool worker_writable(const struct heritage *heritage, uint32_t slot);

int host_view_open(const struct heritage *heritage, struct host_view *out) {
    if (heritage->worker_count > HERITAGE_MAX_WORKERS)
        return -EINVAL;

    struct host_view view = {.worker_count = heritage->worker_count};
    bool writable = heritage->role == HERITAGE_INGEST;
    int result = segment_map(heritage->segment_fd, writable, &view.segment);
    if (result < 0)
        return result;
    result = host_block_map(heritage->host_fd, false, &view.host);
    if (result < 0)
        goto out;
    if (heritage->revocation_fd >= 0)
        result = revocations_map(heritage->revocation_fd, writable, &view.revocations);
    if (result < 0)
        goto out;
    result = map_workers(heritage, &view);
    if (result < 0)
        goto out;
    result = map_uplinks(heritage, &view);
    if (result < 0)
        goto out;
    *out = view;
    return 0;
out:
    host_view_close(&view);
    return result;
}

void host_view_close(struct host_view *view) {
    for (uint32_t i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        worker_block_unmap(view->workers[i]);
        uplink_unmap(view->uplinks[i]);
    }
    host_block_unmap(view->host);
    if (view->revocations.header)
        revocations_unmap(&view->revocations);
    if (view->segment.header)
        segment_unmap(&view->segment);
    *view = (struct host_view){.segment.fd = -1};
}

bool host_view_draining(const struct host_view *view) {
    bool asked = false;

    for (uint32_t i = 0; i < view->worker_count && !asked; i++) {
        asked = view->workers[i] != NULL && load_acquire(&view->workers[i]->asked_drain) != 0;
    }
    return asked || load_relaxed(&view->host->draining) != 0;
}

uint64_t host_view_sum(const struct host_view *view, enum stat_id id) {
    if (stats_info[id].owner == STAT_ingest)
        return stats_get(&view->segment.ingest->stats, id);

    uint64_t sum = 0;
    for (uint32_t i = 0; i < view->worker_count; i++)
        if (view->workers[i])
            sum += stats_get(&view->workers[i]->stats, id);
    return sum;
}

static int map_workers(const struct heritage *heritage, struct host_view *view) {
    for (uint32_t i = 0; i < heritage->worker_count; i++) {
        if (heritage->worker_fd[i] < 0)
            continue;
        int result = worker_block_map(heritage->worker_fd[i], worker_writable(heritage, i),
                                      &view->workers[i]);
        if (result < 0)
            return result;
    }
    return 0;
}

static int map_uplinks(const struct heritage *heritage, struct host_view *view) {
    for (uint32_t i = 0; i < heritage->worker_count; i++) {
        if (heritage->uplink_fd[i] < 0)
            continue;
        int result = uplink_map(heritage->uplink_fd[i], &view->uplinks[i]);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Ingest clears the `sleeping` flag of whom it wakes; a worker writes its own block only. */
static bool worker_writable(const struct heritage *heritage, uint32_t slot) {
    return heritage->role == HERITAGE_INGEST || heritage->index == slot;
}
