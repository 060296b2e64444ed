/* The labels' partners stand in ring_append.c and room_index.c. */
#include "shm/room_walk.h"

/* What a hop copies: bounded, whatever lies there. */
struct hop {
    _Alignas(8) unsigned char record[sizeof(struct record)];
    struct record_room rooms[RECORD_MAX_ROOMS];
};
/* The words that a name of the greatest length can touch. */
#define NAME_BYTES (ROOM_NAME_MAX_BYTES + 16u)

static int hop(struct room_walk *walk, uint64_t position, struct room_hit *hit);
static bool copy_hop(const struct segment *segment, uint64_t position, struct hop *out);
static bool is_room(const struct room_walk *walk, uint64_t position, const struct hop *at);
static bool key_matches(const struct room_walk *walk, uint64_t position,
                        const struct record_room *room);
static bool follow(struct room_walk *walk, const struct hop *at);
static const struct record_room *find_slot(const struct hop *at, uint32_t slot);
static bool overwritten(const struct segment *segment, uint64_t position);

static const struct record *record_of(const struct hop *at) {
    return (const void *)at->record;
}

void room_walk_start(struct room_walk *walk, const struct segment *segment, uint64_t hash,
                     struct span key, unsigned kinds, enum room_chain chain) {
    *walk = (struct room_walk){
        .segment = segment,
        .hash = hash,
        .chain = chain,
        .most = UINT64_MAX,
        .key = key,
        .kinds = kinds,
        .slot = room_index_slot(segment, room_index_hash(hash, chain)),
    };
    walk->link = load_acquire(&segment->rooms->heads[walk->slot]); /* room_walk_start:B */
}

uint64_t room_walk_indexed(const struct segment *segment) {
    return load_acquire(&segment->words->indexed); /* room_walk_indexed:A, pair 4 */
}

int room_walk_next(struct room_walk *walk, uint64_t stop, struct room_hit *hit) {
    enum { PASSED = 100 };
    int result = PASSED;

    while (result == PASSED) {
        uint64_t position = walk->link - 1;
        if (walk->link == ROOM_INDEX_NONE || position < stop)
            return ROOM_WALK_END;
        if (walk->hops >= walk->most)
            return ROOM_WALK_PAUSED;
        hit->length = 0;
        result = hop(walk, position, hit);
        if (result == ROOM_WALK_HIT && hit->length == 0)
            result = PASSED; /* another room's */
    }
    return result;
}

/* To the next link. hit->length stays 0 when the record is not of the room. */
static int hop(struct room_walk *walk, uint64_t position, struct room_hit *hit) {
    const struct segment *segment = walk->segment;
    struct hop at;

    walk->hops++;
    bool sane = copy_hop(segment, position, &at);
    bool found = sane && is_room(walk, position, &at);
    if (overwritten(segment, position)) /* asked after the last byte was copied */
        return ROOM_WALK_LAPPED;
    if (!sane || !follow(walk, &at))
        return -EBADMSG;
    const struct record *record = record_of(&at);
    if (found)
        *hit = (struct room_hit){
            .position = position,
            .length = record->length,
            .partition = record->partition,
            .offset = record->offset,
            .expiry_ms = record->expiry_ms,
            .kind = record->kind,
            .flags = record->flags,
            .sample_ms = record->sample_ms,
            .snapshot_slot = record->snapshot_slot,
        };
    return ROOM_WALK_HIT;
}

static const unsigned char *bytes_at(const struct segment *segment, uint64_t position) {
    return segment->ring + (position & (segment->header->ring_capacity - 1));
}

/* Header and rooms, as far as they can be a record's: false leaves `out` undefined. */
static bool copy_hop(const struct segment *segment, uint64_t position, struct hop *out) {
    uint64_t capacity = segment->header->ring_capacity;
    uint64_t to_end = capacity - (position & (capacity - 1));
    const struct record *record = record_of(out);

    if (position % RECORD_ALIGN != 0 || to_end < sizeof(*record))
        return false;
    order_copy_out(out->record, bytes_at(segment, position), sizeof(*record));
    size_t rooms = record->room_count * sizeof(struct record_room);
    if (record->kind < RECORD_EVENT || record->kind > RECORD_CONTROL || record->room_count == 0 ||
        record->room_count > RECORD_MAX_ROOMS || record->length > to_end ||
        record->length < sizeof(*record) + rooms)
        return false;
    order_copy_out(out->rooms, bytes_at(segment, position + sizeof(*record)), rooms);
    return true;
}

static bool is_room(const struct room_walk *walk, uint64_t position, const struct hop *at) {
    const struct record *record = record_of(at);

    if (room_index_chain(record) != walk->chain)
        return false;
    for (unsigned i = 0; i < record->room_count; i++) {
        const struct record_room *room = &at->rooms[i];
        if (room->hash == walk->hash && room->kind < ROOM_KIND_COUNT &&
            (walk->kinds & 1u << room->kind) && room->name_length == walk->key.length &&
            room->name_at <= record->length &&
            room->name_length <= record->length - room->name_at &&
            key_matches(walk, position, room))
            return true;
    }
    return false;
}

/* Copies whole words, as everything is copied out of the ring (shm/order.h). The record ends at a word's
 * bound, so they lie within it. */
static bool key_matches(const struct room_walk *walk, uint64_t position,
                        const struct record_room *room) {
    _Alignas(8) unsigned char words[NAME_BYTES];
    uint32_t from = room->name_at & ~(uint32_t)(RECORD_ALIGN - 1);
    uint32_t to =
        (room->name_at + room->name_length + RECORD_ALIGN - 1) & ~(uint32_t)(RECORD_ALIGN - 1);

    if (to - from > sizeof(words))
        return false;
    order_copy_out(words, bytes_at(walk->segment, position + from), to - from);
    return memcmp(words + (room->name_at - from), walk->key.data, walk->key.length) == 0;
}

/* Along the chain by which it came here. A room that got a slot of its own later goes on, where its slot's
 * chain begins, with what its bucket held then. */
static bool follow(struct room_walk *walk, const struct hop *at) {
    const struct record_room *room = find_slot(at, walk->slot);
    if (room == NULL) {
        walk->slot =
            room_index_shared_slot(walk->segment, room_index_hash(walk->hash, walk->chain));
        room = find_slot(at, walk->slot);
    }
    if (room == NULL || room->previous >= walk->link)
        return false;
    walk->link = room->previous;
    return true;
}

static const struct record_room *find_slot(const struct hop *at, uint32_t slot) {
    for (unsigned i = 0; i < record_of(at)->room_count; i++)
        if (at->rooms[i].slot == slot)
            return &at->rooms[i];
    return NULL;
}

static bool overwritten(const struct segment *segment, uint64_t position) {
    fence_acquire(); /* room_walk:C, pair 1: the copy first, then intent */
    return position + segment->header->ring_capacity < load_relaxed(&segment->words->intent);
}
