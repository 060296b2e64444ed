/* POST /admin/publish {"type","room" or "rooms","data"}: an event of the operator's to those rooms, on all hosts. The
 * body is what goes to gateway.events, once it is sure that ingest will take it. */
#include "common/room_name.h"
#include "gateway/admin/admin_send.h"

#include <stdio.h>

#define TYPE_MAX_BYTES 128
#define MOST_ROOMS     64

struct event {
    unsigned rooms;
    char first[ROOM_NAME_MAX_BYTES + 1];
    char type[TYPE_MAX_BYTES + 1];
    bool has_data;
};

typedef const char *member_reader(struct json_value value, struct event *event);
static member_reader read_type, read_room, read_rooms, read_data;

static const struct member {
    const char *name;
    member_reader *read; /* what is wrong, or NULL */
} members[] = {
    {"type", read_type}, {"room", read_room}, {"rooms", read_rooms}, {"data", read_data}};

static const char *read_type(struct json_value value, struct event *event) {
    long length = json_unescape(value, event->type, TYPE_MAX_BYTES);

    event->type[length > 0 ? length : 0] = '\0';
    return length > 0 ? NULL : "type must be a string of 1 to 128 bytes";
}

static const char *read_room(struct json_value value, struct event *event) {
    char name[ROOM_NAME_MAX_BYTES + 1];
    long length = json_unescape(value, name, ROOM_NAME_MAX_BYTES);

    if (length <= 0 || !room_name_valid((struct span){name, (size_t)length})) {
        return "A room's name must be 1 to 128 bytes of A-Z a-z 0-9 _ . : @ | + = ~ -";
    }
    name[length] = '\0';
    if (event->rooms++ == 0) {
        memcpy(event->first, name, (size_t)length + 1);
    }
    return event->rooms <= MOST_ROOMS ? NULL : "At most 64 rooms can be named";
}

static const char *read_rooms(struct json_value value, struct event *event) {
    struct json_value room;
    size_t cursor = 0;
    const char *wrong = value.type == JSON_ARRAY ? NULL : "rooms must be an array";

    while (wrong == NULL && json_next_element(value, &cursor, &room) == 1) {
        wrong = read_room(room, event);
    }
    return wrong;
}

static const char *read_data(struct json_value value, struct event *event) {
    event->has_data = value.type == JSON_OBJECT;
    return event->has_data ? NULL : "data must be an object";
}

static const char *read_event(struct json_value body, struct event *event) {
    struct json_value value;
    struct span key;
    size_t cursor = 0;
    unsigned seen = 0;

    while (json_next_member(body, &cursor, &key, &value) == 1) {
        unsigned i = 0;
        while (i < ARRAY_LENGTH(members) && !span_is(key, members[i].name)) {
            i++;
        }
        if (i == ARRAY_LENGTH(members) || (seen & 1u << i) != 0) {
            return "There is a field that has no meaning here, or stands twice";
        }
        seen |= 1u << i;
        const char *wrong = members[i].read(value, event);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return event->type[0] != '\0' && event->rooms > 0 && event->has_data
               ? NULL
               : "type, room or rooms, and data must be there";
}

enum admin_result admin_publish(struct admin_call *call, struct json_value data,
                                struct http_response *response) {
    struct event event = {0};
    const char *wrong = read_event(data, &event);

    if (wrong != NULL) {
        http_response_error(response, 400, wrong);
        return ADMIN_ANSWERED;
    }
    snprintf(call->what, sizeof(call->what), "%s to %s%s", event.type, event.first,
             event.rooms > 1 ? " and others" : "");
    return admin_send(call, UPLINK_EVENTS, span_of(event.first), data.text, response);
}
