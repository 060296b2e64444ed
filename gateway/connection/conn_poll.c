#include "gateway/connection/conn_poll.h"

#include "gateway/connection/conn_head.h"
#include "gateway/connection/conn_proxy.h"
#include "gateway/connection/conn_read.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_tls.h"
#include "gateway/delivery/conn_flush.h"

#include <event2/event.h>
#include <sys/epoll.h>
#include <unistd.h>

#define POLL_MAX_EVENTS 128

static int control(struct worker *worker, int operation, struct conn *conn, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = conn->self};
    return epoll_ctl(worker->conns->epoll_fd, operation, conn->fd, &event) == 0 ? 0 : -errno;
}

int conn_poll_add(struct worker *worker, struct conn *conn) {
    return control(worker, EPOLL_CTL_ADD, conn, EPOLLIN | EPOLLRDHUP);
}

int conn_poll_wait_writable(struct worker *worker, struct conn *conn) {
    /* who has sent a request and ended its side still reads the answer */
    uint32_t end = conn->state == CONN_REPLYING ? 0 : EPOLLRDHUP;
    return control(worker, EPOLL_CTL_MOD, conn, EPOLLOUT | end);
}

int conn_poll_wait_readable(struct worker *worker, struct conn *conn) {
    uint32_t input = conn->flags & CONN_UNREAD ? 0 : EPOLLIN;
    return control(worker, EPOLL_CTL_MOD, conn, input | EPOLLRDHUP);
}

int conn_poll_wait_end(struct worker *worker, struct conn *conn) {
    return control(worker, EPOLL_CTL_MOD, conn, EPOLLRDHUP);
}

int conn_poll_mute(struct worker *worker, struct conn *conn) {
    return control(worker, EPOLL_CTL_MOD, conn, 0);
}

static void nothing(struct worker *worker, struct conn *conn) {
    (void)worker;
    (void)conn;
}

static void (*const on_readable[CONN_STATE_COUNT])(struct worker *, struct conn *) = {
    [CONN_FREE] = nothing,
    [CONN_PROXY] = conn_proxy_readable,
    [CONN_TLS] = conn_tls_readable,
    [CONN_HEAD] = conn_head_readable,
    [CONN_JUDGING] = conn_kill, /* polled for its end alone */
    [CONN_PENDING] = conn_readable,
    [CONN_CATCHING] = conn_readable,
    [CONN_LIVE] = conn_readable,
    [CONN_CLOSING] = conn_readable,
    [CONN_REPLYING] = conn_read_discard,
    [CONN_LINGER] = conn_read_discard,
    [CONN_DEAD] = nothing,
};

static void handle(struct worker *worker, struct conn *conn, uint32_t events) {
    bool blocked = conn->flags & CONN_BLOCKED, unread = conn->flags & (CONN_BLOCKED | CONN_UNREAD);
    if (conn->state == CONN_FREE || conn->state == CONN_DEAD) {
        return;
    }
    if (conn->state == CONN_LINGER && !(events & EPOLLERR)) {
        /* both sides have ended: closing with bytes unread would reset what we have said */
        conn_read_discard(worker, conn);
    } else if ((events & (EPOLLERR | EPOLLHUP)) || (unread && (events & EPOLLRDHUP))) {
        conn_kill(worker, conn);
    } else if (blocked && (events & EPOLLOUT)) {
        (conn->state == CONN_TLS ? conn_tls_writable : conn_flush_unblocked)(worker, conn);
    } else if (events & (EPOLLIN | EPOLLRDHUP)) {
        on_readable[conn->state](worker, conn);
    }
}

/* Connections die only at the end of the turn (conn_reap), so no index in `events` can have been reused. */
static void on_ready(evutil_socket_t fd, short what, void *context) {
    (void)what;
    struct worker *worker = context;
    struct epoll_event events[POLL_MAX_EVENTS];
    conn_tls_begin_turn(worker);
    int count = epoll_wait(fd, events, POLL_MAX_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        handle(worker, conn_at(worker, events[i].data.u32), events[i].events);
    }
}

int conn_poll_init(struct worker *worker) {
    struct conn_table *table = worker->conns;
    table->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (table->epoll_fd < 0) {
        return -errno;
    }
    table->epoll_event =
        event_new(worker->base, table->epoll_fd, EV_READ | EV_PERSIST, on_ready, worker);
    if (table->epoll_event == NULL || event_add(table->epoll_event, NULL) != 0) {
        return -ENOMEM;
    }
    return 0;
}

void conn_poll_done(struct worker *worker) {
    struct conn_table *table = worker->conns;
    if (table->epoll_event != NULL) {
        event_free(table->epoll_event);
        table->epoll_event = NULL;
    }
    if (table->epoll_fd >= 0) {
        close(table->epoll_fd);
        table->epoll_fd = -1;
    }
}
