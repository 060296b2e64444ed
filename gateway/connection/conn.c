#include "gateway/connection/conn.h"

#include "common/clock.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_tcp.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/catchup_resume.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/loss.h"
#include "gateway/delivery/position.h"
#include "gateway/delivery/position_claim.h"
#include "gateway/presence/presence.h"

#include <stdio.h>

#define MAX_FAILURES 3

void conn_id_text(const struct conn *conn, char text[CONN_ID_BYTES]) {
    snprintf(text, CONN_ID_BYTES, "c%016llx", (unsigned long long)conn->id);
}

uint64_t conn_id(const struct conn *conn) {
    return conn->id;
}

uint32_t conn_index(const struct conn *conn) {
    return conn->self;
}

struct conn *conn_find(const struct worker *worker, uint32_t index, uint64_t id) {
    struct conn *conn = conn_at(worker, index);
    return conn_is_open(conn) && conn->id == id ? conn : NULL;
}

bool conn_authenticated(const struct conn *conn) {
    return conn->state == CONN_LIVE || conn->state == CONN_CATCHING;
}

struct span conn_user_id(const struct worker *worker, const struct conn *conn) {
    return conn->user != 0 ? user_id(&worker->fanout->users, conn->user) : (struct span){"", 0};
}

unsigned conn_roles(const struct worker *worker, const struct conn *conn, struct span *roles,
                    unsigned most) {
    return role_set_list(&worker->conns->roles, conn->roles, roles, most);
}

struct span conn_room_claims(const struct worker *worker, const struct conn *conn) {
    return role_set_claims(&worker->conns->roles, conn->roles);
}

static uint64_t hash_of(const struct worker *worker, struct span key) {
    return room_name_hash(&worker->view.segment.header->hash_key, key);
}

/* A token accepted in its leeway would expire at once: it gets the leeway to live. */
static int64_t expiry_of(const struct worker *worker, const struct identity *identity) {
    int64_t expires = identity->expires_ms;
    return expires > clock_wall_ms() ? expires
                                     : expires + worker->options->jwt_leeway_seconds * 1000;
}

static int become_user(struct worker *worker, struct conn *conn, struct span id) {
    if (!middleware_identity(worker, conn, id)) {
        return -EDQUOT;
    }
    int error = user_add_conn(&worker->fanout->users, conn, hash_of(worker, id), id);
    if (error == 0) {
        conn_set_state(worker, conn, CONN_LIVE);
        conn_timers_set_deadline(worker, conn, 0);
        conn->failures = 0;
        presence_came(worker->presence, conn);
    }
    return error;
}

/* Before anything else of the new token counts. */
static int remember_token(struct worker *worker, const struct conn *conn,
                          const struct identity *identity) {
    struct revocation_marks marks;
    revocation_marks_of(worker, identity, &marks);
    return conn_marks_set(&worker->conns->marks, conn->self, &marks);
}

int conn_set_identity(struct worker *worker, struct conn *conn, const struct identity *identity) {
    struct span id = span_of(identity->user_id);
    if (conn->user != 0 && !span_equal(id, conn_user_id(worker, conn))) {
        return -EPERM;
    }
    uint32_t roles;
    int error = remember_token(worker, conn, identity);
    error = error != 0 ? error : role_set_ref(&worker->conns->roles, identity, &roles);
    if (error == 0 && conn->user == 0) {
        error = become_user(worker, conn, id);
        if (error != 0) {
            role_set_unref(&worker->conns->roles, roles);
        }
    }
    if (error != 0) {
        return error;
    }
    role_set_unref(&worker->conns->roles, conn->roles);
    conn->roles = roles;
    conn_timers_set_expiry(worker, conn, expiry_of(worker, identity));
    return 0;
}

void conn_await_verdict(struct conn *conn) {
    if (conn->state == CONN_PENDING) {
        conn_defer_begin(conn);
    }
}

void conn_verdict_given(struct worker *worker, struct conn *conn) {
    conn_defer_end(worker, conn);
}

void conn_authentication_failed(struct worker *worker, struct conn *conn) {
    if (++conn->failures >= MAX_FAILURES) {
        conn_close(worker, conn, CLOSE_POLICY, "Authentication failed");
    }
}

/* 1: changed; 0: it was so already. */
static int set_personal(struct conn *conn, enum room_kind kind, bool joined) {
    uint8_t bit = (uint8_t)ROOM_KIND_BIT(kind);
    if (((conn->personal & bit) != 0) == joined) {
        return 0;
    }
    conn->personal ^= bit;
    return 1;
}

