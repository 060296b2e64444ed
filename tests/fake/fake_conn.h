/* A connection without a socket, for tests of what lies above gateway/connection/conn.h: it keeps what was
 * sent, which rooms it is in and whether it was closed. Included once per program; defining all functions of
 * conn.h here keeps the archive's own from being linked. */
#ifndef MOONX_TESTS_FAKE_FAKE_CONN_H
#define MOONX_TESTS_FAKE_FAKE_CONN_H

#include "gateway/connection/conn.h"
#include "gateway/delivery/position_claim.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#define FAKE_ROOMS    256
#define FAKE_REPLIES  256
#define FAKE_FAILURES 3

struct conn {
    bool authenticated;
    struct identity identity;
    unsigned identity_calls;
    unsigned room_count;
    char rooms[FAKE_ROOMS][ROOM_NAME_MAX_BYTES + 1];
    unsigned automatic_rooms; /* this many of them do not count against the limit */
    unsigned snapshot_count;  /* rooms whose current values were asked for */
    unsigned reply_count;
    char *texts[FAKE_REPLIES];    /* what was sent, as long as it fits */
    cJSON *replies[FAKE_REPLIES]; /* the same, parsed: at once unless keep_texts */
    bool keep_texts; /* wait for fake_conn_parse(): the test lets cJSON run out of memory */
    unsigned failures;
    bool closed;
    enum close_code close_code;
    const char *join_fails_at; /* a room's name */
    int join_error;
    int identity_error;
    unsigned holds, resumes;
    bool awaits_verdict;
    unsigned moments_over;
    const char *position; /* what it is told; NULL: nothing */
};

static inline void fake_conn_reset_replies(struct conn *conn) {
    for (unsigned i = 0; i < conn->reply_count; i++) {
        cJSON_Delete(conn->replies[i]);
        free(conn->texts[i]);
        conn->replies[i] = NULL;
        conn->texts[i] = NULL;
    }
    conn->reply_count = 0;
}

static inline void fake_conn_reset(struct conn *conn) {
    fake_conn_reset_replies(conn);
    memset(conn, 0, sizeof(*conn));
}

/* What is no JSON stays NULL. */
static inline void fake_conn_parse(struct conn *conn) {
    for (unsigned i = 0; i < conn->reply_count; i++) {
        if (conn->replies[i] == NULL) {
            conn->replies[i] = cJSON_Parse(conn->texts[i]);
        }
    }
}

static inline int fake_conn_find(const struct conn *conn, struct span room) {
    for (unsigned i = 0; i < conn->room_count; i++) {
        if (span_is(room, conn->rooms[i])) {
            return (int)i;
        }
    }
    return -1;
}

uint64_t conn_id(const struct conn *conn) {
    (void)conn;
    return 0xabcdef;
}

uint32_t conn_index(const struct conn *conn) {
    (void)conn;
    return 1;
}

/* The one that is still there when an answer comes; NULL: it has gone. */
static struct conn *fake_conn_there;

struct conn *conn_find(const struct worker *worker, uint32_t index, uint64_t id) {
    (void)worker;
    return index == conn_index(fake_conn_there) && id == conn_id(fake_conn_there) ? fake_conn_there
                                                                                  : NULL;
}

void conn_id_text(const struct conn *conn, char text[CONN_ID_BYTES]) {
    (void)snprintf(text, CONN_ID_BYTES, "c%016llx", (unsigned long long)conn_id(conn));
}

bool conn_authenticated(const struct conn *conn) {
    return conn->authenticated;
}

struct span conn_user_id(const struct worker *worker, const struct conn *conn) {
    (void)worker;
    return span_of(conn->identity.user_id);
}

unsigned conn_roles(const struct worker *worker, const struct conn *conn, struct span *roles,
                    unsigned most) {
    unsigned count = conn->identity.role_count < most ? conn->identity.role_count : most;

    (void)worker;
    for (unsigned i = 0; i < count; i++) {
        roles[i] = span_of(conn->identity.roles[i]);
    }
    return count;
}

struct span conn_room_claims(const struct worker *worker, const struct conn *conn) {
    (void)worker;
    return (struct span){conn->identity.room_claims.texts, conn->identity.room_claims.length};
}

void conn_each_of_user(struct worker *worker, struct span user_id, struct span room,
                       conn_visit *visit, void *context) {
    (void)worker;
    (void)user_id;
    (void)room;
    (void)visit;
    (void)context;
}

