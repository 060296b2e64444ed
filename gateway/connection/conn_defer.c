#include "gateway/connection/conn_defer.h"

#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/ws_events.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM                                                                          \
    1 /* else uthash ends the process when memory is out; hh.tbl stays NULL then */
#include <uthash.h>

#define TURN_BYTES 65536u /* as much as one read may bring */
#define STEP_BYTES 256u   /* what starting on a connection costs, in the same measure */

enum deferred_place { KEPT, READY, IN_HAND };

/* Of one connection. */
struct conn_deferred {
    uint32_t index;
    uint8_t place; /* enum deferred_place */
    bool closed;   /* behind the messages a Close has come */
    unsigned close_code;
    size_t length, capacity;
    unsigned char *bytes; /* messages: struct head, payload */
    TAILQ_ENTRY(conn_deferred) ready;
    UT_hash_handle hh;
};

struct head {
    uint32_t length;
    bool deflated;
};

static struct conn_deferred *find(const struct worker *worker, const struct conn *conn);
static struct conn_deferred *find_or_new(struct worker *worker, const struct conn *conn);
static int append(struct conn_deferrals *all, struct conn_deferred *deferred, struct head head,
                  struct span payload);
static bool full(const struct worker *worker, const struct conn *conn);
static void read_on(struct worker *worker, struct conn *conn);
static void handle(struct worker *worker, struct conn_deferred *deferred);
static size_t handle_next(struct worker *worker, struct conn *conn,
                          const struct conn_deferred *deferred, size_t at);
static void back_to_normal(struct worker *worker, struct conn *conn,
                           struct conn_deferred *deferred);
static void drop(struct conn_deferrals *all, struct conn_deferred *deferred);

void conn_defer_begin(struct conn *conn) {
    conn->flags |= CONN_DEFERS;
}

void conn_defer_end(struct worker *worker, struct conn *conn) {
    if (!(conn->flags & CONN_DEFERS)) {
        return;
    }
    struct conn_deferred *deferred = find(worker, conn);
    if (deferred == NULL) {
        conn->flags &= (uint16_t)~CONN_DEFERS;
        back_to_normal(worker, conn, NULL);
    } else if (deferred->place == KEPT) {
        deferred->place = READY;
        TAILQ_INSERT_TAIL(&worker->conns->deferrals.ready, deferred, ready);
    }
}

void conn_defer_text(struct worker *worker, struct conn *conn, struct span payload, bool deflated) {
    struct conn_deferred *deferred = find_or_new(worker, conn);
    const struct head head = {(uint32_t)payload.length, deflated};

    if (deferred != NULL && deferred->closed) {
        return; /* nothing counts after Close */
    }
    if (deferred == NULL || append(&worker->conns->deferrals, deferred, head, payload) != 0) {
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
        return;
    }
    stats_add(worker->stats, STAT_MESSAGES_DEFERRED, 1);
}

bool conn_defer_close(struct worker *worker, struct conn *conn, unsigned code) {
    struct conn_deferred *deferred = conn->flags & CONN_DEFERS ? find(worker, conn) : NULL;

    if (deferred == NULL || deferred->length == 0) {
        return false;
    }
    if (!deferred->closed) {
        deferred->closed = true;
        deferred->close_code = code;
    }
    return true;
}

bool conn_defer_pauses(struct worker *worker, struct conn *conn) {
    if (!(conn->flags & CONN_DEFERS) || !full(worker, conn)) {
        return false;
    }
    conn->flags |= CONN_UNREAD;
    if (conn_poll_wait_end(worker, conn) != 0) {
        conn_kill(worker, conn);
    }
    return true;
}

bool conn_defer_turn(struct worker *worker) {
    struct conn_deferrals *all = &worker->conns->deferrals;
    size_t spent = 0;
    struct conn_deferred *first;

    while (spent < TURN_BYTES && (first = TAILQ_FIRST(&all->ready)) != NULL) {
        spent += first->length + STEP_BYTES;
        handle(worker, first);
    }
    return !TAILQ_EMPTY(&all->ready);
}

void conn_defer_forget(struct worker *worker, struct conn *conn) {
    if (!(conn->flags & (CONN_DEFERS | CONN_UNREAD))) {
        return;
    }
    struct conn_deferred *deferred = find(worker, conn);
    conn->flags &= (uint16_t)~CONN_DEFERS;
    if (deferred != NULL && deferred->place != IN_HAND) {
        drop(&worker->conns->deferrals, deferred);
    }
    if (conn->state != CONN_DEAD) {
        read_on(worker, conn);
    }
}

static struct conn_deferred *find(const struct worker *worker, const struct conn *conn) {
    struct conn_deferred *found = NULL;

