/* `publish` {room, event, payload}: to everybody in the room, the publisher too, as {"type":event,"data":payload,
 * "from":userId}; answered with `published` {id} once Kafka has it. The payload's bytes pass through as they are. */
#include "gateway/message/publish.h"

#include "common/room_name.h"
#include "shm/type_table.h"

#define EVENT_MAX_BYTES 64 /* without escapes; with them twice as many */

/* What the server itself says, and what clients say: an event of such a name could be taken for it. */
static const char *const built_in[] = {
    "auth_required",
    "auth_success",
    "auth_failed",
    "token_refresh_required",
    "auto_subscribed",
    "subscribed",
    "unsubscribed",
    "resumed",
    "rooms",
    "pong",
    "published",
    "notification_received",
    "action_completed",
    "presence",
    "typing",
    "user_status_changed",
    "reconnect",
    "skipped",
    "error",
    "price_update",
    "order_update",
    "portfolio_update",
    "trade_update",
    "notification",
    "user_action",
    "system_alert",
};

static bool read_event(const struct worker *worker, struct json_value object, struct span *out);
static bool is_built_in(struct span name);

void handle_publish(struct worker *worker, struct conn *conn, const struct message *message) {
    char name[ROOM_NAME_MAX_BYTES];
    struct json_value payload;
    struct publish_event event = {.by_right = true, .from = true};

    if (!publish_room(message, name, &event.room) ||
        !read_event(worker, message->text, &event.type) ||
        json_get(message->text, "payload", &payload) != 1 || payload.type != JSON_OBJECT) {
        reply_error(worker, conn, ERROR_INVALID_MESSAGE, NULL, message->ref);
        return;
    }
    event.data = payload.text;
    publish_send(worker, conn, message, &event,
                 (struct publish_answer){.type = "published",
                                         .data = cJSON_CreateObject(),
                                         .id_name = "id",
                                         .failure = ERROR_PUBLISH_FAILED});
}

/* Nor may it be one of a back end's own: those that routes give. */
static bool read_event(const struct worker *worker, struct json_value object, struct span *out) {
    struct json_value event;
    char plain[EVENT_MAX_BYTES];
    long length;

    if (json_get(object, "event", &event) != 1 || event.type != JSON_STRING) {
        return false;
    }
    length = json_unescape(event, plain, sizeof(plain));
    if (length <= 0 || event.text.length > (size_t)2 * EVENT_MAX_BYTES) {
        return false;
    }
    *out = event.text;
    struct span name = {plain, (size_t)length};
    return !is_built_in(name) && !type_table_has(&worker->view.segment, name);
}

static bool is_built_in(struct span name) {
    for (unsigned i = 0; i < ARRAY_LENGTH(built_in); i++) {
        if (span_is(name, built_in[i])) {
            return true;
        }
    }
    return message_row_of(name) != NULL;
}