int conn_set_identity(struct worker *worker, struct conn *conn, const struct identity *identity) {
    (void)worker;
    conn->identity_calls++;
    if (conn->identity_error != 0) {
        return conn->identity_error;
    }
    if (conn->authenticated && strcmp(conn->identity.user_id, identity->user_id) != 0) {
        return -EPERM;
    }
    conn->identity = *identity;
    conn->authenticated = true;
    return 0;
}

void conn_await_verdict(struct conn *conn) {
    conn->awaits_verdict = !conn->authenticated;
}

void conn_verdict_given(struct worker *worker, struct conn *conn) {
    (void)worker;
    conn->awaits_verdict = false;
}

void conn_authentication_failed(struct worker *worker, struct conn *conn) {
    if (++conn->failures == FAKE_FAILURES) {
        conn_close(worker, conn, CLOSE_POLICY, "Authentication failed");
    }
}

int conn_join(struct worker *worker, struct conn *conn, struct span room) {
    (void)worker;
    if (conn->join_fails_at != NULL && span_is(room, conn->join_fails_at)) {
        return conn->join_error;
    }
    if (fake_conn_find(conn, room) >= 0) {
        return 0;
    }
    if (conn->room_count == FAKE_ROOMS) {
        return -ENOMEM;
    }
    (void)snprintf(conn->rooms[conn->room_count], ROOM_NAME_MAX_BYTES + 1, SPAN_FORMAT,
                   SPAN_ARGS(room));
    conn->room_count++;
    return 1;
}

int conn_leave(struct worker *worker, struct conn *conn, struct span room) {
    int at = fake_conn_find(conn, room);
    unsigned after;

    (void)worker;
    if (at < 0) {
        return 0;
    }
    after = conn->room_count - (unsigned)at - 1;
    memmove(conn->rooms[at], conn->rooms[at + 1], after * sizeof(conn->rooms[0]));
    conn->room_count--;
    return 1;
}

void conn_send_snapshot(struct worker *worker, struct conn *conn, struct span room) {
    (void)worker;
    assert(fake_conn_find(conn, room) >= 0);
    conn->snapshot_count++;
}

bool conn_in_room(const struct worker *worker, const struct conn *conn, struct span room) {
    (void)worker;
    return fake_conn_find(conn, room) >= 0;
}

void conn_each_room(const struct worker *worker, const struct conn *conn, conn_room_visit *visit,
                    void *context) {
    (void)worker;
    for (unsigned i = 0; i < conn->room_count; i++) {
        visit(context, span_of(conn->rooms[i]));
    }
}

unsigned conn_room_count(const struct worker *worker, const struct conn *conn) {
    (void)worker;
    return conn->room_count > conn->automatic_rooms ? conn->room_count - conn->automatic_rooms : 0;
}

bool conn_position(struct worker *worker, const struct conn *conn, struct span *out) {
    (void)worker;
    if (conn->position == NULL || conn->holds > conn->resumes) {
        return false;
    }
    *out = span_of(conn->position);
    return true;
}

void conn_hold(struct worker *worker, struct conn *conn) {
    (void)worker;
    conn->holds++;
}

void conn_hold_a_moment(struct worker *worker, struct conn *conn) {
    conn_hold(worker, conn);
}

void conn_moment_over(struct worker *worker, struct conn *conn) {
    (void)worker;
    conn->moments_over++;
}

void conn_answered(struct worker *worker, struct conn *conn) {
    (void)worker;
    (void)conn;
}

void conn_resume(struct worker *worker, struct conn *conn, struct position_claim *claim,
                 const char *ref) {
    conn->resumes++;
    position_claim_free(claim);
    reply_resumed(worker, conn, NULL, 0, ref);
}

void conn_send_text(struct worker *worker, struct conn *conn, struct span payload) {
    (void)worker;
    if (!conn->closed && conn->reply_count < FAKE_REPLIES) {
        conn->texts[conn->reply_count] = strndup(payload.data, payload.length);
        conn->reply_count++;
        if (!conn->keep_texts) {
            fake_conn_parse(conn);
        }
    }
}

void conn_close(struct worker *worker, struct conn *conn, enum close_code code,
                const char *reason) {
    (void)worker;
    (void)reason;
    if (!conn->closed) {
        conn->closed = true;
        conn->close_code = code;
    }
}

#endif
