/* A worker around a socket pair, turned by hand, for tests of gateway/connection/ over real sockets. Included once a
 * program. */
#ifndef MOONX_TESTS_UNIT_CONN_FIXTURE_H
#define MOONX_TESTS_UNIT_CONN_FIXTURE_H

#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/delivery/conn_flush.h"
#include "tests/unit/worker_fixture.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/socket.h>

static int peer = -1; /* the client's end */

static inline void set_up(void) {
    const char *note;
    signal(SIGPIPE, SIG_IGN);
    options = (struct options){.auto_join_rooms = "prices",
                               .admin_listen = "",
                               .auth_timeout = 10000,
                               .ws_max_queue_bytes = 1 << 20,
                               .worker_queue_bytes = 256 << 20,
                               .ws_max_message_bytes = 65536,
                               .ws_max_connections = 10,
                               .ws_ping_interval = 30000,
                               .ws_pong_timeout = 5000,
                               .ws_slow_timeout = 30000,
                               .instance_id = "test"};
    worker_open_memory(65536);
    worker.base = event_base_new();
    ck_assert_ptr_nonnull(worker.base);
    worker_open_parts();
    ck_assert_int_eq(conn_poll_init(&worker), 0);
    ck_assert_int_eq(conn_flush_init(&worker, "sendmsg", &note), 0);
}

static inline void tear_down(void) {
    worker_close();
    event_base_free(worker.base);
    if (peer >= 0) {
        close(peer);
    }
}

static inline void turn(void) {
    conn_defer_turn(&worker);
    conn_flush_turn(&worker);
    event_base_loop(worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    conn_reap(&worker);
}

static inline struct conn *accept_one(void) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    peer = pair[1];
    struct conn *conn = conn_new(&worker, pair[0]);
    ck_assert_ptr_nonnull(conn);
    return conn;
}

/* Past its handshake, without the bytes of one. */
static inline struct conn *open_pending(void) {
    uint32_t index = slab_take(&worker.conns->slab);
    struct conn *conn = conn_at(&worker, index);
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    peer = pair[1];
    conn->self = index;
    conn->fd = pair[0];
    conn->id = ++worker.conns->id_counter;
    conn_set_state(&worker, conn, CONN_PENDING);
    conn_timers_set_deadline(&worker, conn, (uint64_t)options.auth_timeout);
    conn_timers_start_pings(&worker, conn);
    ck_assert_int_eq(conn_poll_add(&worker, conn), 0);
    return conn;
}

/* Time passes: the wheel began so much earlier. */
static inline void pass_ms(uint64_t ms) {
    for (uint64_t step = 0; step < ms; step += 1000) {
        worker.wheel.start_ms -= ms - step < 1000 ? ms - step : 1000;
        conn_timers_advance(&worker);
        turn();
    }
}

static inline void say(const void *bytes, size_t length) {
    ck_assert_int_eq(send(peer, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static inline void say_text(const char *text) {
    say(text, strlen(text));
}

/* A small frame with a mask of zeros. */
static inline void say_frame(uint8_t first, const char *payload, size_t length) {
    unsigned char frame[256] = {first, (unsigned char)(0x80 | length)};
    memcpy(frame + 6, payload, length);
    say(frame, 6 + length);
}

static unsigned char heard[1 << 20];

/* What has come so far; 0 at the end of the stream, -1 when there is nothing. */
static inline ssize_t hear(void) {
    return recv(peer, heard, sizeof heard, MSG_DONTWAIT);
}

#endif
