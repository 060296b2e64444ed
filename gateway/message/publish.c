#include "gateway/message/publish.h"

#include "common/clock.h"
#include "common/room_name.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES 300 /* of an event: a topic's name has 249 at most */
#define TOO_LONG "The event is too long"

struct note {
    struct publish_answer answer;
    struct uplink_message out; /* its spans lead into `text` */
    struct uplink_once once;
    uint64_t conn_id;
    uint32_t conn_index;
    const char *ref; /* the client's id of the message; NULL: none */
    char text[];
};

static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct message *message, const struct publish_event *event,
                             struct publish_answer *answer);
static struct note *note_make(struct span user, const struct message *message,
                              const struct publish_event *event);
static int mark_once(struct note *note, struct span user, const struct message *message);
static void note_free(struct note *note);
static void ask(struct worker *worker, struct conn *conn, struct note *note);
static policy_ask_answer on_right;
static void go_on(struct worker *worker, struct conn *conn, struct note *note);
static void refuse(struct worker *worker, struct conn *conn, struct note *note,
                   enum error_code code, const char *text);
static uplink_done on_outcome;
static cJSON *with_id(cJSON *data, const char *name, const struct uplink_outcome *outcome);

void publish_send(struct worker *worker, struct conn *conn, const struct message *message,
                  const struct publish_event *event, struct publish_answer answer) {
    struct note *note = note_new(worker, conn, message, event, &answer);
    enum policy_result result = POLICY_ALLOW;

    if (note == NULL) {
        reply_error(worker, conn, answer.failure, NULL, message->ref);
        return;
    }
    if (event->by_right) {
        result = policy_ask_now(worker, conn, POLICY_PUBLISH, event->room);
    }
    if (result == POLICY_LATER) {
        ask(worker, conn, note);
    } else {
        on_right(worker, conn, note, result);
    }
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

static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct message *message, const struct publish_event *event,
                             struct publish_answer *answer) {
    struct span user = conn_user_id(worker, conn);
    struct note *note = note_make(user, message, event);

    if (note == NULL || (answer->type != NULL && answer->data == NULL) ||
        mark_once(note, user, message) != 0) {
        cJSON_Delete(answer->data);
        free(note);
        return NULL;
    }
    note->answer = *answer;
    note->conn_id = conn_id(conn);
    note->conn_index = conn_index(conn);
    note->out.sender = event->to_others ? note->conn_id : 0;
    if (event->lifetime_ms > 0) {
        note->out.expiry_ms = (int64_t)clock_wall_ms() + event->lifetime_ms;
        note->out.ephemeral = note->out.at_once = true;
    }
    return note;
}

/* ref, room and value behind one another. A user id is made of characters that need no escape (access/identity.h). */
static struct note *note_make(struct span user, const struct message *message,
                              const struct publish_event *event) {
    const bool has_ref = message->ref != NULL;
    const struct span ref = span_of(has_ref ? message->ref : "");
    const struct span pieces[] = {
        {ref.data, ref.length + 1},
        event->room,
        SPAN_LITERAL("{\"type\":\""),
        event->type,
        SPAN_LITERAL("\",\"room\":\""),
        event->room,
        SPAN_LITERAL("\",\"data\":"),
        event->data,
        event->from ? SPAN_LITERAL(",\"from\":\"") : SPAN_LITERAL(""),
        event->from ? user : SPAN_LITERAL(""),
        event->from ? SPAN_LITERAL("\"}") : SPAN_LITERAL("}"),
    };
    size_t length = 0, value_at = ref.length + 1 + event->room.length;
    struct note *note;

    for (unsigned i = 0; i < ARRAY_LENGTH(pieces); i++) {
        length += pieces[i].length;
    }
    note = calloc(1, sizeof(*note) + length);
    if (note == NULL) {
        return NULL;
    }
    length = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(pieces); i++) {
        memcpy(note->text + length, pieces[i].data, pieces[i].length);
        length += pieces[i].length;
    }
    note->ref = has_ref ? note->text : NULL;
    note->out = (struct uplink_message){
        .target = UPLINK_EVENTS,
        .key = {note->text + ref.length + 1, event->room.length},
        .value = {note->text + value_at, length - value_at},
    };
    return note;
}

/* What is said counts too: a client that numbers its messages begins at 1 again when it comes back. */
static int mark_once(struct note *note, struct span user, const struct message *message) {
    int result;

    if (note->ref == NULL) {
        return 0;
    }
    const struct span parts[] = {user, span_of(note->ref), span_of(message->type),
                                 message->text.text};
    result = uplink_once_of(parts, ARRAY_LENGTH(parts), &note->once);
    note->out.once = &note->once;
    return result;
}

static void note_free(struct note *note) {
    cJSON_Delete(note->answer.data);
    free(note);
}

static void ask(struct worker *worker, struct conn *conn, struct note *note) {
    int result = policy_ask_later(worker, conn, POLICY_PUBLISH, note->out.key, on_right, note);

    if (result == -EAGAIN) {
        on_right(worker, conn, note, POLICY_UNAVAILABLE);
    } else if (result != 0) {
        refuse(worker, conn, note, note->answer.failure, NULL);
    }
}

static void on_right(struct worker *worker, struct conn *conn, void *context,
                     enum policy_result result) {
    struct note *note = context;

    if (conn == NULL) {
        note_free(note);
    } else if (result == POLICY_ALLOW) {
        go_on(worker, conn, note);
    } else {
        refuse(worker, conn, note, policy_ask_error(result), NULL);
    }
}

static void go_on(struct worker *worker, struct conn *conn, struct note *note) {
    int result = uplink_send(worker, &note->out, on_outcome, note);

    if (result == -EAGAIN || result == -ENOTCONN) {
        refuse(worker, conn, note, ERROR_SERVICE_UNAVAILABLE, NULL);
    } else if (result != 0) {
        refuse(worker, conn, note, note->answer.failure, result == -EMSGSIZE ? TOO_LONG : NULL);
    }
}

static void refuse(struct worker *worker, struct conn *conn, struct note *note,
                   enum error_code code, const char *text) {
    reply_error(worker, conn, code, text, note->ref);
    note_free(note);
}

static void on_outcome(struct worker *worker, void *context, const struct uplink_outcome *outcome) {
    struct note *note = context;
    struct conn *conn = conn_find(worker, note->conn_index, note->conn_id);
    cJSON *data = note->answer.data;

    if (conn != NULL && outcome->error != 0) {
        reply_error(worker, conn, note->answer.failure,
                    outcome->error == -EMSGSIZE ? TOO_LONG : NULL, note->ref);
    } else if (conn != NULL && note->answer.type != NULL) {
        note->answer.data = NULL;
        reply_send(worker, conn, note->answer.type, with_id(data, note->answer.id_name, outcome),
                   note->ref);
    }
    note_free(note);
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
