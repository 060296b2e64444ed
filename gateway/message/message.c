#include "gateway/message/message.h"

#include "common/json.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn.h"
#include "gateway/message/reply.h"

#define TYPE_MAX_BYTES 64

const struct message_row message_table[] = {
    {"authenticate", true, true, handle_authenticate, false},
    {"subscribe", false, false, handle_subscribe, false},
    {"unsubscribe", false, false, handle_unsubscribe, false},
    {"ping", true, false, handle_ping, false},
    {"get_rooms", false, false, handle_get_rooms, false},
    {"resume", false, true, handle_resume, false},
    {"presence", false, false, handle_presence, false},
    {"publish", false, false, handle_publish, true},
    {"typing", false, false, handle_typing, true},
    {"notification", false, false, handle_notification, true},
    {"user_action", false, false, handle_user_action, true},
    {NULL, false, false, NULL, false},
};
static_assert(ARRAY_LENGTH(message_table) <= 32, "MESSAGES_DENIED has a bit for each");

/* Stands for `data` where a message has none; nobody writes to it. */
static const cJSON no_data = {.type = cJSON_Object};

struct envelope {
    char type[TYPE_MAX_BYTES + 1]; /* "" for one too long to be known */
    char id[MESSAGE_ID_MAX_BYTES + 1];
    bool has_id;
    struct json_value data; /* JSON_NULL when absent */
};

static bool read_envelope(struct json_value object, struct envelope *out);
static bool read_id(struct json_value object, struct envelope *out);
static bool read_type(struct json_value object, struct envelope *out);
static bool read_data(struct json_value object, struct envelope *out);
static void handle(struct worker *worker, struct conn *conn, const struct message_row *row,
                   const struct envelope *envelope);

void message_receive(struct worker *worker, struct conn *conn, struct span text) {
    struct json_value object;
    struct envelope envelope = {.has_id = false};
    const struct message_row *row;
    const char *ref;

    bool is_json = json_check(text, &object, NULL) == JSON_OK;
    bool is_message = is_json && read_envelope(object, &envelope);

    ref = envelope.has_id ? envelope.id : NULL;
    row = message_row_of(span_of(envelope.type));
    /* Before anything is said about it: rubbish counts like any other message. */
    if (!middleware_message(worker, conn, row, text.length, ref)) {
        return;
    }
    if (row == NULL || !row->resumes) {
        conn_moment_over(worker, conn);
    }
    if (!is_message) {
        reply_error(worker, conn, is_json ? ERROR_INVALID_MESSAGE : ERROR_INVALID_JSON, NULL, ref);
        return;
    }
    if (!conn_authenticated(conn) && (row == NULL || !row->before_authentication)) {
        /* Also for types that do not exist: strangers need not learn which do. */
        reply_error(worker, conn, ERROR_NOT_AUTHENTICATED, NULL, ref);
    } else if (row == NULL) {
        reply_error(worker, conn, ERROR_UNKNOWN_TYPE, NULL, ref);
    } else {
        handle(worker, conn, row, &envelope);
    }
}

int message_field(const struct message *message, const char *name, const cJSON **out) {
    const cJSON *member, *found = NULL;

    cJSON_ArrayForEach(member, message->data) {
        if (strcmp(member->string, name) == 0) {
            if (found != NULL) {
                return -EEXIST;
            }
            found = member;
        }
    }
    if (found == NULL) {
        return 0;
    }
    *out = found;
    return 1;
}

/* The id first, so that a complaint about the rest can carry it. */
static bool read_envelope(struct json_value object, struct envelope *out) {
    return object.type == JSON_OBJECT && read_id(object, out) && read_type(object, out) &&
           read_data(object, out);
}

/* Clients of the former service number their messages: a number is echoed as a string of its exact text.
 * null is what some serializers write for "none". */
static bool read_id(struct json_value object, struct envelope *out) {
    struct json_value value;
    int found = json_get(object, "id", &value);
    long length;

    if (found <= 0 || value.type == JSON_NULL) {
        return found >= 0;
    }
    if (value.type == JSON_NUMBER && value.text.length <= MESSAGE_ID_MAX_BYTES) {
        length = (long)value.text.length;
        memcpy(out->id, value.text.data, value.text.length);
    } else {
        length = json_unescape(value, out->id, MESSAGE_ID_MAX_BYTES);
    }
    if (length < 0) {
        return false;
    }
    out->id[length] = '\0';
    out->has_id = true;
    return true;
}

static bool read_type(struct json_value object, struct envelope *out) {
    struct json_value value;
    long length;

    if (json_get(object, "type", &value) != 1 || value.type != JSON_STRING) {
        return false;
    }
    length = json_unescape(value, out->type, TYPE_MAX_BYTES);
    out->type[length < 0 ? 0 : length] = '\0';
    return true;
}

static bool read_data(struct json_value object, struct envelope *out) {
    int found = json_get(object, "data", &out->data);

    if (found == 0) {
        out->data.type = JSON_NULL;
    }
    return found >= 0 && (out->data.type == JSON_OBJECT || out->data.type == JSON_NULL);
}

const struct message_row *message_row_of(struct span type) {
    for (const struct message_row *row = message_table; row->type != NULL; row++) {
        if (span_is(type, row->type)) {
            return row;
        }
    }
    return NULL;
}

static void handle(struct worker *worker, struct conn *conn, const struct message_row *row,
                   const struct envelope *envelope) {
    cJSON *data = NULL;
    struct message message = {
        .type = row->type,
        .ref = envelope->has_id ? envelope->id : NULL,
        .data = &no_data,
        .text = envelope->data,
    };

    if (envelope->data.type == JSON_OBJECT && !row->spliced) {
        data = cJSON_ParseWithLength(envelope->data.text.data, envelope->data.text.length);
        if (data == NULL) {
            /* No memory (or, with some versions of cJSON, a number of more than 63 characters). */
            reply_error(worker, conn, ERROR_MESSAGE_PROCESSING_ERROR, NULL, message.ref);
            return;
        }
        message.data = data;
    }
    row->handle(worker, conn, &message);
    cJSON_Delete(data);
}