int conn_join(struct worker *worker, struct conn *conn, struct span room) {
    struct span key;
    enum room_kind kind = room_name_kind(room, &key);
    int joined;
    if (conn->state == CONN_CATCHING) {
        catchup_before_join(worker, conn);
    }
    if (kind == ROOM_PLAIN) {
        joined = room_join(&worker->fanout->rooms, conn, hash_of(worker, key), key);
    } else if (conn->user == 0 || !span_equal(key, conn_user_id(worker, conn))) {
        return -EPERM;
    } else {
        joined = set_personal(conn, kind, true);
    }
    if (joined == 1) {
        conn->room_count++;
    }
    return joined;
}

int conn_leave(struct worker *worker, struct conn *conn, struct span room) {
    struct span key;
    enum room_kind kind = room_name_kind(room, &key);
    int left = 0;
    if (kind == ROOM_PLAIN) {
        left = room_leave(&worker->fanout->rooms, conn, hash_of(worker, key), key);
    } else if (conn->user != 0 && span_equal(key, conn_user_id(worker, conn))) {
        left = set_personal(conn, kind, false);
    }
    if (left == 1) {
        conn->room_count--;
    }
    return left;
}

bool conn_in_room(const struct worker *worker, const struct conn *conn, struct span room) {
    struct span key;
    enum room_kind kind = room_name_kind(room, &key);
    if (kind == ROOM_PLAIN) {
        return room_has(&worker->fanout->rooms, conn, hash_of(worker, key), key);
    }
    return (conn->personal & ROOM_KIND_BIT(kind)) && span_equal(key, conn_user_id(worker, conn));
}

void conn_each_room(const struct worker *worker, const struct conn *conn, conn_room_visit *visit,
                    void *context) {
    struct span user = conn_user_id(worker, conn);
    for (int kind = ROOM_USER; kind < ROOM_KIND_COUNT; kind++) {
        if (conn->personal & ROOM_KIND_BIT(kind)) {
            char name[ROOM_NAME_MAX_BYTES + 1];
            int length = snprintf(name, sizeof name, "%s" SPAN_FORMAT,
                                  room_name_prefix((enum room_kind)kind), SPAN_ARGS(user));
            visit(context, (struct span){name, (size_t)length});
        }
    }
    room_each(&worker->fanout->rooms, conn, visit, context);
}

void conn_each_of_user(struct worker *worker, struct span id, struct span room, conn_visit *visit,
                       void *context) {
    const struct user *user = user_find(&worker->fanout->users, hash_of(worker, id), id);
    uint32_t next = user != NULL ? user->first_conn : 0;
    while (next != 0) {
        struct conn *conn = conn_at(worker, next);
        next = conn->user_next;
        if (conn_authenticated(conn) && conn_in_room(worker, conn, room)) {
            visit(worker, conn, context);
        }
    }
}

void conn_send_snapshot(struct worker *worker, struct conn *conn, struct span room) {
    snapshot_send(worker, conn, room);
}

unsigned conn_room_count(const struct worker *worker, const struct conn *conn) {
    unsigned automatic = worker->conns->auto_room_count;
    return conn->room_count > automatic ? conn->room_count - automatic : 0;
}

void conn_hold(struct worker *worker, struct conn *conn) {
    (void)catchup_hold(worker, conn, 0); /* without memory: live, and conn_resume() closes it */
}

void conn_hold_a_moment(struct worker *worker, struct conn *conn) {
    uint64_t grace_ms = CATCHUP_GRACE_MS + 2 * conn_tcp_look(conn->fd).round_trip_ms;
    (void)catchup_hold(worker, conn,
                       grace_ms < CATCHUP_GRACE_MOST_MS ? grace_ms : CATCHUP_GRACE_MOST_MS);
}

void conn_moment_over(struct worker *worker, struct conn *conn) {
    catchup_resume_not_asked(worker, conn);
}

void conn_answered(struct worker *worker, struct conn *conn) {
    catchup_resume_answered(worker, conn);
}

void conn_resume(struct worker *worker, struct conn *conn, struct position_claim *claim,
                 const char *ref) {
    if (conn_authenticated(conn)) {
        catchup_resume(worker, conn, claim, ref);
    } else {
        position_claim_free(claim); /* it is closing */
    }
}

static void add_room(void *context, struct span room) {
    position_rooms_add(context, room);
}

bool conn_position(struct worker *worker, const struct conn *conn, struct span *out) {
    uint64_t cursor = POSITION_NOW;
    bool known = conn->state == CONN_LIVE ||
                 (conn->state == CONN_CATCHING && catchup_told(worker, conn, &cursor));
    if (!known) {
        return false;
    }
    if (loss_is_owed(worker) || worker->position->behind) {
        return false;
    }
    struct position_rooms rooms = {.view = worker->position};
    position_refresh(worker->position);
    conn_each_room(worker, conn, add_room, &rooms);
    return position_text(worker->position, &rooms, cursor, out);
}
