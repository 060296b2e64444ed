#include "gateway/message/channel.h"

#include <stdio.h>

struct mapping {
    const char *channel;
    const char
        *rooms[CHANNEL_MAX_ROOMS]; /* a room, or a prefix ending in `:` for the caller's own */
};

static const struct mapping mappings[] = {
    {"orders", {"orders:", NULL}},
    {"portfolio", {"portfolio:", NULL}},
    {"user_specific", {"user:", NULL}},
    {"notifications", {"notifications", "notifications:"}},
};

static int map(const struct mapping *mapping, struct span user_id, struct channel_rooms *out);
static int add_room(struct channel_rooms *rooms, struct span prefix, struct span rest);

int channel_rooms(struct span channel, struct span user_id, struct channel_rooms *out) {
    struct channel_rooms rooms = {.count = 0};
    int error;

    for (size_t i = 0; i < ARRAY_LENGTH(mappings); i++) {
        if (span_is(channel, mappings[i].channel)) {
            return map(&mappings[i], user_id, out);
        }
    }
    error = add_room(&rooms, channel, SPAN_LITERAL(""));
    if (error == 0) {
        *out = rooms;
    }
    return error;
}

static int map(const struct mapping *mapping, struct span user_id, struct channel_rooms *out) {
    struct channel_rooms rooms = {.count = 0};

    for (size_t i = 0; i < CHANNEL_MAX_ROOMS && mapping->rooms[i] != NULL; i++) {
        struct span name = span_of(mapping->rooms[i]);
        bool own = name.data[name.length - 1] == ':';
        if (own && user_id.length == 0) {
            return -EINVAL;
        }
        if (add_room(&rooms, name, own ? user_id : SPAN_LITERAL("")) != 0) {
            return -EINVAL;
        }
    }
    *out = rooms;
    return 0;
}

static int add_room(struct channel_rooms *rooms, struct span prefix, struct span rest) {
    char *name = rooms->names[rooms->count];
    size_t length = prefix.length + rest.length;

    if (length < prefix.length || length > ROOM_NAME_MAX_BYTES) {
        return -EINVAL;
    }
    memcpy(name, prefix.data, prefix.length);
    memcpy(name + prefix.length, rest.data, rest.length);
    name[length] = '\0';
    if (!room_name_valid((struct span){name, length})) {
        return -EINVAL;
    }
    rooms->count++;
    return 0;
}
