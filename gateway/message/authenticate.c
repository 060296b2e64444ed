#include "gateway/message/authenticate.h"

#include "common/log.h"
#include "gateway/access/revocation.h"
#include "gateway/connection/conn.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/reply.h"
#include "gateway/message/room_review.h"

/* Passed through conn_each_room(). */
struct joiner {
    struct worker *worker;
    struct conn *conn;
};

static void reply_success(struct worker *worker, struct conn *conn, const struct identity *identity,
                          const char *ref);
static void join_automatic_rooms(struct worker *worker, struct conn *conn, const char *ref);
static void send_snapshot(void *context, struct span room);

bool authenticate_accept(struct worker *worker, struct conn *conn, const struct identity *identity,
                         enum authenticate_then then, const char *ref) {
    bool first = !conn_authenticated(conn);
    enum error_code code = revocation_check(worker, identity);
    int error;

    if (code != ERROR_CODE_COUNT) {
        authenticate_refuse(worker, conn, code, ref);
        return false;
    }
    error = conn_set_identity(worker, conn, identity);
    if (error == -EPERM) {
        authenticate_refuse(worker, conn, ERROR_INVALID_TOKEN, ref); /* another user's token */
        return false;
    }
    if (error == -EDQUOT) {
        reply_error(worker, conn, ERROR_RATE_LIMIT_EXCEEDED, "Too many connections of this user",
                    ref);
        conn_close(worker, conn, CLOSE_POLICY, "Too many connections");
        return false;
    }
    if (error != 0) {
        /* The token is good and we are at fault: the client may try again. */
        authenticate_refuse(worker, conn, ERROR_AUTH_UNAVAILABLE, ref);
        return false;
    }
    stats_add(worker->stats, STAT_AUTH_SUCCESSES, 1);
    reply_success(worker, conn, identity, ref);
    if (then == AUTHENTICATE_THEN_RESUME) {
        conn_hold(worker, conn);
    } else if (first) {
        conn_hold_a_moment(worker, conn);
    }
    if (first) {
        join_automatic_rooms(worker, conn, ref);
    } else {
        (void)room_review(worker, conn); /* the new token may allow less */
    }
    return true;
}

void authenticate_refuse(struct worker *worker, struct conn *conn, enum error_code code,
                         const char *ref) {
    if (code == ERROR_AUTH_UNAVAILABLE) {
        reply_auth_failed(worker, conn, code, ref);
        return;
    }
    authenticate_count_refusal(worker, conn, code);
    reply_auth_failed(worker, conn, code, ref);
    conn_authentication_failed(worker, conn);
}

void authenticate_count_refusal(struct worker *worker, const struct conn *conn,
                                enum error_code code) {
    static struct log_rate rate = {.per_second = 5};

    stats_add(worker->stats, STAT_AUTH_FAILURES, 1);
    if (log_rate_allow(&rate)) {
        log_write(LOG_LEVEL_INFO, conn_id(conn), "Token refused: %s%s", error_code_name(code),
                  rate.left_out);
    }
}

static void reply_success(struct worker *worker, struct conn *conn, const struct identity *identity,
                          const char *ref) {
    cJSON *data = cJSON_CreateObject();
    cJSON *user = cJSON_AddObjectToObject(data, "user");
    cJSON *roles;
    char id[CONN_ID_BYTES];
    bool done;

    conn_id_text(conn, id);
    done = cJSON_AddStringToObject(user, "id", identity->user_id) != NULL &&
           cJSON_AddStringToObject(user, "email", identity->email) != NULL &&
           (roles = cJSON_AddArrayToObject(user, "roles")) != NULL;
    for (unsigned i = 0; done && i < identity->role_count; i++) {
        done = cJSON_AddItemToArray(roles, cJSON_CreateString(identity->roles[i]));
    }
    done = done && reply_add_integer(data, "expiresAt", identity->expires_ms) &&
           cJSON_AddStringToObject(data, "connectionId", id) != NULL;
    reply_send(worker, conn, "auth_success", reply_data(data, done), ref);
}

static void join_automatic_rooms(struct worker *worker, struct conn *conn, const char *ref) {
    cJSON *data = cJSON_CreateObject();
    cJSON *rooms = cJSON_AddArrayToObject(data, "rooms");
    bool done = rooms != NULL && auto_join_rooms(worker, conn, rooms) == 0 &&
                reply_add_position(worker, conn, data);

    /* A client that lacks a room without knowing would wait for ever: then rather close, by reply_send. */
    reply_send(worker, conn, "auto_subscribed", reply_data(data, done), ref);
    if (done) {
        struct joiner joiner = {worker, conn};
        conn_each_room(worker, conn, send_snapshot, &joiner);
    }
}

static void send_snapshot(void *context, struct span room) {
    const struct joiner *joiner = context;

    conn_send_snapshot(joiner->worker, joiner->conn, room);
}
