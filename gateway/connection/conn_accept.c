#include "gateway/connection/conn_accept.h"

#include "common/log.h"
#include "gateway/connection/conn_proxy.h"
#include "gateway/connection/conn_table.h"

#include <event2/event.h>
#include <sys/socket.h>

#define ACCEPTS_PER_TURN 64u /* some 0.5 ms; a storm must not starve those who are connected */
#define PAUSE_MS         100

/* One process, one acceptor. */
static struct {
    struct event *events[HERITAGE_MAX_WORKERS];
    struct event *admin; /* ADMIN_LISTEN, NULL without */
    struct event *resume;
} acceptor;

static void set_listening(const struct worker *worker, bool on) {
    for (unsigned i = 0; i < worker->heritage.listen_count; i++) {
        if (acceptor.events[i] != NULL) {
            (void)(on ? event_add(acceptor.events[i], NULL) : event_del(acceptor.events[i]));
        }
    }
    if (acceptor.admin != NULL) {
        (void)(on ? event_add(acceptor.admin, NULL) : event_del(acceptor.admin));
    }
}

static void on_resume(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    set_listening(context, true);
}

/* Out of descriptors or memory: waiting a moment beats spinning; those who wait stay in the accept queue. */
static void pause_accepting(struct worker *worker, int error) {
    static struct log_rate rate = {.per_second = 1};
    stats_add(worker->stats, STAT_ACCEPT_ERRORS, 1);
    if (log_rate_allow(&rate)) {
        log_warn("accepting paused for %d ms: %s%s", PAUSE_MS, strerror(error), rate.left_out);
    }
    set_listening(worker, false);
    const struct timeval pause = {.tv_usec = PAUSE_MS * 1000L};
    event_add(acceptor.resume, &pause);
}

/* Errors of the one connection that was taken, not of the listener (accept(2)). */
static bool concerns_one(int error) {
    static const int one[] = {ECONNABORTED, EINTR,       EPROTO, ENETDOWN,
                              ENOPROTOOPT,  EHOSTDOWN,   ENONET, EOPNOTSUPP,
                              EHOSTUNREACH, ENETUNREACH, EPERM};
    for (unsigned i = 0; i < ARRAY_LENGTH(one); i++) {
        if (error == one[i]) {
            return true;
        }
    }
    return false;
}

/* In a storm all listeners of this worker have somebody waiting: each gets its share of the turn. */
static unsigned share_of_turn(const struct worker *worker) {
    unsigned listeners = worker->heritage.listen_count;
    return listeners < ACCEPTS_PER_TURN ? ACCEPTS_PER_TURN / (listeners > 0 ? listeners : 1) : 1;
}

static void on_acceptable(evutil_socket_t fd, short what, void *context) {
    (void)what;
    struct worker *worker = context;
    unsigned most = share_of_turn(worker);
    for (unsigned i = 0; i < most; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            stats_add(worker->stats, STAT_ACCEPTED, 1);
            struct conn *conn = conn_new(worker, client);
            if (conn == NULL) {
                pause_accepting(worker, ENOMEM);
                return;
            }
            if (fd == worker->heritage.admin_fd) {
                conn->flags |= CONN_ADMIN;
            } else if (conn_proxy_begin(worker, conn) != 0) {
                conn_kill(worker, conn);
            }
        } else if (errno == EAGAIN) {
            return;
        } else if (!concerns_one(errno)) {
            pause_accepting(worker, errno);
            return;
        }
    }
}

/* All workers wait at the one socket; whoever comes too late finds nobody, which costs little where few come. */
static int start_admin(struct worker *worker) {
    acceptor.admin = event_new(worker->base, worker->heritage.admin_fd, EV_READ | EV_PERSIST,
                               on_acceptable, worker);
    return acceptor.admin != NULL && event_add(acceptor.admin, NULL) == 0 ? 0 : -ENOMEM;
}

int conn_accept_start(struct worker *worker) {
    acceptor.resume = event_new(worker->base, -1, 0, on_resume, worker);
    if (acceptor.resume == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < worker->heritage.listen_count; i++) {
        acceptor.events[i] = event_new(worker->base, worker->heritage.listen_fd[i],
                                       EV_READ | EV_PERSIST, on_acceptable, worker);
        if (acceptor.events[i] == NULL || event_add(acceptor.events[i], NULL) != 0) {
            return -ENOMEM;
        }
    }
    return worker->heritage.admin_fd < 0 ? 0 : start_admin(worker);
}

void conn_accept_stop(struct worker *worker) {
    for (unsigned i = 0; i < worker->heritage.listen_count; i++) {
        if (acceptor.events[i] != NULL) {
            event_free(acceptor.events[i]);
            acceptor.events[i] = NULL;
        }
    }
    if (acceptor.admin != NULL) {
        event_free(acceptor.admin);
        acceptor.admin = NULL;
    }
    if (acceptor.resume != NULL) {
        event_free(acceptor.resume);
        acceptor.resume = NULL;
    }
}
