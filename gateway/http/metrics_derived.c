/* The families of /metrics that no counter holds: worked out from positions, the ring's words and the
 * supervisor's block at the moment of the scrape. */
#include "gateway/http/health.h"
#include "gateway/http/lag.h"
#include "gateway/http/liveness.h"
#include "gateway/http/metrics.h"

#include <inttypes.h>

typedef void samples(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns);
static samples build_info, start_time, ready, draining, kafka_up, kafka_caught_up, ingest_paced,
    kafka_lag, kafka_position, child_up, child_restarts, child_hung_kills, ring_capacity, ring_lag,
    flush_uring, events_passed_over;

const struct metrics_family metrics_derived[] = {
    {"moonx_build_info", "gauge", "Always 1; the version is its label", build_info},
    {"moonx_start_time_seconds", "gauge", "When the supervisor started, since the epoch",
     start_time},
    {"moonx_ready", "gauge", "1 when the host takes new clients, as GET /ready", ready},
    {"moonx_draining", "gauge", "1 while the host sends its clients away", draining},
    {"moonx_kafka_up", "gauge", "1 when a broker answers", kafka_up},
    {"moonx_kafka_caught_up", "gauge", "1 once the first catch-up with Kafka is done",
     kafka_caught_up},
    {"moonx_ingest_paced", "gauge", "1 while consumption waits for a lagging worker", ingest_paced},
    {"moonx_kafka_lag", "gauge", "Messages of the partition not yet consumed", kafka_lag},
    {"moonx_kafka_position", "gauge", "Offset of the next message wanted", kafka_position},
    {"moonx_child_up", "gauge", "1 when the process serves and its heart beats", child_up},
    {"moonx_child_restarts_total", "counter", "Times the process was replaced", child_restarts},
    {"moonx_child_hung_kills_total", "counter", "Times the process was killed because it hung",
     child_hung_kills},
    {"moonx_ring_capacity_bytes", "gauge", "Size of the ring", ring_capacity},
    {"moonx_ring_lag_bytes", "gauge", "Published bytes that the worker has not read", ring_lag},
    {"moonx_worker_flush_uring", "gauge", "1 when writes go through io_uring, 0 with sendmsg",
     flush_uring},
    {"moonx_events_passed_over_total", "counter",
     "Events not delivered, by topic and reason: a newer value of their key was there, for a "
     "client that was slow or resumed (conflated), or they came too soon after the one before "
     "(sampled); past their expiry, for a client (outdated); the ring went round before the worker "
     "had read them (lapped); no memory (no_memory). Sampled, lapped and no_memory count once for "
     "all clients of the worker",
     events_passed_over},
    {0},
};

static void write_value(FILE *out, const char *name, uint64_t value) {
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void build_info(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    (void)view, (void)now_ns;
    fprintf(out, "%s{version=\"", name);
    metrics_write_label(out, SPAN_LITERAL(MOONX_VERSION));
    fputs("\"} 1\n", out);
}

static void start_time(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    (void)now_ns;
    int64_t ms = view->host->started_wall_ms;
    fprintf(out, "%s %" PRId64 ".%03d\n", name, ms / 1000, (int)(ms % 1000));
}

static void ready(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    (void)now_ns;
    write_value(out, name, health_not_ready(view) == NULL);
}

static void draining(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    (void)now_ns;
    write_value(out, name, host_view_draining(view));
}

static void kafka_up(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    write_value(out, name,
                liveness_ingest(view, now_ns) && liveness_ingest_flag(view, INGEST_KAFKA_UP));
}

static void kafka_caught_up(FILE *out, const char *name, const struct host_view *view,
                            uint64_t now_ns) {
    (void)now_ns;
    write_value(out, name, liveness_ingest_flag(view, INGEST_CAUGHT_UP));
}

static void ingest_paced(FILE *out, const char *name, const struct host_view *view,
                         uint64_t now_ns) {
    write_value(out, name,
                liveness_ingest(view, now_ns) && liveness_ingest_flag(view, INGEST_PACED));
}

static void write_partition(FILE *out, const char *name, const struct positions *positions,
                            uint32_t index, uint64_t value) {
    fprintf(out, "%s{topic=\"", name);
    metrics_write_label(out, positions_topic_name(positions, index));
    fprintf(out, "\",partition=\"%" PRId32 "\"} %" PRIu64 "\n", positions->partitions[index].number,
            value);
}

static void kafka_lag(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    (void)now_ns;
    const struct positions *positions = view->segment.positions;
    uint32_t count = positions_count(positions);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lag;
        if (lag_of_partition(&positions->partitions[i], &lag)) {
            write_partition(out, name, positions, i, lag);
        }
    }
}

