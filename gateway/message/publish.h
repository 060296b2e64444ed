/* From a client's message to an event on KAFKA_TOPIC_EVENTS, and the answer once Kafka has it: what `publish`, `typing`,
 * `notification` and `user_action` share. Used by workers.
 *
 * The value is {"type","room","data"[,"from"]}, put together from the client's own bytes. The request is noted and the
 * connection goes on; when an outcome comes it is looked up by index and id, since it may have gone. A note lives until
 * then, at most AUTH_SERVICE_TIMEOUT and UPLINK_TIMEOUT_MS; as many as the two queues in front of it hold. */
#ifndef MOONX_GATEWAY_MESSAGE_PUBLISH_H
#define MOONX_GATEWAY_MESSAGE_PUBLISH_H

#include "gateway/message/message.h"
#include "gateway/message/reply.h"
#include "gateway/uplink.h"

struct publish_event {
    struct span room; /* "" or a room name: also what keeps the order */
    struct span type; /* as it stands between quotes in JSON */
    struct span data; /* JSON text of an object */
    bool by_right;    /* the room policy decides whether the user may publish there */
    bool from;        /* say who it is from */
    bool to_others;   /* not to this connection */
    int64_t
        lifetime_ms; /* 0: for good; else delivered so long, here at once, and no part of history */
};

struct publish_answer {
    const char *type;        /* NULL: no answer when all is well */
    cJSON *data;             /* of the answer; taken over; NULL: out of memory */
    const char *id_name;     /* member that gets the event's id; NULL: none */
    enum error_code failure; /* when Kafka does not have it, as far as is known */
};

/* Sends it, once the policy allows it (which the auth service may have to be asked for), and answers when it is in
 * Kafka; or with PERMISSION_DENIED, UNKNOWN_CHANNEL, SERVICE_UNAVAILABLE (Kafka away, queue full), `failure`. A message
 * with an id counts once, however often the user sends it. */
void publish_send(struct worker *worker, struct conn *conn, const struct message *message,
                  const struct publish_event *event, struct publish_answer answer);

/* The `room` of the message's data, as plain text in `buffer` (ROOM_NAME_MAX_BYTES). False: missing, twice or no string.
 * A name that no room has becomes "", which no policy knows. */
bool publish_room(const struct message *message, char *buffer, struct span *out) MUST_CHECK;

#endif
