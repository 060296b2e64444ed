/* Who is alive on this host, judged from heartbeats in shared memory: the one rule behind /health, /ready
 * and /metrics. Pure functions; used by workers. */
#ifndef MOONX_GATEWAY_HTTP_LIVENESS_H
#define MOONX_GATEWAY_HTTP_LIVENESS_H

#include "shm/host_view.h"

/* As long as the supervisor waits before it kills a silent child. */
#define LIVENESS_HEARTBEAT_MAX_NS 5000000000ull

/* Serves or drains, and its heart has beaten within the last five seconds. block may be NULL: false. */
bool liveness_worker(const struct worker_block *block, uint64_t now_mono_ns);
bool liveness_ingest(const struct host_view *view, uint64_t now_mono_ns);
unsigned liveness_worker_count(const struct host_view *view, uint64_t now_mono_ns);
bool liveness_ingest_flag(const struct host_view *view, enum ingest_flag flag);

#endif
