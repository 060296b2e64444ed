#include "gateway/message/publish.h"

#include "common/clock.h"
#include "common/room_name.h"
#include "gateway/access/policy.h"
#include "gateway/connection/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES 300 /* of an event: a topic's name has 249 at most */

struct note {
    struct publish_answer answer;
    uint64_t conn_id;
    uint32_t conn_index;
    bool has_ref;
    char ref[]; /* the client's id of the message */
};

static int hand_over(struct worker *worker, struct conn *conn, const struct message *message,
                     const struct publish_event *event, struct note *note);
static char *make_value(const struct publish_event *event, struct span user, size_t *length);
static struct note *note_new(const struct conn *conn, const struct message *message,
                             struct publish_answer answer);
static void note_free(struct note *note);
static void on_outcome(struct worker *worker, void *context, const struct uplink_outcome *outcome);
static void answer_now(struct worker *worker, struct conn *conn, struct note *note,
                       const struct uplink_outcome *outcome);
static cJSON *with_id(cJSON *data, const char *name, const struct uplink_outcome *outcome);

void publish_send(struct worker *worker, struct conn *conn, const struct message *message,
                  const struct publish_event *event, struct publish_answer answer) {
    struct note *note = note_new(conn, message, answer);
    int result = note != NULL ? hand_over(worker, conn, message, event, note) : -ENOMEM;

    if (result == 0) {
        return;
    }
    note_free(note);
    reply_error(worker, conn,
                result == -EAGAIN || result == -ENOTCONN ? ERROR_SERVICE_UNAVAILABLE
                                                         : answer.failure,
                result == -EMSGSIZE ? "The event is too long" : NULL, message->ref);
}

bool publish_room(const struct message *message, char *buffer, struct span *out) {
    struct json_value room;
    long length;

    if (json_get(message->text, "room", &room) != 1 || room.type != JSON_STRING) {
        return false;
    }
    length = json_unescape(room, buffer, ROOM_NAME_MAX_BYTES);
    *out = (struct span){buffer, length > 0 ? (size_t)length : 0};
    return true;
}

bool publish_allowed(struct worker *worker, struct conn *conn, const struct message *message,
                     struct span room) {
    struct span roles[IDENTITY_ROLES_MAX];
    struct policy_subject subject = conn_subject(worker, conn, roles);
    enum policy_result result = policy_may_publish(worker->policy, room, &subject);

    if (result != POLICY_ALLOW) {
        reply_error(worker, conn,
                    result == POLICY_DENY ? ERROR_PERMISSION_DENIED : ERROR_UNKNOWN_CHANNEL, NULL,
                    message->ref);
    }
    return result == POLICY_ALLOW;
}

static int hand_over(struct worker *worker, struct conn *conn, const struct message *message,
                     const struct publish_event *event, struct note *note) {
    struct span user = conn_user_id(worker, conn);
    struct uplink_once once;
    bool has_once = message->ref != NULL;
    size_t length = 0;
    int result = 0;
    char *value;

    if (has_once) {
        /* What is said counts too: a client that numbers its messages begins at 1 again when it comes back. */
        const struct span parts[] = {user, span_of(message->ref), event->room, event->type,
                                     message->text.text};
        result = uplink_once_of(parts, ARRAY_LENGTH(parts), &once);
    }
    value = result == 0 ? make_value(event, event->from ? user : SPAN_LITERAL(""), &length) : NULL;
    if (value == NULL) {
        return -ENOMEM;
    }
    struct uplink_message out = {
        .target = UPLINK_EVENTS,
        .key = event->room,
        .value = {value, length},
        .sender = event->to_others ? conn_id(conn) : 0,
        .expiry_ms = event->lifetime_ms > 0 ? (int64_t)clock_wall_ms() + event->lifetime_ms : 0,
        .ephemeral = event->lifetime_ms > 0,
        .once = has_once ? &once : NULL,
    };
    result = uplink_send(worker, &out, on_outcome, note);
    free(value);
    return result;
}

static void add(char **to, struct span piece) {
    memcpy(*to, piece.data, piece.length);
    *to += piece.length;
}

/* A user id is made of characters that need no escape (access/identity.h). */
static char *make_value(const struct publish_event *event, struct span user, size_t *length) {
    const struct span pieces[] = {
        SPAN_LITERAL("{\"type\":\""),
        event->type,
        SPAN_LITERAL("\",\"room\":\""),
        event->room,
        SPAN_LITERAL("\",\"data\":"),
        event->data,
        user.length > 0 ? SPAN_LITERAL(",\"from\":\"") : SPAN_LITERAL(""),
        user,
        user.length > 0 ? SPAN_LITERAL("\"}") : SPAN_LITERAL("}"),
    };
    size_t total = 0;
    char *value, *to;

    for (unsigned i = 0; i < ARRAY_LENGTH(pieces); i++) {
        total += pieces[i].length;
    }
    value = to = malloc(total);
    for (unsigned i = 0; value != NULL && i < ARRAY_LENGTH(pieces); i++) {
        add(&to, pieces[i]);
    }
    *length = total;
    return value;
}

static struct note *note_new(const struct conn *conn, const struct message *message,
                             struct publish_answer answer) {
    size_t length = message->ref != NULL ? strlen(message->ref) : 0;
    struct note *note = malloc(sizeof(*note) + length + 1);

    if (note == NULL || (answer.type != NULL && answer.data == NULL)) {
        cJSON_Delete(answer.data);
        free(note);
        return NULL;
    }
    *note = (struct note){.answer = answer,
                          .conn_id = conn_id(conn),
                          .conn_index = conn_index(conn),
                          .has_ref = message->ref != NULL};
    memcpy(note->ref, message->ref != NULL ? message->ref : "", length + 1);
    return note;
}

static void note_free(struct note *note) {
    if (note != NULL) {
        cJSON_Delete(note->answer.data);
        free(note);
    }
}

static void on_outcome(struct worker *worker, void *context, const struct uplink_outcome *outcome) {
    struct note *note = context;
    struct conn *conn = conn_find(worker, note->conn_index, note->conn_id);

    if (conn != NULL) {
        answer_now(worker, conn, note, outcome);
    }
    note_free(note);
}

static void answer_now(struct worker *worker, struct conn *conn, struct note *note,
                       const struct uplink_outcome *outcome) {
    const char *ref = note->has_ref ? note->ref : NULL;
    cJSON *data = note->answer.data;

    if (outcome->error != 0) {
        reply_error(worker, conn, note->answer.failure, NULL, ref);
    } else if (note->answer.type != NULL) {
        note->answer.data = NULL;
        reply_send(worker, conn, note->answer.type, with_id(data, note->answer.id_name, outcome),
                   ref);
    }
}

static cJSON *with_id(cJSON *data, const char *name, const struct uplink_outcome *outcome) {
    char id[ID_BYTES];

    if (name == NULL) {
        return data;
    }
    snprintf(id, sizeof(id), SPAN_FORMAT ":%" PRId32 ":%" PRId64, SPAN_ARGS(outcome->topic),
             outcome->partition, outcome->offset);
    return reply_data(data, cJSON_AddStringToObject(data, name, id) != NULL);
}