    HASH_FIND(hh, worker->conns->deferrals.by_index, &conn->self, sizeof(conn->self), found);
    return found;
}

static struct conn_deferred *find_or_new(struct worker *worker, const struct conn *conn) {
    struct conn_deferred *deferred = find(worker, conn);

    if (deferred != NULL) {
        return deferred;
    }
    deferred = calloc(1, sizeof(*deferred));
    if (deferred == NULL) {
        return NULL;
    }
    deferred->index = conn->self;
    HASH_ADD(hh, worker->conns->deferrals.by_index, index, sizeof(deferred->index), deferred);
    if (deferred->hh.tbl == NULL) {
        free(deferred);
        return NULL;
    }
    return deferred;
}

static int append(struct conn_deferrals *all, struct conn_deferred *deferred, struct head head,
                  struct span payload) {
    size_t need = deferred->length + sizeof(head) + payload.length;

    if (need > deferred->capacity) {
        size_t capacity = need < 2 * deferred->capacity ? 2 * deferred->capacity : need;
        unsigned char *bytes = realloc(deferred->bytes, capacity);
        if (bytes == NULL) {
            return -ENOMEM;
        }
        all->bytes += capacity - deferred->capacity;
        deferred->bytes = bytes;
        deferred->capacity = capacity;
    }
    memcpy(deferred->bytes + deferred->length, &head, sizeof(head));
    memcpy(deferred->bytes + deferred->length + sizeof(head), payload.data, payload.length);
    deferred->length = need;
    return 0;
}

static bool full(const struct worker *worker, const struct conn *conn) {
    const struct conn_deferred *deferred = find(worker, conn);

    return worker->conns->deferrals.bytes >= CONN_DEFER_MOST ||
           (deferred != NULL && (deferred->closed || deferred->length >= CONN_DEFER_BYTES));
}

/* What the kernel has kept meanwhile may be its pong. */
static void read_on(struct worker *worker, struct conn *conn) {
    if (!(conn->flags & CONN_UNREAD)) {
        return;
    }
    conn->flags &= (uint16_t)~CONN_UNREAD;
    conn_timers_alive(worker, conn);
    if (!(conn->flags & CONN_BLOCKED) && conn_poll_wait_readable(worker, conn) != 0) {
        conn_kill(worker, conn);
    }
}

/* IN_HAND it stays whatever the messages do to the connection. */
static void handle(struct worker *worker, struct conn_deferred *deferred) {
    struct conn_deferrals *all = &worker->conns->deferrals;
    struct conn *conn = conn_at(worker, deferred->index);
    size_t at = 0;

    TAILQ_REMOVE(&all->ready, deferred, ready);
    deferred->place = IN_HAND;
    conn->flags &= (uint16_t)~CONN_DEFERS;
    while (at < deferred->length && conn_is_open(conn) && !(conn->flags & CONN_DEFERS)) {
        at += handle_next(worker, conn, deferred, at);
    }
    deferred->length -= at;
    memmove(deferred->bytes, deferred->bytes + at, deferred->length);
    deferred->place = KEPT;
    if (!conn_is_open(conn)) {
        drop(all, deferred);
    } else if (!(conn->flags & CONN_DEFERS)) {
        back_to_normal(worker, conn, deferred);
    } else if (!full(worker, conn)) {
        read_on(worker, conn);
    }
}

static size_t handle_next(struct worker *worker, struct conn *conn,
                          const struct conn_deferred *deferred, size_t at) {
    struct head head;

    memcpy(&head, deferred->bytes + at, sizeof(head));
    const struct span text = {(const char *)deferred->bytes + at + sizeof(head), head.length};
    unsigned code = ws_events_text(worker, conn, text, head.deflated);
    if (code != 0) {
        stats_add(worker->stats, STAT_PROTOCOL_ERRORS, code != CLOSE_SERVER_ERROR);
        conn_close(worker, conn, (enum close_code)code, "");
    }
    return sizeof(head) + head.length;
}

static void back_to_normal(struct worker *worker, struct conn *conn,
                           struct conn_deferred *deferred) {
    bool closed = deferred != NULL && deferred->closed;
    unsigned code = closed ? deferred->close_code : 0;

    drop(&worker->conns->deferrals, deferred);
    read_on(worker, conn);
    if (closed) {
        conn_peer_closed(worker, conn, code);
    }
    ws_events_limit_time(worker, conn);
}

static void drop(struct conn_deferrals *all, struct conn_deferred *deferred) {
    if (deferred == NULL) {
        return;
    }
    if (deferred->place == READY) {
        TAILQ_REMOVE(&all->ready, deferred, ready);
    }
    HASH_DEL(all->by_index, deferred);
    all->bytes -= deferred->capacity;
    free(deferred->bytes);
    free(deferred);
}