static void kafka_position(FILE *out, const char *name, const struct host_view *view,
                           uint64_t now_ns) {
    (void)now_ns;
    const struct positions *positions = view->segment.positions;
    uint32_t count = positions_count(positions);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t next = load_relaxed(&positions->partitions[i].next);
        if (next != POSITION_UNKNOWN) {
            write_partition(out, name, positions, i, next);
        }
    }
}

/* Child 0 is ingest, child 1 + i the worker in slot i. */
static void write_child(FILE *out, const char *name, uint32_t child, uint64_t value) {
    if (child == 0) {
        fprintf(out, "%s{child=\"ingest\"} %" PRIu64 "\n", name, value);
    } else {
        fprintf(out, "%s{child=\"worker-%" PRIu32 "\"} %" PRIu64 "\n", name, child - 1, value);
    }
}

static void child_up(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    write_child(out, name, 0, liveness_ingest(view, now_ns));
    for (uint32_t i = 0; i < view->worker_count; i++) {
        write_child(out, name, 1 + i, liveness_worker(view->workers[i], now_ns));
    }
}

static void child_restarts(FILE *out, const char *name, const struct host_view *view,
                           uint64_t now_ns) {
    (void)now_ns;
    for (uint32_t i = 0; i <= view->worker_count; i++) {
        write_child(out, name, i, load_relaxed(&view->host->children[i].restarts));
    }
}

static void child_hung_kills(FILE *out, const char *name, const struct host_view *view,
                             uint64_t now_ns) {
    (void)now_ns;
    for (uint32_t i = 0; i <= view->worker_count; i++) {
        write_child(out, name, i, load_relaxed(&view->host->children[i].hung_kills));
    }
}

static void ring_capacity(FILE *out, const char *name, const struct host_view *view,
                          uint64_t now_ns) {
    (void)now_ns;
    write_value(out, name, view->segment.header->ring_capacity);
}

static void write_worker(FILE *out, const char *name, uint32_t worker, uint64_t value) {
    fprintf(out, "%s{worker=\"%" PRIu32 "\"} %" PRIu64 "\n", name, worker, value);
}

static void ring_lag(FILE *out, const char *name, const struct host_view *view, uint64_t now_ns) {
    (void)now_ns;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        const struct worker_block *block = view->workers[i];
        if (!block || load_relaxed(&block->state) == WORKER_ABSENT) {
            continue;
        }
        /* The cursor first: `published` only grows, so the difference is not negative. */
        uint64_t cursor = load_acquire(&block->cursor);
        uint64_t published = load_relaxed(&view->segment.words->published);
        write_worker(out, name, i, published > cursor ? published - cursor : 0);
    }
}

static void flush_uring(FILE *out, const char *name, const struct host_view *view,
                        uint64_t now_ns) {
    (void)now_ns;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        if (view->workers[i]) {
            write_worker(out, name, i, load_relaxed(&view->workers[i]->flush_uring) != 0);
        }
    }
}

static void write_topics(FILE *out, const char *name, const struct positions *positions,
                         uint32_t worker, const char *reason, const shm_u64 *counts) {
    uint32_t topics = load_acquire(&positions->topic_count);
    for (uint32_t i = 0; i < topics && i < POSITIONS_MAX_TOPICS; i++) {
        uint64_t count = load_relaxed(&counts[i]);
        if (count == 0) { /* most routes are not conflated */
            continue;
        }
        fprintf(out, "%s{worker=\"%" PRIu32 "\",topic=\"", name, worker);
        metrics_write_label(
            out, (struct span){positions->topics[i].name, positions->topics[i].name_length});
        fprintf(out, "\",reason=\"%s\"} %" PRIu64 "\n", reason, count);
    }
}

static void events_passed_over(FILE *out, const char *name, const struct host_view *view,
                               uint64_t now_ns) {
    static const char *const reasons[PASSED_OVER_REASONS] = {[PASSED_OVER_CONFLATED] = "conflated",
                                                             [PASSED_OVER_SAMPLED] = "sampled",
                                                             [PASSED_OVER_LAPPED] = "lapped",
                                                             [PASSED_OVER_OUTDATED] = "outdated",
                                                             [PASSED_OVER_NO_MEMORY] = "no_memory"};
    (void)now_ns;
    for (uint32_t i = 0; i < view->worker_count * PASSED_OVER_REASONS; i++) {
        const struct worker_block *block = view->workers[i / PASSED_OVER_REASONS];
        unsigned reason = i % PASSED_OVER_REASONS;
        if (block != NULL) {
            write_topics(out, name, view->segment.positions, i / PASSED_OVER_REASONS,
                         reasons[reason], block->passed_over[reason]);
        }
    }
}
