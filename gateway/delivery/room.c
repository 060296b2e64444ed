#include "gateway/delivery/room.h"

#include "gateway/connection/conn_table.h"

#include <stdlib.h>

/* Where one membership stands: a place in one of the connection's nodes. */
struct place {
    struct member_node *node;
    unsigned at;
};

static struct room *room_at(const struct room_table *table, uint32_t index) {
    return slab_at(&table->rooms, index);
}

static struct member_node *node_at(const struct room_table *table, uint32_t index) {
    return slab_at(&table->nodes, index);
}

static uint64_t hash_of(const void *owner, uint32_t index) {
    return room_at(owner, index)->hash;
}

static bool has_key(const void *owner, uint32_t index, struct span key) {
    const struct room *room = room_at(owner, index);
    return span_equal((struct span){room->name, room->name_length}, key);
}

void room_table_init(struct room_table *table, struct interest *interest,
                     const struct slab *conns) {
    static const struct index_table_owner calls = {hash_of, has_key};
    slab_init(&table->rooms, sizeof(struct room));
    slab_init(&table->nodes, sizeof(struct member_node));
    index_table_init(&table->by_name, &calls, table);
    table->interest = interest;
    table->conns = conns;
}

void room_table_done(struct room_table *table) {
    for (uint32_t i = 1; i < table->rooms.next_new; i++) {
        free(room_at(table, i)->name);
        free(room_at(table, i)->listeners);
    }
    index_table_done(&table->by_name);
    slab_done(&table->rooms);
    slab_done(&table->nodes);
}

const struct room *room_find(const struct room_table *table, uint64_t hash, struct span name) {
    uint32_t index = index_table_find(&table->by_name, hash, name);
    return index != 0 ? room_at(table, index) : NULL;
}

/* The connection's place that holds `room` (0: a free one). */
static bool find_place(const struct room_table *table, const struct conn *conn, uint32_t room,
                       struct place *out) {
    for (uint32_t index = conn->members; index != 0; index = node_at(table, index)->next) {
        struct member_node *node = node_at(table, index);
        for (unsigned at = 0; at < MEMBER_NODE_ROOMS; at++) {
            if (node->room[at] == room) {
                *out = (struct place){node, at};
                return true;
            }
        }
    }
    return false;
}

/* Appends a node, so that rooms stay in the order of joining. */
static bool add_node(struct room_table *table, struct conn *conn, struct place *out) {
    uint32_t index = slab_take(&table->nodes);
    if (index == 0) {
        return false;
    }
    uint32_t *link = &conn->members;
    while (*link != 0) {
        link = &node_at(table, *link)->next;
    }
    *link = index;
    *out = (struct place){node_at(table, index), 0};
    return true;
}

static bool is_presence(const struct room *room) {
    static const size_t length = sizeof(ROOM_PRESENCE) - 1;
    return room->name_length > length && memcmp(room->name, ROOM_PRESENCE, length) == 0;
}

static uint32_t room_new(struct room_table *table, uint64_t hash, struct span name) {
    char *copy = malloc(name.length);
    uint32_t index = copy != NULL ? slab_take(&table->rooms) : 0;
    if (index == 0) {
        free(copy);
        return 0;
    }
    memcpy(copy, name.data, name.length);
    *room_at(table, index) =
        (struct room){.hash = hash, .name = copy, .name_length = (uint16_t)name.length};
    if (index_table_add(&table->by_name, hash, index) != 0) {
        free(copy);
        slab_give(&table->rooms, index);
        return 0;
    }
    interest_add(table->interest, hash);
    interest_watch(table->interest, is_presence(room_at(table, index)));
    return index;
}

static void room_drop(struct room_table *table, uint32_t index) {
    struct room *room = room_at(table, index);
    interest_remove(table->interest, room->hash);
    interest_watch(table->interest, -is_presence(room));
    index_table_remove(&table->by_name, room->hash, index);
    free(room->name);
    free(room->listeners);
    slab_give(&table->rooms, index);
}

static bool room_make_room(struct room *room) {
    if (room->count < room->capacity) {
        return true;
    }
    /* half as much again: the listener arrays are part of what an idle connection costs */
    uint32_t capacity = room->capacity < 4 ? 4 : room->capacity + room->capacity / 2;
    uint32_t *listeners = realloc(room->listeners, capacity * sizeof *listeners);
    if (listeners == NULL) {
        return false;
    }
    room->listeners = listeners;
    room->capacity = capacity;
    return true;
}

int room_join(struct room_table *table, struct conn *conn, uint64_t hash, struct span name) {
    struct place place;
    uint32_t index = index_table_find(&table->by_name, hash, name);
    if (index != 0 && find_place(table, conn, index, &place)) {
        return 0;
    }
    if (!find_place(table, conn, 0, &place) && !add_node(table, conn, &place)) {
        return -ENOMEM;
    }
    if (index == 0) {
        index = room_new(table, hash, name);
    }
    if (index == 0) {
        return -ENOMEM;
    }
    struct room *room = room_at(table, index);
    if (!room_make_room(room)) {
        if (room->count == 0) {
            room_drop(table, index);
        }
        return -ENOMEM;
    }
    place.node->room[place.at] = index;
    place.node->slot[place.at] = room->count;
    room->listeners[room->count++] = conn->self;
    return 1;
}

/* The last listener takes the slot of the one who leaves. */
static void leave_place(struct room_table *table, struct place place) {
    uint32_t index = place.node->room[place.at], slot = place.node->slot[place.at];
    struct room *room = room_at(table, index);
    place.node->room[place.at] = 0;
    place.node->slot[place.at] = 0;
    uint32_t moved = room->listeners[--room->count];
    if (slot != room->count) {
        room->listeners[slot] = moved;
        struct place of_moved;
        if (find_place(table, slab_at(table->conns, moved), index, &of_moved)) {
            of_moved.node->slot[of_moved.at] = slot;
        }
    }
    if (room->count == 0) {
        room_drop(table, index);
    }
}

int room_leave(struct room_table *table, struct conn *conn, uint64_t hash, struct span name) {
    struct place place;
    uint32_t index = index_table_find(&table->by_name, hash, name);
    if (index == 0 || !find_place(table, conn, index, &place)) {
        return 0;
    }
    leave_place(table, place);
    return 1;
}

void room_leave_all(struct room_table *table, struct conn *conn) {
    while (conn->members != 0) {
        uint32_t index = conn->members;
        struct member_node *node = node_at(table, index);
        for (unsigned at = 0; at < MEMBER_NODE_ROOMS; at++) {
            if (node->room[at] != 0) {
                leave_place(table, (struct place){node, at});
            }
        }
        conn->members = node->next;
        slab_give(&table->nodes, index);
    }
}

bool room_has(const struct room_table *table, const struct conn *conn, uint64_t hash,
              struct span name) {
    struct place place;
    uint32_t index = index_table_find(&table->by_name, hash, name);
    return index != 0 && find_place(table, conn, index, &place);
}

void room_each(const struct room_table *table, const struct conn *conn, room_visit *visit,
               void *context) {
    for (uint32_t index = conn->members; index != 0; index = node_at(table, index)->next) {
        const struct member_node *node = node_at(table, index);
        for (unsigned at = 0; at < MEMBER_NODE_ROOMS; at++) {
            if (node->room[at] != 0) {
                const struct room *room = room_at(table, node->room[at]);
                visit(context, (struct span){room->name, room->name_length});
            }
        }
    }
}
