/* `notification` {type, title, message, actionUrl?, userId?}: to the caller's own `notifications:` room, or to another
 * user's if he may publish there, with what the external service knows about it as `metadata`. Answered with `notification_received` {id, processed, timestamp}. */
#include "gateway/message/notification_later.h"
#include "gateway/message/publish.h"

#include "common/clock.h"
#include "common/room_name.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOM_PREFIX   "notifications:"
#define URL_MAX_BYTES 2048
#define DATA_OVERHEAD 160                       /* names, quotes and the time */
#define DATA_MOST     (UPLINK_MAX_BYTES - 1024) /* beside it there are room and sender */

struct request {
    struct json_value type, title, message, url; /* url: JSON_NULL when absent */
    char room[ROOM_NAME_MAX_BYTES];
    size_t room_length;
    bool to_another;
};

static bool read_request(struct span caller, struct json_value object, struct request *out);
static bool read_text(struct json_value object, const char *name, struct json_value *out);
static bool read_type(struct json_value object, struct json_value *out);
static bool read_url(struct json_value object, struct json_value *out);
static bool read_room(struct span caller, struct json_value object, struct request *out);
static struct notification_question
question_of(const struct worker *worker, const struct conn *conn, const struct request *request);
static notification_go_on send_it;
static char *make_data(const struct request *request, struct span metadata, int64_t now_ms,
                       size_t *length);

void handle_notification(struct worker *worker, struct conn *conn, const struct message *message) {
    struct request request;

    if (!read_request(conn_user_id(worker, conn), message->text, &request)) {
        reply_error(worker, conn, ERROR_INVALID_NOTIFICATION_DATA, NULL, message->ref);
        return;
    }
    const struct notification_question question = question_of(worker, conn, &request);
    int result = notification_later(worker, conn, message, &question, send_it);
    if (result != 0) {
        reply_error(worker, conn,
                    result == -EAGAIN ? ERROR_SERVICE_UNAVAILABLE
                                      : ERROR_NOTIFICATION_PROCESSING_ERROR,
                    NULL, message->ref);
    }
}

/* About what is refused anyhow nobody is asked. */
static struct notification_question
question_of(const struct worker *worker, const struct conn *conn, const struct request *request) {
    const struct span room = {request->room, request->room_length};
    const size_t prefix = sizeof(ROOM_PREFIX) - 1;
    enum policy_result result =
        request->to_another ? policy_ask_now(worker, conn, POLICY_PUBLISH, room) : POLICY_ALLOW;
    struct notification_question question = {.user_id = SPAN_LITERAL(""),
                                             .type = request->type.text};

    if (result == POLICY_ALLOW || result == POLICY_LATER) {
        question.user_id = (struct span){room.data + prefix, room.length - prefix};
    }
    return question;
}

static bool read_request(struct span caller, struct json_value object, struct request *out) {
    return read_type(object, &out->type) && read_text(object, "title", &out->title) &&
           read_text(object, "message", &out->message) && read_url(object, &out->url) &&
           read_room(caller, object, out);
}

static bool read_text(struct json_value object, const char *name, struct json_value *out) {
    return json_get(object, name, out) == 1 && out->type == JSON_STRING && out->text.length > 0;
}

static bool read_type(struct json_value object, struct json_value *out) {
    static const char *const types[] = {"info", "warning", "error", "success"};

    if (!read_text(object, "type", out)) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
        if (span_is(out->text, types[i])) {
            return true;
        }
    }
    return false;
}

static bool read_url(struct json_value object, struct json_value *out) {
    int found = json_get(object, "actionUrl", out);

    if (found == 0) {
        out->type = JSON_NULL;
    }
    return found >= 0 && (out->type == JSON_NULL ||
                          (out->type == JSON_STRING && out->text.length <= URL_MAX_BYTES));
}

/* A number as user id keeps its text, as in tokens. */
static bool read_room(struct span caller, struct json_value object, struct request *out) {
    struct json_value user;
    int found = json_get(object, "userId", &user);
    size_t prefix = sizeof(ROOM_PREFIX) - 1;
    char *id = out->room + prefix;
    long length = (long)caller.length;

    memcpy(out->room, ROOM_PREFIX, prefix);
    if (found == 1 && user.type == JSON_STRING) {
        length = json_unescape(user, id, sizeof(out->room) - prefix);
    } else if (found == 1 && user.type == JSON_NUMBER &&
               user.text.length <= sizeof(out->room) - prefix) {
        length = (long)user.text.length;
        memcpy(id, user.text.data, user.text.length);
    } else if (found == 0 || (found == 1 && user.type == JSON_NULL)) {
        memcpy(id, caller.data, caller.length);
    } else {
        return false;
    }
    if (length <= 0) {
        return false;
    }
    out->room_length = prefix + (size_t)length;
    out->to_another = !span_equal(caller, (struct span){id, (size_t)length});
    return room_name_valid((struct span){out->room, out->room_length});
}

/* The message has been found good before; its text may be a copy, where the request's pieces lie elsewhere. */
static void send_it(struct worker *worker, struct conn *conn, const struct message *message,
                    struct span metadata) {
    int64_t now_ms = (int64_t)clock_wall_ms();
    struct request request;
    struct publish_event event = {.type = SPAN_LITERAL("notification")};
    char *data = NULL;
    cJSON *answer = cJSON_CreateObject();

    if (read_request(conn_user_id(worker, conn), message->text, &request)) {
        event.room = (struct span){request.room, request.room_length};
        event.by_right = event.from = request.to_another;
        data = make_data(&request, metadata, now_ms, &event.data.length);
    }
    answer = reply_data(answer, cJSON_AddTrueToObject(answer, "processed") != NULL &&
                                    reply_add_integer(answer, "timestamp", now_ms));
    if (data == NULL) {
        cJSON_Delete(answer);
        reply_error(worker, conn, ERROR_NOTIFICATION_PROCESSING_ERROR, NULL, message->ref);
        return;
    }
    event.data.data = data;
    publish_send(worker, conn, message, &event,
                 (struct publish_answer){.type = "notification_received",
                                         .data = answer,
                                         .id_name = "id",
                                         .failure = ERROR_NOTIFICATION_PROCESSING_ERROR});
    free(data);
}

/* Metadata for which there is no room is left out. */
static char *make_data(const struct request *request, struct span metadata, int64_t now_ms,
                       size_t *length) {
    bool has_url = request->url.type == JSON_STRING;
    struct span url = has_url ? request->url.text : SPAN_LITERAL("");
    size_t size = DATA_OVERHEAD + request->type.text.length + request->title.text.length +
                  request->message.text.length + url.length;
    bool has_metadata = metadata.length > 0 && size + metadata.length <= DATA_MOST;
    struct span extra = has_metadata ? metadata : SPAN_LITERAL("");
    char *data;

    size += extra.length;
    data = malloc(size);

    if (data != NULL) {
        *length = (size_t)snprintf(
            data, size,
            "{\"type\":\"" SPAN_FORMAT "\",\"title\":\"" SPAN_FORMAT "\",\"message\":\"" SPAN_FORMAT
            "\"%s" SPAN_FORMAT "%s%s" SPAN_FORMAT ",\"timestamp\":%" PRId64 "}",
            SPAN_ARGS(request->type.text), SPAN_ARGS(request->title.text),
            SPAN_ARGS(request->message.text), has_url ? ",\"actionUrl\":\"" : "", SPAN_ARGS(url),
            has_url ? "\"" : "", has_metadata ? ",\"metadata\":" : "", SPAN_ARGS(extra), now_ms);
    }
    return data;
}
