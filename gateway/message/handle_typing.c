/* `typing` {room, isTyping}: to the room's other members as `typing` {room, userId, isTyping}. It is worth
 * something for a moment only: this host's members get it at once, Kafka or not (ingest/at_once.h), those on others by
 * way of Kafka within LIFETIME_MS or not at all, and it is no part of history. When all is well there is no answer. */
#include "gateway/message/publish.h"

#include "common/room_name.h"
#include "gateway/connection/conn.h"

#include <stdio.h>

#define LIFETIME_MS 5000

void handle_typing(struct worker *worker, struct conn *conn, const struct message *message) {
    char name[ROOM_NAME_MAX_BYTES], data[2 * ROOM_NAME_MAX_BYTES + 128];
    struct json_value typing;
    struct publish_event event = {.type = SPAN_LITERAL("typing"),
                                  .by_right = true,
                                  .to_others = true,
                                  .lifetime_ms = LIFETIME_MS};
    struct span user = conn_user_id(worker, conn);

    if (!publish_room(message, name, &event.room) ||
        json_get(message->text, "isTyping", &typing) != 1 ||
        (typing.type != JSON_TRUE && typing.type != JSON_FALSE)) {
        reply_error(worker, conn, ERROR_INVALID_MESSAGE, NULL, message->ref);
        return;
    }
    event.data.data = data;
    event.data.length = (size_t)snprintf(
        data, sizeof(data),
        "{\"room\":\"" SPAN_FORMAT "\",\"userId\":\"" SPAN_FORMAT "\",\"isTyping\":%s}",
        SPAN_ARGS(event.room), SPAN_ARGS(user), typing.type == JSON_TRUE ? "true" : "false");
    publish_send(worker, conn, message, &event,
                 (struct publish_answer){.failure = ERROR_PUBLISH_FAILED});
}
