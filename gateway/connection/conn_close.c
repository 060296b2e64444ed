/* Sending and the end of a connection: what is queued goes out first, then Close (RFC 6455 section 7), then the
 * write side is shut, then what the peer still sends is thrown away until it ends too; so the last bytes are
 * not lost to a reset. wslay's own closing would overtake queued data. */
#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/conn_tls.h"
#include "gateway/delivery/fanout.h"

#include <sys/socket.h>

#define CLOSE_REASON_MAX 123u
/* Replies are bounded by reading no more while this much waits (conn_read.c); this is the second fence. */
#define REPLY_QUEUE_MAX (1u << 20)

static int queue_piece(struct worker *worker, struct conn *conn, struct frame_piece piece) {
    struct fanout *fanout = worker->fanout;
    int error = outq_append(&fanout->queues, &conn->queue, piece);
    if (error == 0) {
        flush_schedule_add(&fanout->schedule, conn, true);
    }
    return error;
}

int conn_queue_frame(struct worker *worker, struct conn *conn, uint8_t opcode,
                     struct span payload) {
    struct frame_piece piece;
    int error = frame_make(&worker->fanout->arena, opcode, payload, &piece);
    return error != 0 ? error : queue_piece(worker, conn, piece);
}

int conn_queue_bytes(struct worker *worker, struct conn *conn, struct span bytes) {
    struct frame_piece piece;
    int error = frame_raw(&worker->fanout->arena, bytes, &piece);
    return error != 0 ? error : queue_piece(worker, conn, piece);
}

void conn_send_text(struct worker *worker, struct conn *conn, struct span payload) {
    if (!conn_is_open(conn)) {
        return;
    }
    if (conn->queue.bytes > REPLY_QUEUE_MAX ||
        conn_queue_frame(worker, conn, WSLAY_TEXT_FRAME, payload) != 0) {
        conn_too_slow(worker, conn);
        return;
    }
    stats_add(worker->stats, STAT_MESSAGES_OUT, 1);
}

/* Closing begins: the Close frame behind what is queued. code 0: a Close without status. */
static void begin_close(struct worker *worker, struct conn *conn, unsigned code, const char *reason,
                        uint64_t deadline_ms) {
    char payload[2 + CLOSE_REASON_MAX];
    size_t length = 0;
    if (code != 0) {
        size_t reason_length = strnlen(reason, CLOSE_REASON_MAX);
        payload[0] = (char)(code >> 8);
        payload[1] = (char)(code & 0xff);
        memcpy(payload + 2, reason, reason_length);
        length = 2 + reason_length;
    }
    conn_set_state(worker, conn, CONN_CLOSING);
    conn->flags |= CONN_CLOSE_QUEUED;
    conn_timers_set_deadline(worker, conn, deadline_ms);
    if (conn_queue_frame(worker, conn, WSLAY_CONNECTION_CLOSE, (struct span){payload, length}) !=
        0) {
        conn_kill(worker, conn);
        return;
    }
    conn_defer_forget(worker, conn);
}

void conn_close(struct worker *worker, struct conn *conn, enum close_code code,
                const char *reason) {
    if (conn_is_open(conn)) {
        begin_close(worker, conn, (unsigned)code, reason, CONN_CLOSE_TIMEOUT_MS);
    }
}

void conn_too_slow(struct worker *worker, struct conn *conn) {
    if (!conn_is_open(conn)) {
        return;
    }
    stats_add(worker->stats, STAT_SLOW_CLOSED, 1);
    outq_drop_unsent(&worker->fanout->queues, &conn->queue);
    begin_close(worker, conn, CLOSE_TRY_AGAIN_LATER, "Slow consumer", CONN_SLOW_CLOSE_TIMEOUT_MS);
}

void conn_linger(struct worker *worker, struct conn *conn) {
    conn_tls_shut(worker, conn);
    conn_set_state(worker, conn, CONN_LINGER);
    conn_timers_set_deadline(worker, conn, CONN_LINGER_TIMEOUT_MS);
    if (shutdown(conn->fd, SHUT_WR) != 0 || conn_poll_wait_readable(worker, conn) != 0) {
        conn_kill(worker, conn);
    }
}

void conn_flushed(struct worker *worker, struct conn *conn) {
    bool closed_both = conn->state == CONN_CLOSING && (conn->flags & CONN_CLOSE_RECEIVED);
    if (closed_both || conn->state == CONN_REPLYING) {
        conn_linger(worker, conn);
    }
}

void conn_peer_closed(struct worker *worker, struct conn *conn, unsigned code) {
    conn->flags |= CONN_CLOSE_RECEIVED;
    if (conn_is_open(conn)) {
        begin_close(worker, conn, code, "", CONN_CLOSE_TIMEOUT_MS);
    } else if (conn->state == CONN_CLOSING && outq_empty(&conn->queue)) {
        conn_linger(worker, conn);
    }
}
