#include "gateway/access/room_claims.h"

#include "common/room_name.h"

#define LIST_BYTES 8192 /* a token is not longer */

static void add_list(struct room_claims *out, const char *name, struct json_value value);
static void add_room(struct room_claims *out, const char *name, struct span room);

void room_claims_read(struct json_value claims, const struct room_claim_names *names,
                      struct room_claims *out) {
    for (unsigned i = 0; names != NULL && i < names->count; i++) {
        struct json_value value, element;
        size_t cursor = 0;
        if (json_get(claims, names->names[i], &value) != 1) {
            continue;
        }
        if (value.type != JSON_ARRAY) {
            add_list(out, names->names[i], value);
            continue;
        }
        while (json_next_element(value, &cursor, &element) == 1) {
            add_list(out, names->names[i], element);
        }
    }
}

bool room_claims_list(struct span claims, const char *name, struct span room) {
    size_t length = strlen(name);

    for (size_t at = 0; at < claims.length; at += strlen(claims.data + at) + 1) {
        struct span text = span_of(claims.data + at);
        if (text.length == length + 1 + room.length && memcmp(text.data, name, length) == 0 &&
            text.data[length] == ' ' &&
            memcmp(text.data + length + 1, room.data, room.length) == 0) {
            return true;
        }
    }
    return false;
}

static void add_list(struct room_claims *out, const char *name, struct json_value value) {
    char list[LIST_BYTES];
    long length = value.type == JSON_STRING ? json_unescape(value, list, sizeof(list)) : -1;

    for (long at = 0; at < length;) {
        const char *blank = memchr(list + at, ' ', (size_t)(length - at));
        long end = blank == NULL ? length : blank - list;
        add_room(out, name, (struct span){list + at, (size_t)(end - at)});
        at = end + 1;
    }
}

static void add_room(struct room_claims *out, const char *name, struct span room) {
    size_t length = strlen(name);

    if (!room_name_valid(room) || sizeof(out->texts) - out->length < length + room.length + 2) {
        return;
    }
    char *at = out->texts + out->length;
    memcpy(at, name, length);
    at[length] = ' ';
    memcpy(at + length + 1, room.data, room.length);
    at[length + 1 + room.length] = '\0';
    out->length += length + room.length + 2;
}
