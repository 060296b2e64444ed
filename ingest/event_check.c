#include "ingest/event_check.h"

/* The members of an envelope that decide; in this order in struct members. */
enum member {
    MEMBER_TYPE,
    MEMBER_DATA,
    MEMBER_ID,
    MEMBER_FROM,
    MEMBER_ROOM,
    MEMBER_ROOMS,
    MEMBER_COUNT
};

static const struct span member_names[MEMBER_COUNT] = {
    [MEMBER_TYPE] = {"type", 4}, [MEMBER_DATA] = {"data", 4}, [MEMBER_ID] = {"id", 2},
    [MEMBER_FROM] = {"from", 4}, [MEMBER_ROOM] = {"room", 4}, [MEMBER_ROOMS] = {"rooms", 5},
};

struct members {
    struct json_value values[MEMBER_COUNT]; /* JSON_NULL: absent */
    bool seen[MEMBER_COUNT];
};

static enum event_fault from_result(enum json_result result);
static enum event_fault take_members(struct json_value object, struct members *out);
static enum member member_of(struct span key);
static bool is_envelope(const struct route *route, const struct members *members);
static bool type_is(struct json_value type, struct span wanted);
static enum event_fault check_own(const struct route *route, const struct members *members,
                                  struct event *out);
static enum event_fault check_typed(const struct route *route, struct json_value object,
                                    const struct members *members, struct event *out);
static enum event_fault check_required(const struct route *route, struct json_value data);
static bool label_fits(struct json_value label);
static struct json_value label_of(struct json_value value);

enum event_fault event_check(const struct route *route, struct span value, struct event *out) {
    struct json_value object;
    struct members members;
    enum event_fault fault = from_result(json_check(value, &object, NULL));

    if (fault != EVENT_OK) {
        return fault;
    }
    if (object.type != JSON_OBJECT) {
        return EVENT_KIND;
    }
    fault = take_members(object, &members);
    if (fault != EVENT_OK) {
        return fault;
    }
    return route->kind == ROUTE_TYPED ? check_typed(route, object, &members, out)
                                      : check_own(route, &members, out);
}

const char *event_check_text(enum event_fault fault) {
    static const char *const texts[EVENT_FAULT_COUNT] = {[EVENT_OK] = "ok",
#define X(name, text) [EVENT_##name] = (text),
                                                         EVENT_FAULT_TABLE(X)
#undef X
    };

    return (unsigned)fault < EVENT_FAULT_COUNT ? texts[fault] : "unknown";
}

static enum event_fault from_result(enum json_result result) {
    static const enum event_fault faults[] = {
        [JSON_OK] = EVENT_OK,       [JSON_BAD_SYNTAX] = EVENT_SYNTAX, [JSON_BAD_UTF8] = EVENT_UTF8,
        [JSON_BAD_NUL] = EVENT_NUL, [JSON_TOO_DEEP] = EVENT_DEPTH,
    };

    return (unsigned)result < ARRAY_LENGTH(faults) ? faults[result] : EVENT_SYNTAX;
}

/* One walk for all of them: the value is scanned once here and not once a member. */
static enum event_fault take_members(struct json_value object, struct members *out) {
    struct json_value value;
    struct span key;
    size_t cursor = 0;

    memset(out, 0, sizeof(*out));
    while (json_next_member(object, &cursor, &key, &value) == 1) {
        enum member member = member_of(key);
        if (member == MEMBER_COUNT) {
            continue;
        }
        if (out->seen[member]) {
            return EVENT_TWICE;
        }
        out->seen[member] = true;
        out->values[member] = value;
    }
    return EVENT_OK;
}

static enum member member_of(struct span key) {
    char plain[8];

    if (key.length > 0 && memchr(key.data, '\\', key.length) != NULL) {
        long length = json_unescape((struct json_value){JSON_STRING, key}, plain, sizeof(plain));
        if (length < 0) {
            return MEMBER_COUNT; /* longer than any of ours */
        }
        key = (struct span){plain, (size_t)length};
    }
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        if (span_equal(key, member_names[i])) {
            return (enum member)i;
        }
    }
    return MEMBER_COUNT;
}

static enum event_fault check_typed(const struct route *route, struct json_value object,
                                    const struct members *members, struct event *out) {
    struct event event = {.type = {route->type, route->type_length}, .data = object};
    enum event_fault fault;

    if (is_envelope(route, members)) {
        event.data = members->values[MEMBER_DATA];
        event.id = label_of(members->values[MEMBER_ID]);
        if (!label_fits(event.id)) {
            return EVENT_LABEL;
        }
    }
    fault = check_required(route, event.data);
    if (fault == EVENT_OK) {
        *out = event;
    }
    return fault;
}

/* Its type is this route's and it carries an object: anything else is the bare data, also a notification
 * whose own field is called `type`. */
static bool is_envelope(const struct route *route, const struct members *members) {
    struct span wanted = {route->type, route->type_length};

    return members->values[MEMBER_DATA].type == JSON_OBJECT &&
           type_is(members->values[MEMBER_TYPE], wanted);
}

static bool type_is(struct json_value type, struct span wanted) {
    char plain[ROUTE_TYPE_MAX_BYTES];
    long length;

    if (type.type != JSON_STRING) {
        return false;
    }
    if (span_equal(type.text, wanted)) {
        return true;
    }
    length = json_unescape(type, plain, sizeof(plain));
    return length >= 0 && span_equal((struct span){plain, (size_t)length}, wanted);
}

static enum event_fault check_required(const struct route *route, struct json_value data) {
    for (unsigned i = 0; i < route->required_count; i++) {
        struct json_value field;
        int found = json_get(data, route->required[i].name, &field);
        if (found < 0) {
            return EVENT_TWICE;
        }
        if (found == 0 || field.type == JSON_NULL) {
            return EVENT_FIELD;
        }
    }
    return EVENT_OK;
}

static enum event_fault check_own(const struct route *route, const struct members *members,
                                  struct event *out) {
    struct json_value type = members->values[MEMBER_TYPE], from = members->values[MEMBER_FROM];
    struct event event = {.type = type.text,
                          .data = members->values[MEMBER_DATA],
                          .id = label_of(members->values[MEMBER_ID]),
                          .from = label_of(from)};

    if (type.type != JSON_STRING || type.text.length == 0 ||
        type.text.length > EVENT_TYPE_MAX_BYTES) {
        return EVENT_TYPE;
    }
    if (event.data.type != JSON_OBJECT) {
        return EVENT_DATA;
    }
    /* Who it is from is a claim that clients trust: one that can't be shown is not left out silently. */
    if (from.type != event.from.type || !label_fits(event.id) || !label_fits(event.from)) {
        return EVENT_LABEL;
    }
    if (route->kind == ROUTE_SELF) {
        event.room = members->values[MEMBER_ROOM];
        event.rooms = members->values[MEMBER_ROOMS];
    }
    *out = event;
    return EVENT_OK;
}

static bool label_fits(struct json_value label) {
    return label.text.length <= EVENT_LABEL_MAX_BYTES;
}

static struct json_value label_of(struct json_value value) {
    return value.type == JSON_STRING || value.type == JSON_NUMBER
               ? value
               : (struct json_value){.type = JSON_NULL};
}
