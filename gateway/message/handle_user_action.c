/* `user_action` {action, targetId, targetType, metadata?}: to everybody in `user_actions`, with the caller's userId set
 * here. Answered with `action_completed` {action, targetId, result, timestamp}. */
#include "gateway/message/publish.h"

#include "common/clock.h"
#include "gateway/connection/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TARGET_MAX_BYTES 512
#define DATA_OVERHEAD    256 /* names, quotes, user id and the time */

struct request {
    struct json_value action, target_type, metadata; /* metadata: JSON_NULL when absent */
    struct span target;                              /* a string with its quotes, or a number */
};

static bool read_request(struct json_value object, struct request *out);
static bool read_word(struct json_value object, const char *name, const char *const *words,
                      struct json_value *out);
static bool read_target(struct json_value object, struct span *out);
static bool read_metadata(struct json_value object, struct json_value *out);
static void send_it(struct worker *worker, struct conn *conn, const struct message *message,
                    const struct request *request);
static char *make_data(const struct request *request, struct span user, int64_t now_ms,
                       size_t *length);
static cJSON *make_answer(const struct request *request, int64_t now_ms);

static const char *const actions[] = {"like", "comment", "share", "follow", NULL};
static const char *const target_types[] = {"post", "user", "token", NULL};

/* What asks another service about it stands between the two: it keeps the message's text, and sends when it has its
 * answer. */
void handle_user_action(struct worker *worker, struct conn *conn, const struct message *message) {
    struct request request;

    if (read_request(message->text, &request)) {
        send_it(worker, conn, message, &request);
    } else {
        reply_error(worker, conn, ERROR_INVALID_ACTION_DATA, NULL, message->ref);
    }
}

static bool read_request(struct json_value object, struct request *out) {
    return read_word(object, "action", actions, &out->action) &&
           read_word(object, "targetType", target_types, &out->target_type) &&
           read_target(object, &out->target) && read_metadata(object, &out->metadata);
}

static bool read_word(struct json_value object, const char *name, const char *const *words,
                      struct json_value *out) {
    if (json_get(object, name, out) != 1 || out->type != JSON_STRING) {
        return false;
    }
    for (; *words != NULL; words++) {
        if (span_is(out->text, *words)) {
            return true;
        }
    }
    return false;
}

static bool read_target(struct json_value object, struct span *out) {
    struct json_value target;

    if (json_get(object, "targetId", &target) != 1 || target.text.length == 0 ||
        target.text.length > TARGET_MAX_BYTES) {
        return false;
    }
    if (target.type == JSON_STRING) { /* its quotes stand around it */
        *out = (struct span){target.text.data - 1, target.text.length + 2};
        return true;
    }
    *out = target.text;
    return target.type == JSON_NUMBER;
}

static bool read_metadata(struct json_value object, struct json_value *out) {
    int found = json_get(object, "metadata", out);

    if (found == 0) {
        out->type = JSON_NULL;
    }
    return found >= 0 && (out->type == JSON_NULL || out->type == JSON_OBJECT);
}

static void send_it(struct worker *worker, struct conn *conn, const struct message *message,
                    const struct request *request) {
    int64_t now_ms = (int64_t)clock_wall_ms();
    struct publish_event event = {.room = SPAN_LITERAL("user_actions"),
                                  .type = SPAN_LITERAL("user_action")};
    char *data = make_data(request, conn_user_id(worker, conn), now_ms, &event.data.length);

    if (data == NULL) {
        reply_error(worker, conn, ERROR_ACTION_PROCESSING_ERROR, NULL, message->ref);
        return;
    }
    event.data.data = data;
    publish_send(worker, conn, message, &event,
                 (struct publish_answer){.type = "action_completed",
                                         .data = make_answer(request, now_ms),
                                         .failure = ERROR_ACTION_FAILED});
    free(data);
}

static char *make_data(const struct request *request, struct span user, int64_t now_ms,
                       size_t *length) {
    struct span metadata =
        request->metadata.type == JSON_OBJECT ? request->metadata.text : SPAN_LITERAL("{}");
    size_t size = DATA_OVERHEAD + request->target.length + user.length + metadata.length;
    char *data = malloc(size);

    if (data != NULL) {
        *length = (size_t)snprintf(data, size,
                                   "{\"action\":\"" SPAN_FORMAT "\",\"targetId\":" SPAN_FORMAT
                                   ",\"targetType\":\"" SPAN_FORMAT "\",\"userId\":\"" SPAN_FORMAT
                                   "\",\"metadata\":" SPAN_FORMAT ",\"timestamp\":%" PRId64 "}",
                                   SPAN_ARGS(request->action.text), SPAN_ARGS(request->target),
                                   SPAN_ARGS(request->target_type.text), SPAN_ARGS(user),
                                   SPAN_ARGS(metadata), now_ms);
    }
    return data;
}

static cJSON *make_answer(const struct request *request, int64_t now_ms) {
    char action[16], target[TARGET_MAX_BYTES + 3];
    cJSON *data = cJSON_CreateObject(), *result = cJSON_AddObjectToObject(data, "result");
    bool done = result != NULL && cJSON_AddTrueToObject(result, "success") != NULL;

    snprintf(action, sizeof(action), SPAN_FORMAT, SPAN_ARGS(request->action.text));
    snprintf(target, sizeof(target), SPAN_FORMAT, SPAN_ARGS(request->target));
    done = done && cJSON_AddStringToObject(data, "action", action) != NULL &&
           cJSON_AddRawToObject(data, "targetId", target) != NULL &&
           reply_add_integer(data, "timestamp", now_ms);
    return reply_data(data, done);
}
