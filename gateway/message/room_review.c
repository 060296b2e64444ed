#include "gateway/message/room_review.h"

#include "common/room_name.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn_table.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/notice.h"
#include "gateway/message/room_lease.h"

#include <stdlib.h>

struct review {
    struct worker *worker;
    const struct conn *conn;
    unsigned count;
    char (*names)[ROOM_NAME_MAX_BYTES + 1]; /* of those to leave; as many as it is in */
};

static void look_at_room(void *context, struct span room);
static bool may_stay(const struct review *review, struct span room);

unsigned room_review(struct worker *worker, struct conn *conn) {
    struct review review = {.worker = worker, .conn = conn};

    if (!conn_authenticated(conn) || conn->room_count == 0) {
        return 0;
    }
    review.names = calloc(conn->room_count, sizeof(*review.names));
    if (review.names == NULL) {
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
        return 0;
    }
    conn_each_room(worker, conn, look_at_room, &review);
    for (unsigned i = 0; i < review.count; i++) {
        conn_leave(worker, conn, span_of(review.names[i]));
        notice_revoked(worker, conn, review.names[i]);
    }
    stats_add(worker->stats, STAT_ROOMS_REVOKED, review.count);
    free(review.names);
    return review.count;
}

static void look_at_room(void *context, struct span room) {
    struct review *review = context;

    if (!may_stay(review, room)) {
        char *name = review->names[review->count++];
        memcpy(name, room.data, room.length);
        name[room.length] = '\0';
    }
}

static bool may_stay(const struct review *review, struct span room) {
    struct worker *worker = review->worker;
    const struct conn *conn = review->conn;
    enum policy_result result = policy_ask_now(worker, conn, POLICY_JOIN, room);

    /* what the operator has it join by itself needs no line in the table (auto_join.h) */
    if (result == POLICY_UNKNOWN) {
        return auto_join_names(worker->options->auto_join_rooms, conn_user_id(worker, conn), room);
    }
    if (result != POLICY_ALLOW && result != POLICY_LATER) {
        return false;
    }
    /* the auth service is asked soon, or again when its last answer has run out */
    return !policy_ask_rules(worker, conn, POLICY_JOIN, room) ||
           room_lease_hold(worker, conn, room) == 0;
}
