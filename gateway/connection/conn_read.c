#include "gateway/connection/conn_read.h"

#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/conn_tls.h"
#include "gateway/connection/ws_events.h"
#include "gateway/connection/ws_pool.h"

#include <sys/socket.h>

/* 4 KiB may hold 500 tiny messages and so 100 KiB of replies; in the midst of a long frame more is harmless. */
#define READ_BYTES          4096u
#define READ_BYTES_IN_FRAME 65536u
/* Replies waiting to be written: above this the client is not read. */
#define READ_PAUSE_BYTES 32768u

static unsigned char buffer[READ_BYTES_IN_FRAME]; /* one worker, one thread, no call nests */

/* Bytes read, or 0 when there are none now; the end or an error kills the connection (-1). */
static ssize_t receive(struct worker *worker, struct conn *conn, size_t most) {
    ssize_t got = conn_recv(worker, conn, buffer, most);
    if (got == -EAGAIN) {
        return 0;
    }
    if (got <= 0) {
        conn_kill(worker, conn);
        return -1;
    }
    stats_add(worker->stats, STAT_BYTES_IN, (uint64_t)got);
    return got;
}

/* What is left of the frame in flight, but no long row of tiny messages behind it. */
static size_t budget(const struct conn *conn) {
    const struct ws_input *input = conn->input;
    if (input == NULL || input->frame_bytes == 0) {
        return READ_BYTES;
    }
    uint64_t rest = input->framed + input->frame_bytes - input->fed;
    if (rest <= READ_BYTES) {
        return READ_BYTES;
    }
    return rest < READ_BYTES_IN_FRAME ? (size_t)rest : READ_BYTES_IN_FRAME;
}

void conn_readable(struct worker *worker, struct conn *conn) {
    if (conn->queue.bytes > READ_PAUSE_BYTES) {
        return; /* level-triggered: it comes again when the queue has been written */
    }
    if (conn_defer_pauses(worker, conn)) {
        return;
    }
    ssize_t got = receive(worker, conn, budget(conn));
    if (got <= 0) {
        return;
    }
    conn_timers_alive(worker, conn);
    if (conn->flags & CONN_CLOSE_RECEIVED) {
        return; /* nothing counts after Close */
    }
    ws_events_feed(worker, conn, buffer, (size_t)got);
}

/* Of TLS the bytes as they come: nobody will decrypt them. */
void conn_read_discard(struct worker *worker, struct conn *conn) {
    ssize_t got = recv(conn->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    if (got == 0 && conn->state == CONN_REPLYING) {
        /* it has ended its side, as some simple clients do, and may still read the answer */
        if (conn_poll_mute(worker, conn) == 0) {
            return;
        }
    }
    conn_kill(worker, conn);
}
