/* `authenticate` {token, channels?}: makes the connection a user's, joins the automatic rooms, subscribes to
 * what is asked. On a connection that already is somebody's it only moves the expiry. */
#include "common/clock.h"
#include "common/log.h"
#include "gateway/connection/conn.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"
#include "gateway/message/subscribe.h"

static bool verify(const struct worker *worker, const struct message *message,
                   struct identity *identity, enum error_code *code);
static void refuse(struct worker *worker, struct conn *conn, enum error_code code, const char *ref);
static void log_refusal(const struct conn *conn, enum error_code code);
static void reply_success(struct worker *worker, struct conn *conn, const struct identity *identity,
                          const char *ref);
static void join_automatic_rooms(struct worker *worker, struct conn *conn, const char *ref);
static void join_channels(struct worker *worker, struct conn *conn, const struct message *message);

void handle_authenticate(struct worker *worker, struct conn *conn, const struct message *message) {
    struct identity identity;
    enum error_code code;
    bool first = !conn_authenticated(conn);
    int error;

    if (!verify(worker, message, &identity, &code)) {
        refuse(worker, conn, code, message->ref);
        return;
    }
    error = conn_set_identity(worker, conn, &identity);
    if (error == -EPERM) {
        refuse(worker, conn, ERROR_INVALID_TOKEN, message->ref); /* another user's token */
        return;
    }
    if (error != 0) {
        /* The token is good and we are at fault: the client may try again, and it does not count. */
        reply_auth_failed(worker, conn, ERROR_AUTH_UNAVAILABLE, message->ref);
        return;
    }
    stats_add(worker->stats, STAT_AUTH_SUCCESSES, 1);
    reply_success(worker, conn, &identity, message->ref);
    if (first) {
        join_automatic_rooms(worker, conn, message->ref);
    }
    join_channels(worker, conn, message);
}

static bool verify(const struct worker *worker, const struct message *message,
                   struct identity *identity, enum error_code *code) {
    const cJSON *token;

    if (message_field(message, "token", &token) != 1 || !cJSON_IsString(token)) {
        *code = ERROR_INVALID_TOKEN;
        return false;
    }
    return auth_verify(worker->auth, span_of(token->valuestring), clock_wall_ms(), identity,
                       code) == 0;
}

static void refuse(struct worker *worker, struct conn *conn, enum error_code code,
                   const char *ref) {
    stats_add(worker->stats, STAT_AUTH_FAILURES, 1);
    log_refusal(conn, code);
    reply_auth_failed(worker, conn, code, ref);
    conn_authentication_failed(worker, conn);
}

static void log_refusal(const struct conn *conn, enum error_code code) {
    static struct log_rate rate = {.per_second = 5};
    uint64_t suppressed = 0;

    if (log_rate_allow(&rate, &suppressed)) {
        log_write(LOG_LEVEL_INFO, conn_id(conn), "Token refused: %s (%llu more not logged)",
                  error_code_name(code), (unsigned long long)suppressed);
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
    done = done &&
           cJSON_AddNumberToObject(data, "expiresAt", (double)identity->expires_ms) != NULL &&
           cJSON_AddStringToObject(data, "connectionId", id) != NULL;
    reply_send(worker, conn, "auth_success", reply_data(data, done), ref);
}

static void join_automatic_rooms(struct worker *worker, struct conn *conn, const char *ref) {
    cJSON *data = cJSON_CreateObject();
    cJSON *rooms = cJSON_AddArrayToObject(data, "rooms");
    bool done = rooms != NULL && auto_join_rooms(worker, conn, rooms) == 0;

    /* A client that lacks a room without knowing would wait for ever: then rather close, by reply_send. */
    reply_send(worker, conn, "auto_subscribed", reply_data(data, done), ref);
}

static void join_channels(struct worker *worker, struct conn *conn, const struct message *message) {
    const cJSON *channels = NULL;
    int found = message_field(message, "channels", &channels);

    if (found != 0) {
        subscribe_each(worker, conn, channels, message->ref, subscribe_channel);
    }
}
