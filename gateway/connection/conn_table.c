#include "gateway/connection/conn_table.h"

#include "common/clock.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_proxy.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/conn_tls.h"
#include "gateway/connection/ws_pool.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/fanout.h"
#include "gateway/http/head_gate.h"
#include "gateway/presence/presence.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static struct wheel_link *timer_of(void *owner, uint32_t index) {
    const struct conn_table *table = owner;
    return &((struct conn *)slab_at(&table->slab, index))->timer;
}

static unsigned count_rooms(const char *list) {
    unsigned count = *list != '\0';
    for (; *list != '\0'; list++) {
        count += *list == ',';
    }
    return count;
}

int conn_table_new(struct worker *worker, struct conn_table **out) {
    struct conn_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return -ENOMEM;
    }
    if (getrandom(&table->id_base, sizeof table->id_base, 0) != (ssize_t)sizeof table->id_base) {
        free(table);
        return -EIO;
    }
    table->epoll_fd = -1;
    TAILQ_INIT(&table->deferrals.ready);
    slab_init(&table->slab, sizeof(struct conn));
    role_set_init(&table->roles);
    wheel_init(&worker->wheel, clock_mono_ms(), timer_of, table);
    table->auto_room_count = count_rooms(worker->options->auto_join_rooms);
    *out = table;
    return 0;
}

void conn_table_reloaded(struct worker *worker) {
    worker->conns->auto_room_count = count_rooms(worker->options->auto_join_rooms);
}

void conn_table_free(struct worker *worker, struct conn_table *table) {
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 1; i < table->slab.next_new; i++) {
        struct conn *conn = conn_at(worker, i);
        if (conn->state != CONN_FREE && conn->state != CONN_DEAD) {
            conn_kill(worker, conn);
        }
    }
    conn_reap(worker);
    conn_poll_done(worker);
    conn_tls_done(&table->tls);
    role_set_done(&table->roles);
    conn_marks_done(&table->marks);
    slab_done(&table->slab);
    free(table);
}

/* Which gauges count a connection in each state. */
enum {
    COUNT_SOCKET = 1,
    COUNT_WEBSOCKET = 2,
    COUNT_LIVE = 4,
    COUNT_PENDING = 8,
    COUNT_CATCHING = 16
};
static const uint8_t counted[CONN_STATE_COUNT] = {
    [CONN_PROXY] = COUNT_SOCKET,
    [CONN_TLS] = COUNT_SOCKET,
    [CONN_HEAD] = COUNT_SOCKET,
    [CONN_JUDGING] = COUNT_SOCKET | COUNT_PENDING,
    [CONN_PENDING] = COUNT_SOCKET | COUNT_WEBSOCKET | COUNT_PENDING,
    [CONN_CATCHING] = COUNT_SOCKET | COUNT_WEBSOCKET | COUNT_LIVE | COUNT_CATCHING,
    [CONN_LIVE] = COUNT_SOCKET | COUNT_WEBSOCKET | COUNT_LIVE,
    [CONN_CLOSING] = COUNT_SOCKET | COUNT_WEBSOCKET,
    [CONN_REPLYING] = COUNT_SOCKET,
    [CONN_LINGER] = COUNT_SOCKET,
};
static const enum stat_id gauges[] = {STAT_SOCKETS, STAT_CONNECTIONS, STAT_AUTHENTICATED,
                                      STAT_PENDING_AUTH, STAT_CATCHING};

void conn_set_state(struct worker *worker, struct conn *conn, enum conn_state state) {
    unsigned before = counted[conn->state], after = counted[state];
    if (conn->state == CONN_CATCHING && state != CONN_CATCHING) {
        catchup_forget(worker, conn);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(gauges); i++) {
        unsigned bit = 1u << i;
        if ((after & bit) && !(before & bit)) {
            stats_add(worker->stats, gauges[i], 1);
        } else if ((before & bit) && !(after & bit)) {
            stats_sub(worker->stats, gauges[i], 1);
        }
    }
    if ((before & COUNT_WEBSOCKET) && !(after & COUNT_WEBSOCKET)) {
        stats_add(worker->stats, STAT_CLOSED, 1);
    }
    conn->state = (uint8_t)state & 0xfu;
}

