#include "common/control_message.h"

#include <stdlib.h>

/* Milliseconds of the years 1973 to 5138: seconds and microseconds of our days lie outside. */
#define EARLIEST_MS 100000000000ll
#define LATEST_MS   100000000000000ll

static const struct {
    enum control_message_kind kind;
    const char *type;
} kinds[] = {{CONTROL_MESSAGE_REVOKE, "revoke"}, {CONTROL_MESSAGE_DISCONNECT, "disconnect"}};

typedef const char *field_reader(struct json_value value, struct control_message *out);
static field_reader read_user, read_session, read_token, read_connection, read_issued_before,
    read_until, read_reason, read_comment;

#define IN(kind) (1u << CONTROL_MESSAGE_##kind)

static const struct field {
    const char *name;
    unsigned kinds;
    field_reader *read; /* what is wrong, or NULL */
} fields[] = {
    {"userId", IN(REVOKE) | IN(DISCONNECT), read_user},
    {"sid", IN(REVOKE), read_session},
    {"jti", IN(REVOKE), read_token},
    {"connectionId", IN(DISCONNECT), read_connection},
    {"issuedBefore", IN(REVOKE), read_issued_before},
    {"until", IN(REVOKE), read_until},
    {"reason", IN(DISCONNECT), read_reason},
    {"comment", IN(REVOKE) | IN(DISCONNECT), read_comment},
};

static const char *take_fields(struct json_value data, struct control_message *out);
static const struct field *field_of(struct span key, enum control_message_kind kind);
static const char *check_whole(const struct control_message *message);
static const char *name_subject(enum control_message_subject subject, struct json_value value,
                                struct control_message *out);
static const char *read_time(struct json_value value, int64_t *out);

int control_message_read(struct span text, struct control_message *out, const char **why) {
    struct json_value object, type, data;

    *why = "The message is not valid JSON";
    if (json_check(text, &object, NULL) != JSON_OK) {
        return -EINVAL;
    }
    *why = "`type` is missing or stands twice";
    if (json_get(object, "type", &type) != 1 || type.type != JSON_STRING) {
        return -EINVAL;
    }
    *why = "`data` is missing, no object or stands twice";
    if (json_get(object, "data", &data) != 1) {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (span_is(type.text, kinds[i].type)) {
            return control_message_read_data(kinds[i].kind, data, out, why);
        }
    }
    *why = "`type` is none that this version knows";
    return -EINVAL;
}

int control_message_read_data(enum control_message_kind kind, struct json_value data,
                              struct control_message *out, const char **why) {
    struct control_message message = {.kind = kind};

    *why = "`data` is missing, no object or stands twice";
    if (data.type != JSON_OBJECT) {
        return -EINVAL;
    }
    *why = take_fields(data, &message);
    if (*why == NULL) {
        *why = check_whole(&message);
    }
    if (*why != NULL) {
        return -EINVAL;
    }
    *out = message;
    return 0;
}

const char *control_message_type(enum control_message_kind kind) {
    return kinds[kind].type;
}

static const char *take_fields(struct json_value data, struct control_message *out) {
    struct json_value value;
    struct span key;
    size_t cursor = 0;
    unsigned seen = 0;

    while (json_next_member(data, &cursor, &key, &value) == 1) {
        const struct field *field = field_of(key, out->kind);
        const char *wrong;
        if (field == NULL) {
            return "There is a field that has no meaning here";
        }
        if (seen & 1u << (field - fields)) {
            return "A field stands twice";
        }
        seen |= 1u << (field - fields);
        wrong = field->read(value, out);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

/* By their plain spelling: one with escapes is no field of ours, and refused as such. */
static const struct field *field_of(struct span key, enum control_message_kind kind) {
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        if (span_is(key, fields[i].name) && (fields[i].kinds & 1u << kind) != 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static const char *check_whole(const struct control_message *message) {
    bool dated = message->issued_before_ms != 0;

    if (message->kind == CONTROL_MESSAGE_DISCONNECT) {
        return message->subject != CONTROL_MESSAGE_EVERYBODY ? NULL
                                                             : "userId or connectionId is missing";
    }
    if (message->subject == CONTROL_MESSAGE_EVERYBODY && !dated) {
        return "userId, sid, jti or issuedBefore is missing";
    }
    if ((message->subject == CONTROL_MESSAGE_SESSION ||
         message->subject == CONTROL_MESSAGE_TOKEN) &&
        dated) {
        return "issuedBefore goes with userId or stands alone";
    }
    return NULL;
}

static const char *read_user(struct json_value value, struct control_message *out) {
    return name_subject(CONTROL_MESSAGE_USER, value, out);
}

static const char *read_session(struct json_value value, struct control_message *out) {
    return name_subject(CONTROL_MESSAGE_SESSION, value, out);
}

static const char *read_token(struct json_value value, struct control_message *out) {
    return name_subject(CONTROL_MESSAGE_TOKEN, value, out);
}

static const char *read_connection(struct json_value value, struct control_message *out) {
    return name_subject(CONTROL_MESSAGE_CONNECTION, value, out);
}

/* A number's own text, as in a token. */
static const char *name_subject(enum control_message_subject subject, struct json_value value,
                                struct control_message *out) {
    long length = -EINVAL;

    if (out->subject != CONTROL_MESSAGE_EVERYBODY) {
        return "Only one of userId, sid, jti and connectionId may be named";
    }
    if (value.type == JSON_STRING) {
        length = json_unescape(value, out->name, CONTROL_MESSAGE_NAME_BYTES);
    } else if (value.type == JSON_NUMBER && value.text.length <= CONTROL_MESSAGE_NAME_BYTES) {
        memcpy(out->name, value.text.data, value.text.length);
        length = (long)value.text.length;
    }
    if (length <= 0) {
        return "A name must be a string of 1 to 255 bytes, or a number";
    }
    out->name[length] = '\0';
    out->subject = subject;
    return NULL;
}

static const char *read_issued_before(struct json_value value, struct control_message *out) {
    return read_time(value, &out->issued_before_ms);
}

static const char *read_until(struct json_value value, struct control_message *out) {
    return read_time(value, &out->until_ms);
}

static const char *read_time(struct json_value value, int64_t *out) {
    char text[16];

    if (value.type == JSON_NUMBER && value.text.length < sizeof(text)) {
        memcpy(text, value.text.data, value.text.length);
        text[value.text.length] = '\0';
        char *end;
        *out = strtoll(text, &end, 10);
        if (*end == '\0' && *out >= EARLIEST_MS && *out < LATEST_MS) {
            return NULL;
        }
    }
    return "A time must be a whole number of milliseconds since 1970";
}

static const char *read_reason(struct json_value value, struct control_message *out) {
    long length = json_unescape(value, out->reason, CONTROL_MESSAGE_REASON_BYTES);

    if (length < 0) {
        return "reason must be a string of at most 64 bytes";
    }
    out->reason[length] = '\0';
    return NULL;
}

static const char *read_comment(struct json_value value, struct control_message *out) {
    (void)out;
    return value.type == JSON_STRING ? NULL : "comment must be a string";
}
