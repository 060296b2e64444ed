#include "gateway/delivery/overload.h"

#include "common/log.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"

#define ENTRY_BYTES   16u
#define SHORTER       8u  /* part of WS_MAX_QUEUE_BYTES */
#define SHED_A_TICK   64u /* connections closed at most */
#define LEAVE_PERCENT 80u

/* By stage: where it begins, in eighths of the limit, and what is said of it. */
static const struct {
    unsigned eighths;
    enum stat_id gauge;
    const char *does;
} stages[OVERLOAD_STAGE_COUNT] = {
    [OVERLOAD_NONE] = {0, STAT_COUNT, "nothing is spared any more"},
    [OVERLOAD_NO_DEFLATE] = {2, STAT_OVERLOAD_NO_DEFLATE, "nothing is deflated"},
    [OVERLOAD_SHORT_QUEUES] = {4, STAT_OVERLOAD_SHORT_QUEUES, "clients' queues are shorter"},
    [OVERLOAD_REFUSE] = {6, STAT_OVERLOAD_REFUSING, "new connections are refused"},
    [OVERLOAD_SHED] = {7, STAT_OVERLOAD_SHEDDING, "the slowest clients are closed"},
};

/* The longest queue of a full socket. */
struct longest {
    uint32_t bytes;
    unsigned closed;
};

static void find_longest(struct worker *worker, struct conn *conn, void *context);
static void close_long(struct worker *worker, struct conn *conn, void *context);
static bool is_slow(const struct conn *conn);

enum overload_stage overload_next(enum overload_stage now, uint64_t bytes, uint64_t limit) {
    enum overload_stage stage = OVERLOAD_NONE;
    for (unsigned i = OVERLOAD_NO_DEFLATE; i < OVERLOAD_STAGE_COUNT; i++) {
        uint64_t begins = limit / 8 * stages[i].eighths;
        uint64_t at = i <= (unsigned)now ? begins / 100 * LEAVE_PERCENT : begins;
        if (bytes >= at) {
            stage = (enum overload_stage)i;
        }
    }
    return stage;
}

uint64_t overload_bytes(const struct worker *worker) {
    const struct fanout *fanout = worker->fanout;
    return fanout->arena.bytes + (uint64_t)fanout->queues.nodes.used * ENTRY_BYTES;
}

void overload_look(struct worker *worker) {
    enum overload_stage before = worker->fanout->stage;
    uint64_t bytes = overload_bytes(worker);
    enum overload_stage stage =
        overload_next(before, bytes, (uint64_t)worker->options->worker_queue_bytes);
    if (stage == before) {
        return;
    }
    worker->fanout->stage = stage;
    worker->refusing = stage >= OVERLOAD_REFUSE;
    for (unsigned i = OVERLOAD_NO_DEFLATE; i < OVERLOAD_STAGE_COUNT; i++) {
        stats_set(worker->stats, stages[i].gauge, i <= (unsigned)stage);
    }
    log_warn("overload stage %u of %u, %llu bytes wait for clients: %s", (unsigned)stage,
             OVERLOAD_STAGE_COUNT - 1, (unsigned long long)bytes, stages[stage].does);
}

void overload_shed(struct worker *worker) {
    struct longest longest = {0};
    if (worker->fanout->stage < OVERLOAD_SHED) {
        return;
    }
    conn_each(worker, find_longest, &longest);
    if (longest.bytes > 0) {
        conn_each(worker, close_long, &longest);
    }
}

uint64_t overload_queue_limit(const struct worker *worker) {
    uint64_t most = (uint64_t)worker->options->ws_max_queue_bytes;
    return worker->fanout->stage >= OVERLOAD_SHORT_QUEUES ? most / SHORTER : most;
}

static void find_longest(struct worker *worker, struct conn *conn, void *context) {
    struct longest *longest = context;
    (void)worker;
    if (is_slow(conn) && conn->queue.bytes > longest->bytes) {
        longest->bytes = conn->queue.bytes;
    }
}

/* Down to half of the longest: the next tick looks again. */
static void close_long(struct worker *worker, struct conn *conn, void *context) {
    struct longest *longest = context;
    if (is_slow(conn) && conn->queue.bytes >= longest->bytes / 2 + 1 &&
        longest->closed < SHED_A_TICK) {
        longest->closed++;
        stats_add(worker->stats, STAT_OVERLOAD_SHED, 1);
        conn_too_slow(worker, conn);
    }
}

static bool is_slow(const struct conn *conn) {
    return conn_is_open(conn) && (conn->flags & CONN_BLOCKED);
}
