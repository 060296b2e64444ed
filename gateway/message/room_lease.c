#include "gateway/message/room_lease.h"

#include "common/clock.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/notice.h"

#include <event2/event.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* else uthash ends the process when memory is out */
#include <uthash.h>

#define RETRY_MS 5000 /* the service is away */
#define SPREAD_MS                                                                                  \
    500 /* what was allowed in one moment is not asked about again in one moment either */

struct lease {
    struct worker *worker;
    struct event *timer;
    bool asked;      /* an answer is awaited */
    bool abandoned;  /* and nobody wants it any more */
    size_t user_end; /* in text[]: behind the user id and its NUL, where the room begins */
    UT_hash_handle hh;
    size_t length;
    char text[]; /* user id, NUL, room */
};

static struct lease *leases; /* uthash; one worker a process */

static struct lease *lease_new(struct worker *worker, const char *text, size_t length,
                               size_t user_end);
static void end(struct lease *lease);
static struct auth_rooms_question question_of(const struct lease *lease);
static void look(evutil_socket_t fd, short what, void *context);
static uint64_t ask(struct lease *lease);
static void on_answer(void *context, enum policy_result result);
static void settle(struct lease *lease, enum policy_result result, uint64_t left_ms);
static void revoke(struct lease *lease);
static int look_again(struct lease *lease, uint64_t in_ms);

int room_lease_join(struct worker *worker, struct conn *conn, struct span room) {
    if (policy_ask_rules(worker, conn, POLICY_JOIN, room) &&
        room_lease_hold(worker, conn, room) != 0) {
        return -ENOMEM;
    }
    return conn_join(worker, conn, room);
}

int room_lease_hold(struct worker *worker, const struct conn *conn, struct span room) {
    char text[2 * (ROOM_NAME_MAX_BYTES + 1)];
    struct span user_id = conn_user_id(worker, conn);
    size_t user_end = user_id.length + 1, length = user_end + room.length;
    struct lease *lease;
    uint64_t left_ms = 0;

    memcpy(text, user_id.data, user_id.length);
    text[user_id.length] = '\0';
    memcpy(text + user_end, room.data, room.length);
    HASH_FIND(hh, leases, text, length, lease);
    if (lease != NULL) {
        return 0;
    }
    lease = lease_new(worker, text, length, user_end);
    if (lease == NULL) {
        return -ENOMEM;
    }
    const struct auth_rooms_question question = question_of(lease);
    if (auth_rooms_recall(auth_rooms(worker->auth), &question, &left_ms) == POLICY_LATER) {
        left_ms = 0; /* a reload has made it so: soon */
    }
    if (look_again(lease, left_ms) != 0) {
        end(lease);
        return -ENOMEM;
    }
    return 0;
}

void room_lease_stop(void) {
    struct lease *lease, *next;

    HASH_ITER(hh, leases, lease, next) {
        end(lease);
    }
}

static struct lease *lease_new(struct worker *worker, const char *text, size_t length,
                               size_t user_end) {
    struct lease *lease = calloc(1, sizeof(*lease) + length + 1);

    if (lease == NULL) {
        return NULL;
    }
    lease->worker = worker;
    lease->user_end = user_end;
    lease->length = length;
    memcpy(lease->text, text, length);
    lease->timer = evtimer_new(worker->base, look, lease);
    if (lease->timer != NULL) {
        HASH_ADD(hh, leases, text, lease->length, lease);
    }
    if (lease->timer == NULL || lease->hh.tbl == NULL) {
        if (lease->timer != NULL) {
            event_free(lease->timer);
        }
        free(lease);
        return NULL;
    }
    return lease;
}

/* One whose answer is still to come is freed by it. */
static void end(struct lease *lease) {
    /* what is freed is out of the table: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_DEL(leases, lease);
    event_free(lease->timer);
    lease->abandoned = true;
    if (!lease->asked) {
        free(lease);
    }
}

static struct auth_rooms_question question_of(const struct lease *lease) {
    return (struct auth_rooms_question){.action = POLICY_JOIN,
                                        .user_id = span_of(lease->text),
                                        .room = span_of(lease->text + lease->user_end)};
}

static void found_one(struct worker *worker, struct conn *conn, void *context) {
    bool *found = context;

    (void)worker;
    (void)conn;
    *found = true;
}

static void look(evutil_socket_t fd, short what, void *context) {
    struct lease *lease = context;
    const struct auth_rooms_question question = question_of(lease);
    struct auth_rooms *rooms = auth_rooms(lease->worker->auth);
    enum policy_result result;
    uint64_t left_ms = 0;
    bool here = false;

    (void)fd;
    (void)what;
    if (lease->asked) {
        return;
    }
    conn_each_of_user(lease->worker, question.user_id, question.room, found_one, &here);
    if (!here || rooms == NULL) {
        end(lease);
        return;
    }
    result = auth_rooms_recall(rooms, &question, &left_ms);
    if (result == POLICY_LATER) {
        left_ms = ask(lease);
        result = POLICY_UNAVAILABLE;
    }
    if (!lease->asked) {
        settle(lease, result, left_ms);
    }
}

/* After so many ms it is time to look again, if the question could not be put. */
static uint64_t ask(struct lease *lease) {
    static uint64_t second;
    static unsigned asked;
    const struct auth_rooms_question question = question_of(lease);
    uint64_t now_s = clock_mono_ms() / 1000;

    if (now_s != second) {
        second = now_s;
        asked = 0;
    }
    if (asked == ROOM_LEASE_QUESTIONS_PER_SECOND) {
        return 1000;
    }
    asked++;
    lease->asked =
        auth_rooms_ask(auth_rooms(lease->worker->auth), &question, on_answer, lease) == 0;
    return RETRY_MS;
}

static void on_answer(void *context, enum policy_result result) {
    struct lease *lease = context;
    const struct auth_rooms_question question = question_of(lease);
    uint64_t left_ms = RETRY_MS;

    lease->asked = false;
    if (lease->abandoned) {
        free(lease);
        return;
    }
    if (result == POLICY_ALLOW) {
        (void)auth_rooms_recall(auth_rooms(lease->worker->auth), &question, &left_ms);
    }
    settle(lease, result, left_ms);
}

static void settle(struct lease *lease, enum policy_result result, uint64_t left_ms) {
    /* Who can't look again revokes, rather than let it stand for ever. */
    if (result == POLICY_DENY || look_again(lease, left_ms) != 0) {
        revoke(lease);
        end(lease);
    }
}

static void take_out(struct worker *worker, struct conn *conn, void *context) {
    const struct lease *lease = context;
    struct span room = span_of(lease->text + lease->user_end);

    if (conn_leave(worker, conn, room) == 1) {
        stats_add(worker->stats, STAT_ROOMS_REVOKED, 1);
        notice_revoked(worker, conn, room.data);
    }
}

static void revoke(struct lease *lease) {
    conn_each_of_user(lease->worker, span_of(lease->text), span_of(lease->text + lease->user_end),
                      take_out, lease);
}

static int look_again(struct lease *lease, uint64_t in_ms) {
    uint64_t due_ms = in_ms + 1 + (uint64_t)random() % SPREAD_MS;
    const struct timeval due = {.tv_sec = (time_t)(due_ms / 1000),
                                .tv_usec = (suseconds_t)(due_ms % 1000 * 1000)};

    return evtimer_add(lease->timer, &due);
}
