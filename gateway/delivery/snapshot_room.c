#include "gateway/delivery/snapshot_room.h"

#include "gateway/delivery/snapshot_mirror.h"

#include <stdlib.h>

struct room_key {
    uint64_t hash;
    struct span text;
    char bytes[ROOM_NAME_MAX_BYTES + 1];
};

static uint32_t place_in(const struct snapshots *all, const struct snapshot_room *room,
                         uint32_t slot);
static struct snapshot_room *room_make(struct snapshots *all, const struct room_key *key);
static void room_drop(struct snapshots *all, uint32_t index);

static struct snapshot_room *room_at(const struct snapshots *all, uint32_t index) {
    return slab_at(&all->rooms, index);
}

static uint64_t hash_of(const void *owner, uint32_t index) {
    return room_at(owner, index)->hash;
}

static bool has_key(const void *owner, uint32_t index, struct span key) {
    const struct snapshot_room *room = room_at(owner, index);
    return span_equal((struct span){room->name, room->name_length}, key);
}

static void room_key_set(struct room_key *key, uint64_t hash, unsigned kind, struct span name) {
    key->hash = hash;
    key->bytes[0] = (char)kind;
    memcpy(key->bytes + 1, name.data, name.length);
    key->text = (struct span){key->bytes, name.length + 1};
}

void snapshot_room_init(struct snapshots *all) {
    static const struct index_table_owner calls = {hash_of, has_key};
    slab_init(&all->rooms, sizeof(struct snapshot_room));
    index_table_init(&all->by_name, &calls, all);
}

void snapshot_room_done(struct snapshots *all) {
    for (uint32_t i = 1; i < all->rooms.next_new; i++) {
        free(room_at(all, i)->name);
        free(room_at(all, i)->slots);
    }
    index_table_done(&all->by_name);
    slab_done(&all->rooms);
}

struct snapshot_room *snapshot_room_find(const struct snapshots *all, uint64_t hash, unsigned kind,
                                         struct span name) {
    struct room_key key;
    room_key_set(&key, hash, kind, name);
    uint32_t index = index_table_find(&all->by_name, key.hash, key.text);
    return index != 0 ? room_at(all, index) : NULL;
}

bool snapshot_room_enter(struct snapshots *all, uint32_t slot, unsigned room) {
    const struct record *head = all->mirrors[slot].head;
    struct room_key key;
    room_key_set(&key, head->rooms[room].hash, head->rooms[room].kind, record_room_key(head, room));
    struct snapshot_room *entered = room_make(all, &key);
    if (entered == NULL) {
        return false;
    }
    if (entered->count == entered->capacity) {
        uint32_t capacity = entered->capacity == 0 ? 4 : entered->capacity * 2;
        uint32_t *slots = realloc(entered->slots, capacity * sizeof *slots);
        if (slots == NULL) {
            return false;
        }
        entered->slots = slots;
        entered->capacity = capacity;
    }
    uint32_t at = place_in(all, entered, slot);
    memmove(entered->slots + at + 1, entered->slots + at,
            (entered->count - at) * sizeof *entered->slots);
    entered->slots[at] = slot;
    entered->count++;
    return true;
}

void snapshot_room_leave(struct snapshots *all, uint32_t slot) {
    const struct record *head = all->mirrors[slot].head;
    for (unsigned i = 0; i < head->room_count; i++) {
        struct room_key key;
        room_key_set(&key, head->rooms[i].hash, head->rooms[i].kind, record_room_key(head, i));
        uint32_t index = index_table_find(&all->by_name, key.hash, key.text);
        struct snapshot_room *room = index != 0 ? room_at(all, index) : NULL;
        uint32_t at = room != NULL ? place_in(all, room, slot) : 0;
        if (room != NULL && at < room->count && room->slots[at] == slot) {
            room->count--;
            memmove(room->slots + at, room->slots + at + 1,
                    (room->count - at) * sizeof *room->slots);
        }
        if (room != NULL && room->count == 0) {
            room_drop(all, index);
        }
    }
}

/* By key, then by slot: the same key may come from two topics. */
static int compare(const struct snapshots *all, uint32_t a, uint32_t b) {
    const struct snapshot_mirror *left = &all->mirrors[a], *right = &all->mirrors[b];
    size_t shorter = left->key_length < right->key_length ? left->key_length : right->key_length;
    int order = memcmp(left->key, right->key, shorter);
    if (order == 0) {
        order = (int)left->key_length - (int)right->key_length;
    }
    return order != 0 ? order : (a > b) - (a < b);
}

/* Where it stands in the room, or would stand. */
static uint32_t place_in(const struct snapshots *all, const struct snapshot_room *room,
                         uint32_t slot) {
    uint32_t from = 0, to = room->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (compare(all, room->slots[middle], slot) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static struct snapshot_room *room_make(struct snapshots *all, const struct room_key *key) {
    uint32_t index = index_table_find(&all->by_name, key->hash, key->text);
    if (index != 0) {
        return room_at(all, index);
    }
    char *name = malloc(key->text.length);
    index = name != NULL ? slab_take(&all->rooms) : 0;
    if (index == 0) {
        free(name);
        return NULL;
    }
    memcpy(name, key->text.data, key->text.length);
    *room_at(all, index) = (struct snapshot_room){
        .hash = key->hash, .name = name, .name_length = (uint16_t)key->text.length};
    if (index_table_add(&all->by_name, key->hash, index) != 0) {
        free(name);
        slab_give(&all->rooms, index);
        return NULL;
    }
    return room_at(all, index);
}

static void room_drop(struct snapshots *all, uint32_t index) {
    struct snapshot_room *room = room_at(all, index);
    index_table_remove(&all->by_name, room->hash, index);
    free(room->name);
    free(room->slots);
    *room = (struct snapshot_room){0};
    slab_give(&all->rooms, index);
}
