#include "gateway/survey_members.h"

#include "common/room_name.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"

#include <stdlib.h>

static void personal(const struct worker *worker, enum room_kind kind, uint64_t hash,
                     struct span user_id, struct survey_answer *answer);
static void plain(const struct worker *worker, const struct room *room,
                  struct survey_answer *answer);
static void add(const struct worker *worker, uint32_t user, struct survey_answer *answer);
static bool is_new(uint8_t *seen, uint32_t user);

void survey_members(const struct worker *worker, struct span room, struct survey_answer *answer) {
    struct span key;

    if (!room_name_valid(room)) {
        return;
    }
    enum room_kind kind = room_name_kind(room, &key);
    uint64_t hash = room_name_hash(&worker->view.segment.header->hash_key, key);
    if (kind != ROOM_PLAIN) {
        personal(worker, kind, hash, key, answer);
        return;
    }
    const struct room *found = room_find(&worker->fanout->rooms, hash, room);
    if (found != NULL) {
        plain(worker, found, answer);
    }
}

static void personal(const struct worker *worker, enum room_kind kind, uint64_t hash,
                     struct span user_id, struct survey_answer *answer) {
    const struct user *user = user_find(&worker->fanout->users, hash, user_id);
    uint32_t index = user != NULL ? user->first_conn : 0;

    for (; index != 0; index = conn_at(worker, index)->user_next) {
        const struct conn *conn = conn_at(worker, index);
        if (conn_is_open(conn) && (conn->personal & ROOM_KIND_BIT(kind)) != 0) {
            add(worker, conn->user, answer);
            return;
        }
    }
}

/* `seen` has a bit for each user of this worker. */
static void plain(const struct worker *worker, const struct room *room,
                  struct survey_answer *answer) {
    uint8_t *seen = room->count <= SURVEY_MEMBERS_LOOKED
                        ? calloc(worker->fanout->users.users.next_new / 8 + 1, 1)
                        : NULL;

    for (uint32_t i = 0; seen != NULL && i < room->count; i++) {
        const struct conn *conn = conn_at(worker, room->listeners[i]);
        if (conn_is_open(conn) && is_new(seen, conn->user)) {
            add(worker, conn->user, answer);
        }
    }
    if (seen == NULL) {
        answer->total = room->count;
    }
    free(seen);
}

static bool is_new(uint8_t *seen, uint32_t user) {
    uint8_t bit = (uint8_t)(1u << (user % 8));
    bool first = (seen[user / 8] & bit) == 0;

    seen[user / 8] |= bit;
    return first;
}

static void add(const struct worker *worker, uint32_t user, struct survey_answer *answer) {
    struct span id = user_id(&worker->fanout->users, user);

    answer->total++;
    if (answer->count < SURVEY_ROWS && id.length <= SURVEY_NAME_BYTES) {
        struct survey_row *row = &answer->rows[answer->count++];
        row->length = (uint16_t)id.length;
        memcpy(row->name, id.data, id.length);
    }
}
