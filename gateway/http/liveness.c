#include "gateway/http/liveness.h"

/* A beat that is newer than `now` (taken just before it) is fresh. */
static bool is_fresh(uint64_t heartbeat_ns, uint64_t now_mono_ns) {
    return heartbeat_ns != 0 &&
           (heartbeat_ns >= now_mono_ns || now_mono_ns - heartbeat_ns < LIVENESS_HEARTBEAT_MAX_NS);
}

bool liveness_worker(const struct worker_block *block, uint64_t now_mono_ns) {
    if (!block) {
        return false;
    }
    uint32_t state = load_relaxed(&block->state);
    return (state == WORKER_SERVING || state == WORKER_DRAINING) &&
           is_fresh(load_relaxed(&block->heartbeat_ns), now_mono_ns);
}

bool liveness_ingest(const struct host_view *view, uint64_t now_mono_ns) {
    const struct ingest_block *ingest = view->segment.ingest;
    return load_relaxed(&ingest->pid) != 0 &&
           is_fresh(load_relaxed(&ingest->heartbeat_ns), now_mono_ns);
}

unsigned liveness_worker_count(const struct host_view *view, uint64_t now_mono_ns) {
    unsigned live = 0;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        live += liveness_worker(view->workers[i], now_mono_ns);
    }
    return live;
}

bool liveness_ingest_flag(const struct host_view *view, enum ingest_flag flag) {
    return load_relaxed(&view->segment.ingest->flags) & (uint32_t)flag;
}
