#include "gateway/connection/conn_revoke.h"

#include "common/log.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "gateway/message/reply.h"

#include <stdio.h>

/* So many changes are looked for in one walk over the connections. */
#define BATCH 16u
/* A walk's share of a turn: looking costs some 50 ns a connection, shutting one some microseconds. */
#define SLICE_LOOKS 20000u
#define SLICE_SHUT  256u

/* Changes that name no user: every connection must be looked at. Meanwhile nothing else is followed; who signs in is
 * asked about by the table itself. */
static struct {
    uint32_t next; /* index of the next connection; 0: no walk */
    unsigned count;
    struct revocations_change changes[BATCH]; /* 6 KB; one worker a process */
    bool everything; /* changes were missed: the table itself is asked about each connection */
} walk;

static void take_changes(struct worker *worker, uint64_t newest);
static bool apply(struct worker *worker, const struct revocations_change *change);
static void close_user(struct worker *worker, const struct revocations_change *change);
static void walk_on(struct worker *worker);

void conn_revoke_start(struct worker *worker) {
    walk.next = 0;
    if (worker->view.revocations.header != NULL) {
        worker->revocations_seen = revocations_sequence(&worker->view.revocations);
    }
}

bool conn_revoke_follow(struct worker *worker) {
    const struct revocations *table = &worker->view.revocations;
    uint64_t newest = table->header == NULL ? 0 : revocations_sequence(table);

    if (walk.next == 0 && worker->revocations_seen < newest) {
        take_changes(worker, newest);
    }
    if (walk.next != 0) {
        walk_on(worker);
    }
    return walk.next != 0 || worker->revocations_seen < newest;
}

static void take_changes(struct worker *worker, uint64_t newest) {
    const struct revocations *table = &worker->view.revocations;

    walk.count = 0;
    walk.everything = newest - worker->revocations_seen > REVOCATIONS_CHANGES;
    while (worker->revocations_seen < newest && !walk.everything && walk.count < BATCH) {
        struct revocations_change *change = &walk.changes[walk.count];
        walk.everything = !revocations_change(table, worker->revocations_seen + 1, change);
        worker->revocations_seen += !walk.everything;
        walk.count += !walk.everything && !apply(worker, change);
    }
    if (walk.everything) {
        log_warn("revocations %llu to %llu came too fast: all connections are checked, disconnects "
                 "among them are lost",
                 (unsigned long long)worker->revocations_seen + 1, (unsigned long long)newest);
        worker->revocations_seen = newest;
    }
    walk.next = walk.count > 0 || walk.everything;
}

static void shut_revoked(struct worker *worker, struct conn *conn) {
    stats_add(worker->stats, STAT_REVOKED_CLOSED, 1);
    reply_auth_failed(worker, conn, ERROR_TOKEN_REVOKED, NULL);
    conn_close(worker, conn, CLOSE_POLICY, "Token revoked");
}

static void shut_disconnected(struct worker *worker, struct conn *conn,
                              const struct revocations_change *change) {
    char reason[REVOCATIONS_REASON_BYTES + 1] = "Disconnected";
    if (change->reason_length > 0) {
        snprintf(reason, sizeof reason, "%.*s", (int)change->reason_length, change->reason);
    }
    stats_add(worker->stats, STAT_DISCONNECTED, 1);
    conn_close(worker, conn, CLOSE_POLICY, reason);
}

/* True: done; false: the connections must be walked for it. */
static bool apply(struct worker *worker, const struct revocations_change *change) {
    switch ((enum revocation_kind)change->kind) {
    case REVOCATION_USER:
    case REVOCATION_USER_BEFORE:
    case REVOCATION_DISCONNECT_USER:
        close_user(worker, change);
        return true;
    case REVOCATION_SESSION:
    case REVOCATION_TOKEN:
    case REVOCATION_ALL_BEFORE:
    case REVOCATION_DISCONNECT_CONNECTION:
        break;
    }
    return false;
}

static void close_user(struct worker *worker, const struct revocations_change *change) {
    struct span id = {change->name, change->name_length};
    uint64_t hash = room_name_hash(&worker->view.segment.header->hash_key, id);
    const struct user *user = user_find(&worker->fanout->users, hash, id);
    uint32_t index = user != NULL ? user->first_conn : 0;

    while (index != 0) { /* nobody leaves the list before the turn's end (conn_reap) */
        struct conn *conn = conn_at(worker, index);
        index = conn->user_next;
        if (!conn_authenticated(conn)) {
            continue;
        }
        if (change->kind == REVOCATION_DISCONNECT_USER) {
            shut_disconnected(worker, conn, change);
        } else if (conn_marks_of(&worker->conns->marks, conn->self)->issued_ms <
                   change->before_ms) {
            shut_revoked(worker, conn);
        }
    }
}

static bool concerns(const struct revocations_change *change, const struct conn *conn,
                     const struct revocation_marks *marks) {
    char id[CONN_ID_BYTES];

    switch ((enum revocation_kind)change->kind) {
    case REVOCATION_SESSION:
        return marks->session_key == change->key;
    case REVOCATION_TOKEN:
        return marks->token_key == change->key;
    case REVOCATION_ALL_BEFORE:
        return marks->issued_ms < change->before_ms;
    case REVOCATION_DISCONNECT_CONNECTION:
        conn_id_text(conn, id);
        return span_is((struct span){change->name, change->name_length}, id);
    default:
        return false;
    }
}

/* True: it was shut. */
static bool look_at(struct worker *worker, struct conn *conn) {
    const struct revocation_marks *marks = conn_marks_of(&worker->conns->marks, conn->self);

    for (unsigned i = 0; i < walk.count; i++) {
        if (!concerns(&walk.changes[i], conn, marks)) {
            continue;
        }
        if (walk.changes[i].kind == REVOCATION_DISCONNECT_CONNECTION) {
            shut_disconnected(worker, conn, &walk.changes[i]);
        } else {
            shut_revoked(worker, conn);
        }
        return true;
    }
    if (walk.everything && revocation_stands(worker, conn_user_id(worker, conn), marks)) {
        shut_revoked(worker, conn);
        return true;
    }
    return false;
}

static void walk_on(struct worker *worker) {
    const struct slab *conns = &worker->conns->slab;
    unsigned looks = 0, shut = 0;

    for (; walk.next < conns->next_new && looks < SLICE_LOOKS && shut < SLICE_SHUT; walk.next++) {
        struct conn *conn = conn_at(worker, walk.next);
        looks++;
        shut += conn_authenticated(conn) && look_at(worker, conn);
    }
    if (walk.next >= conns->next_new) {
        walk.next = 0;
    }
}
