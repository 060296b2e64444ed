#include "gateway/connection/drain.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/connection/conn_table.h"
#include "gateway/message/notice.h"

#include <stdlib.h>

/* The last connection is told at this share of DRAIN_TIMEOUT; the rest of the time is for closing. */
#define DRAIN_SPREAD_PERCENT 80
#define DRAIN_SLICE_MIN      64u
/* Clients come back over this time after their Close. */
#define RECONNECT_SPREAD_MS 5000
/* Plain HTTP may still be answered so long when all clients are gone. */
#define HTTP_GRACE_MS 500

static struct {
    uint64_t start_ms, deadline_ms;
    uint32_t next;     /* index of the next connection to be told */
    uint32_t at_start; /* slots in use then */
} state;

void drain_start(struct worker *worker) {
    if (worker->draining) {
        return;
    }
    worker->draining = true;
    store_relaxed(&worker->block->state, WORKER_DRAINING);
    state.start_ms = clock_mono_ms();
    state.deadline_ms = state.start_ms + (uint64_t)worker->options->drain_timeout;
    state.next = 1;
    state.at_start = worker->conns->slab.next_new;
    log_info("draining %llu connections",
             (unsigned long long)stats_get(worker->stats, STAT_CONNECTIONS));
}

static void send_away(struct worker *worker, struct conn *conn) {
    if (conn_is_open(conn)) {
        notice_reconnect(worker, conn, random() % RECONNECT_SPREAD_MS, "drain");
        conn_close(worker, conn, CLOSE_SERVICE_RESTART, "Service restart");
    }
}

/* How far the row of connections should have been told by now. */
static uint32_t told_by(uint64_t now_ms) {
    uint64_t spread = (state.deadline_ms - state.start_ms) * DRAIN_SPREAD_PERCENT / 100;
    uint64_t elapsed = now_ms - state.start_ms;
    return elapsed >= spread ? state.at_start : (uint32_t)(state.at_start * elapsed / spread);
}

bool drain_tick(struct worker *worker) {
    uint64_t now = clock_mono_ms();
    uint32_t until = told_by(now);
    if (until < state.next + DRAIN_SLICE_MIN) {
        until = state.next + DRAIN_SLICE_MIN;
    }
    for (; state.next < until && state.next < worker->conns->slab.next_new; state.next++) {
        send_away(worker, conn_at(worker, state.next));
    }
    if (stats_get(worker->stats, STAT_CONNECTIONS) > 0) {
        return now >= state.deadline_ms;
    }
    /* clients are gone; a page that is being asked for gets a moment, a connection that says nothing does not */
    return stats_get(worker->stats, STAT_SOCKETS) == 0 || now >= state.start_ms + HTTP_GRACE_MS ||
           now >= state.deadline_ms;
}
