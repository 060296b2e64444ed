#include "ingest/event_rooms.h"

/* Passed through template_expand(). */
struct collect {
    const struct siphash_key *hash_key;
    struct event_rooms *rooms;
};

static int expand_all(const struct route *route, struct json_value data, struct collect *collect);
static int expand_room(const struct route_room *room, struct json_value data,
                       struct collect *collect);
static int lacks_field(const struct route_alternative *alternative, struct json_value data);
static int take_own(const struct event *event, struct collect *collect);
static int take_name(struct json_value value, struct collect *collect);
static int add_name(void *context, struct span name);
static bool is_there(const struct event_rooms *rooms, const struct event_room *room,
                     struct span key);

enum event_fault event_rooms_find(const struct siphash_key *hash_key, const struct route *route,
                                  const struct event *event, struct event_rooms *out) {
    struct collect collect = {hash_key, out};
    int result = 0;

    out->count = 0;
    out->invalid = 0;
    out->names_length = 0;
    if (route->kind == ROUTE_CONTROL) {
        return EVENT_OK;
    }
    result = route->kind == ROUTE_SELF ? take_own(event, &collect)
                                       : expand_all(route, event->data, &collect);
    if (result < 0) {
        return result == -E2BIG ? EVENT_MANY_ROOMS : EVENT_TWICE;
    }
    return out->count > 0 ? EVENT_OK : EVENT_NO_ROOM;
}

static int expand_all(const struct route *route, struct json_value data, struct collect *collect) {
    int result = 0;

    for (unsigned i = 0; result == 0 && i < route->room_count; i++) {
        result = expand_room(&route->rooms[i], data, collect);
    }
    return result;
}

static int expand_room(const struct route_room *room, struct json_value data,
                       struct collect *collect) {
    unsigned dropped = 0, choice = 0;
    int result;

    for (; choice + 1 < room->count; choice++) {
        int lacks = lacks_field(&room->alternatives[choice], data);
        if (lacks < 0) {
            return lacks;
        }
        if (lacks == 0) {
            break;
        }
    }
    result =
        template_expand(room->alternatives[choice].template, data, add_name, collect, &dropped);
    collect->rooms->invalid += dropped;
    return result;
}

/* 1: a field that the template starts from is missing or null; -EEXIST: it stands twice. */
static int lacks_field(const struct route_alternative *alternative, struct json_value data) {
    for (unsigned i = 0; i < alternative->need_count; i++) {
        struct json_value field;
        int found = json_get(data, alternative->needs[i].name, &field);
        if (found < 0) {
            return found;
        }
        if (found == 0 || field.type == JSON_NULL) {
            return 1;
        }
    }
    return 0;
}

static int take_own(const struct event *event, struct collect *collect) {
    struct json_value element;
    size_t cursor = 0;
    int result = 0;

    if (event->room.type != JSON_NULL) {
        result = take_name(event->room, collect);
    }
    if (event->rooms.type != JSON_NULL && event->rooms.type != JSON_ARRAY) {
        collect->rooms->invalid++;
    }
    while (result == 0 && json_next_element(event->rooms, &cursor, &element) == 1) {
        result = take_name(element, collect);
    }
    return result;
}

static int take_name(struct json_value value, struct collect *collect) {
    char name[ROOM_NAME_MAX_BYTES];
    long length = json_unescape(value, name, sizeof(name));

    if (length < 0) { /* no string, or longer than a room's name may be */
        collect->rooms->invalid++;
        return 0;
    }
    return add_name(collect, (struct span){name, (size_t)length});
}

static int add_name(void *context, struct span name) {
    struct collect *collect = context;
    struct event_rooms *rooms = collect->rooms;
    struct event_room room;
    struct span key;

    if (!room_name_valid(name)) {
        rooms->invalid++;
        return 0;
    }
    room.kind = (uint16_t)room_name_kind(name, &key);
    room.hash = room_name_hash(collect->hash_key, key);
    room.name_at = (uint32_t)rooms->names_length;
    room.name_length = (uint16_t)key.length;
    if (is_there(rooms, &room, key)) {
        return 0;
    }
    if (rooms->count == RECORD_MAX_ROOMS) {
        return -E2BIG;
    }
    memcpy(rooms->names + rooms->names_length, key.data, key.length);
    rooms->names_length += key.length;
    rooms->list[rooms->count++] = room;
    return 0;
}

static bool is_there(const struct event_rooms *rooms, const struct event_room *room,
                     struct span key) {
    for (unsigned i = 0; i < rooms->count; i++) {
        const struct event_room *other = &rooms->list[i];
        struct span name = {rooms->names + other->name_at, other->name_length};
        if (other->hash == room->hash && other->kind == room->kind && span_equal(name, key)) {
            return true;
        }
    }
    return false;
}
