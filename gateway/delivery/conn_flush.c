#include "gateway/delivery/conn_flush.h"

#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/conn_tls.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/fanout.h"

/* One write's most: what a socket can take at once anyway; the rest goes next turn. */
#define FLUSH_MAX_BYTES (1u << 20)
/* TLS is encrypted here: so many records of one connection a turn, some 20 us each. */
#define TLS_MAX_RECORDS 4u
#define TLS_MAX_PIECES  64u /* gathered into a record */
/* At least 48 places each for who goes first: more than one turn's 128 reads can ask for. */
#define SLICES_PER_TURN 4

int conn_flush_check(const char *choice) {
    struct flush_backend *backend;
    if (strcmp(choice, flush_uring_calls.name) != 0) {
        return 0;
    }
    int error = flush_uring_calls.create(&backend);
    if (error == 0) {
        flush_uring_calls.destroy(backend);
    }
    return error;
}

static int use(struct fanout *fanout, const struct flush_backend_calls *calls) {
    int error = calls->create(&fanout->backend);
    if (error == 0) {
        fanout->backend_calls = calls;
    }
    return error;
}

int conn_flush_init(struct worker *worker, const char *choice, const char **note) {
    struct fanout *fanout = worker->fanout;
    *note = NULL;
    int error = -ENOSYS;
    if (strcmp(choice, "sendmsg") != 0) {
        error = use(fanout, &flush_uring_calls);
    }
    if (error != 0 && strcmp(choice, "io_uring") != 0) {
        if (strcmp(choice, "auto") == 0) {
            *note = "io_uring is not to be had here: events are written with sendmsg";
        }
        error = use(fanout, &flush_sendmsg_calls);
    }
    if (error == 0) {
        store_relaxed(&worker->block->flush_uring, fanout->backend_calls == &flush_uring_calls);
    }
    return error;
}

static void fill_item(const struct fanout *fanout, const struct conn *conn,
                      struct flush_item *item) {
    item->fd = conn->fd;
    item->iov_count = outq_gather(&fanout->queues, &conn->queue, item->iov, FLUSH_MAX_PIECES);
    size_t total = 0;
    for (unsigned i = 0; i < item->iov_count; i++) {
        total += item->iov[i].iov_len;
        if (total > FLUSH_MAX_BYTES) {
            item->iov_count = i + 1;
        }
    }
}

static void block(struct worker *worker, struct conn *conn) {
    stats_add(worker->stats, STAT_FLUSH_BLOCKED, 1);
    conn->flags |= CONN_BLOCKED;
    conn_timers_blocked(worker, conn);
    if (conn_poll_wait_writable(worker, conn) != 0) {
        conn_kill(worker, conn);
    }
}

static size_t item_bytes(const struct flush_item *item) {
    size_t total = 0;
    for (unsigned i = 0; i < item->iov_count; i++) {
        total += item->iov[i].iov_len;
    }
    return total;
}

/* Who catches up has room for more. */
static void consume(struct worker *worker, struct conn *conn, size_t bytes) {
    stats_add(worker->stats, STAT_BYTES_OUT, (uint64_t)bytes);
    outq_consume(&worker->fanout->queues, &conn->queue, bytes);
    if (conn->state == CONN_CATCHING) {
        catchup_written(worker, conn);
    }
}

static void handle_result(struct worker *worker, struct conn *conn, const struct flush_item *item) {
    if (item->result < 0) {
        if (item->result == -EAGAIN) {
            block(worker, conn);
        } else {
            conn_kill(worker, conn); /* reset or gone: nothing can be said to it */
        }
        return;
    }
    consume(worker, conn, (size_t)item->result);
    if (outq_empty(&conn->queue)) {
        conn_flushed(worker, conn);
    } else if ((size_t)item->result < item_bytes(item)) {
        block(worker, conn); /* a short write: the socket is full */
    } else {
        flush_schedule_add(&worker->fanout->schedule, conn, false);
    }
}

/* TLS: the same queue, record by record. */
static void flush_tls(struct worker *worker, struct conn *conn) {
    struct fanout *fanout = worker->fanout;
    for (unsigned i = 0; i < TLS_MAX_RECORDS; i++) {
        struct iovec pieces[TLS_MAX_PIECES];
        bool blocked;
        unsigned count = outq_gather(&fanout->queues, &conn->queue, pieces, TLS_MAX_PIECES);
        ssize_t taken = conn_tls_write(worker, conn, pieces, count, &blocked);
        stats_add(worker->stats, STAT_FLUSHES, 1);
        if (taken < 0) {
            conn_kill(worker, conn);
            return;
        }
        consume(worker, conn, (size_t)taken);
        if (blocked) {
            block(worker, conn);
            return;
        }
        if (outq_empty(&conn->queue)) {
            conn_flushed(worker, conn);
            return;
        }
    }
    flush_schedule_add(&fanout->schedule, conn, false);
}

/* Something for the socket is there. */
static bool has_output(const struct worker *worker, const struct conn *conn) {
    return conn->state != CONN_DEAD &&
           (!outq_empty(&conn->queue) || conn_tls_pending(worker, conn));
}

static void flush_slice(struct worker *worker) {
    struct fanout *fanout = worker->fanout;
    struct conn *slice[FLUSH_SLICE];
    struct flush_item items[FLUSH_SLICE];
    unsigned taken = flush_schedule_take(&fanout->schedule, slice), count = 0;
    for (unsigned i = 0; i < taken; i++) {
        if (!has_output(worker, slice[i])) {
            continue;
        }
        if (slice[i]->flags & CONN_SECURE) {
            flush_tls(worker, slice[i]);
        } else {
            slice[count] = slice[i];
            fill_item(fanout, slice[i], &items[count++]);
        }
    }
    if (count > 0) {
        fanout->backend_calls->send(fanout->backend, items, count);
        stats_add(worker->stats, STAT_FLUSHES, count);
        for (unsigned i = 0; i < count; i++) {
            handle_result(worker, slice[i], &items[i]);
        }
    }
}

bool conn_flush_turn(struct worker *worker) {
    struct flush_schedule *schedule = &worker->fanout->schedule;
    int slices = 0;
    do {
        flush_slice(worker);
    } while (++slices < SLICES_PER_TURN && flush_schedule_urgent(schedule));
    return schedule->count > 0;
}

void conn_flush_now(struct worker *worker, struct conn *conn) {
    struct fanout *fanout = worker->fanout;
    while (!(conn->flags & CONN_BLOCKED) && has_output(worker, conn)) {
        struct flush_item item;
        if (conn->flags & CONN_SECURE) {
            flush_tls(worker, conn);
            continue;
        }
        fill_item(fanout, conn, &item);
        fanout->backend_calls->send(fanout->backend, &item, 1);
        stats_add(worker->stats, STAT_FLUSHES, 1);
        handle_result(worker, conn, &item);
    }
    flush_schedule_remove(&fanout->schedule, conn);
}

void conn_flush_unblocked(struct worker *worker, struct conn *conn) {
    conn->flags &= (uint16_t)~CONN_BLOCKED;
    conn_timers_alive(worker, conn); /* its pong stands behind all that it has yet to read */
    if (conn_poll_wait_readable(worker, conn) != 0) {
        conn_kill(worker, conn);
        return;
    }
    flush_schedule_add(&worker->fanout->schedule, conn, true);
}
