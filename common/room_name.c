#include "common/room_name.h"

/* clang-format off */
static const bool allowed[256] = {
    ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true,
    ['_'] = true, ['.'] = true, [':'] = true, ['@'] = true, ['|'] = true,
    ['+'] = true, ['='] = true, ['~'] = true, ['-'] = true,
};
/* clang-format on */

static const struct span prefixes[ROOM_KIND_COUNT] = {
    [ROOM_PLAIN] = {"", 0},
    [ROOM_USER] = {"user:", 5},
    [ROOM_PORTFOLIO] = {"portfolio:", 10},
    [ROOM_ORDERS] = {"orders:", 7},
    [ROOM_NOTIFICATIONS] = {"notifications:", 14},
};

bool room_name_valid(struct span name) {
    if (name.length == 0 || name.length > ROOM_NAME_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        if (!allowed[(unsigned char)name.data[i]]) {
            return false;
        }
    }
    return true;
}

enum room_kind room_name_kind(struct span name, struct span *key) {
    for (enum room_kind kind = ROOM_USER; kind < ROOM_KIND_COUNT; kind++) {
        struct span prefix = prefixes[kind];
        if (name.length > prefix.length && memcmp(name.data, prefix.data, prefix.length) == 0) {
            *key = (struct span){name.data + prefix.length, name.length - prefix.length};
            return kind;
        }
    }
    *key = name;
    return ROOM_PLAIN;
}

const char *room_name_prefix(enum room_kind kind) {
    return (unsigned)kind < ROOM_KIND_COUNT ? prefixes[kind].data : "";
}

uint64_t room_name_hash(const struct siphash_key *hash_key, struct span key) {
    return siphash(hash_key, key);
}