struct conn *conn_new(struct worker *worker, int fd) {
    struct conn_table *table = worker->conns;
    uint32_t index = slab_take(&table->slab);
    if (index == 0) {
        close(fd);
        return NULL;
    }
    struct conn *conn = conn_at(worker, index);
    conn->self = index;
    conn->fd = fd;
    conn->id = table->id_base + ++table->id_counter;
    if (worker->tls != NULL) {
        conn_set_state(worker, conn, CONN_TLS);
    } else if (conn_begin_head(worker, conn) != 0) {
        close(fd);
        slab_give(&table->slab, index);
        return NULL;
    }
    conn_timers_set_deadline(worker, conn, CONN_HEAD_TIMEOUT_MS);
    if (conn_poll_add(worker, conn) != 0) {
        conn_kill(worker, conn);
        return NULL;
    }
    return conn;
}

int conn_begin_head(struct worker *worker, struct conn *conn) {
    struct head_gate *gate;
    int error = head_gate_new(&gate);
    if (error != 0) {
        return error;
    }
    conn->input = gate;
    conn->flags |= CONN_INPUT_IS_HEAD;
    conn_set_state(worker, conn, CONN_HEAD);
    return 0;
}

void conn_kill(struct worker *worker, struct conn *conn) {
    if (conn->state == CONN_DEAD) {
        return;
    }
    conn_set_state(worker, conn, CONN_DEAD);
    flush_schedule_remove(&worker->fanout->schedule, conn);
    wheel_cancel(&worker->wheel, conn->self);
    conn->dead_next = worker->conns->dead_first;
    worker->conns->dead_first = conn->self;
}

static void bury(struct worker *worker, struct conn *conn) {
    struct fanout *fanout = worker->fanout;
    room_leave_all(&fanout->rooms, conn);
    if (conn->user != 0) {
        presence_went(worker->presence, conn);
        user_remove_conn(&fanout->users, conn);
    }
    role_set_unref(&worker->conns->roles, conn->roles);
    middleware_leave(worker, conn);
    conn_proxy_forget(worker, conn);
    conn_defer_forget(worker, conn);
    outq_clear(&fanout->queues, &conn->queue);
    if (conn->flags & CONN_INPUT_IS_HEAD) {
        head_gate_free(conn->input);
    } else {
        ws_pool_give(worker, conn);
    }
    conn_tls_free(worker, conn);
    close(conn->fd);
    conn_set_state(worker, conn, CONN_FREE);
    slab_give(&worker->conns->slab, conn->self);
}

void conn_reap(struct worker *worker) {
    while (worker->conns->dead_first != 0) {
        struct conn *conn = conn_at(worker, worker->conns->dead_first);
        worker->conns->dead_first = conn->dead_next;
        bury(worker, conn);
    }
}

static void each_between(struct worker *worker, uint32_t from, uint32_t to, conn_visit *visit,
                         void *context) {
    for (uint32_t i = from; i < to; i++) {
        struct conn *conn = conn_at(worker, i);
        if (conn->state != CONN_FREE && conn->state != CONN_DEAD) {
            visit(worker, conn, context);
        }
    }
}

void conn_each(struct worker *worker, conn_visit *visit, void *context) {
    each_between(worker, 1, worker->conns->slab.next_new, visit, context);
}

uint32_t conn_each_part(struct worker *worker, uint32_t from, uint32_t parts, conn_visit *visit,
                        void *context) {
    uint32_t end = worker->conns->slab.next_new;
    from = from >= 1 && from < end ? from : 1;
    uint32_t to = from + end / parts + 1;
    to = to < end ? to : end;
    each_between(worker, from, to, visit, context);
    return to;
}
