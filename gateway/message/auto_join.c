#include "gateway/message/auto_join.h"

#include "gateway/access/jwt_claims.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/room_lease.h"
#include "gateway/message/subscribe_later.h"

#include <stdio.h>

#define PLACEHOLDER "{userId}"

static bool next_name(const char **at, struct span *name);
static const char *name_fault(struct span name, struct span longest_user_id);
static long expand(struct span name, struct span user_id, char *room);
static int join_one(struct worker *worker, struct conn *conn, struct span room, cJSON *joined);

int auto_join_check(const char *rooms, char *error, size_t error_size) {
    char longest[ROOM_NAME_MAX_BYTES];
    struct span user_id = {longest, sizeof(longest)};
    struct span name;
    const char *at = rooms;
    unsigned count = 0;

    memset(longest, 'u', sizeof(longest));
    while (!jwt_claims_user_id_valid(user_id)) {
        user_id.length--;
    }
    while (next_name(&at, &name)) {
        const char *fault =
            ++count > AUTO_JOIN_MAX_ROOMS ? "one of more than 64 rooms" : name_fault(name, user_id);
        if (fault != NULL) {
            (void)snprintf(
                error, error_size,
                "AUTO_JOIN_ROOMS: \"%.*s\" is %s; allowed are room names separated by commas, "
                "with {userId} for the user",
                SPAN_ARGS(name), fault);
            return -EINVAL;
        }
    }
    return 0;
}

int auto_join_rooms(struct worker *worker, struct conn *conn, cJSON *joined) {
    struct span user_id = conn_user_id(worker, conn);
    const char *at = worker->options->auto_join_rooms;
    char room[ROOM_NAME_MAX_BYTES];
    struct span name;

    while (next_name(&at, &name)) {
        long length = expand(name, user_id, room);
        int error;
        if (length < 0) {
            continue; /* auto_join_check has seen to it that this does not happen */
        }
        error = join_one(worker, conn, (struct span){room, (size_t)length}, joined);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

bool auto_join_names(const char *rooms, struct span user_id, struct span room) {
    char expanded[ROOM_NAME_MAX_BYTES];
    struct span name;

    while (next_name(&rooms, &name)) {
        long length = expand(name, user_id, expanded);
        if (length >= 0 && span_equal(room, (struct span){expanded, (size_t)length})) {
            return true;
        }
    }
    return false;
}

/* Without the blanks around it; false at the end. An empty list has no name, not one empty name. */
static bool next_name(const char **at, struct span *name) {
    const char *from = *at;
    size_t length;

    if (from == NULL || from[strspn(from, " ")] == '\0') {
        return false;
    }
    from += strspn(from, " ");
    length = strcspn(from, ",");
    *at = from[length] == '\0' ? NULL : from + length + 1;
    while (length > 0 && from[length - 1] == ' ') {
        length--;
    }
    *name = (struct span){from, length};
    return true;
}

/* NULL: there is none. */
static const char *name_fault(struct span name, struct span longest_user_id) {
    char room[ROOM_NAME_MAX_BYTES];
    struct span key;
    long length = expand(name, longest_user_id, room);

    if (length == -ENOSPC) {
        return "too long, at most 128 bytes with the longest user id";
    }
    if (length < 0) {
        return "no room name";
    }
    if (room_name_kind((struct span){room, (size_t)length}, &key) != ROOM_PLAIN &&
        !span_equal(key, longest_user_id)) {
        return "one user's personal room, which nobody else may join";
    }
    return NULL;
}

/* The length of what came out, -ENOSPC, or -EINVAL when that is no room name. */
static long expand(struct span name, struct span user_id, char *room) {
    const size_t placeholder = sizeof(PLACEHOLDER) - 1;
    size_t used = 0;

    for (size_t i = 0; i < name.length;) {
        bool here =
            name.length - i >= placeholder && memcmp(name.data + i, PLACEHOLDER, placeholder) == 0;
        struct span piece = here ? user_id : (struct span){name.data + i, 1};
        if (piece.length > ROOM_NAME_MAX_BYTES - used) {
            return -ENOSPC;
        }
        memcpy(room + used, piece.data, piece.length);
        used += piece.length;
        i += here ? placeholder : 1;
    }
    return room_name_valid((struct span){room, used}) ? (long)used : -EINVAL;
}

static int join_one(struct worker *worker, struct conn *conn, struct span room, cJSON *joined) {
    char name[ROOM_NAME_MAX_BYTES + 1];
    enum policy_result allowed = policy_ask_now(worker, conn, POLICY_JOIN, room);
    int result;

    memcpy(name, room.data, room.length);
    name[room.length] = '\0';
    if (allowed == POLICY_LATER) {
        subscribe_later(worker, conn, name, room, NULL);
    }
    if (allowed == POLICY_LATER || allowed == POLICY_DENY) {
        return 0;
    }
    result = room_lease_join(worker, conn, room);
    if (result != 1) {
        return result; /* 0: named twice in the list */
    }
    return cJSON_AddItemToArray(joined, cJSON_CreateString(name)) ? 0 : -ENOMEM;
}
