#include "shm/room_index.h"

#define OWN_MAX (ROOM_INDEX_OWN / 2)

static uint32_t find_own(const struct room_index *index, uint64_t hash);

uint32_t room_index_buckets(uint64_t ring_capacity) {
    uint64_t buckets = ring_capacity / 128;
    if (buckets < ROOM_INDEX_MIN_BUCKETS)
        return ROOM_INDEX_MIN_BUCKETS;
    return buckets < ROOM_INDEX_MAX_BUCKETS ? (uint32_t)buckets : ROOM_INDEX_MAX_BUCKETS;
}

size_t room_index_size(uint64_t ring_capacity) {
    return sizeof(struct room_index) +
           ((size_t)ROOM_INDEX_OWN + room_index_buckets(ring_capacity)) * sizeof(shm_u64);
}

uint32_t room_index_slot(const struct segment *segment, uint64_t hash) {
    uint32_t at = find_own(segment->rooms, hash);
    if (hash != 0 && at < ROOM_INDEX_OWN && load_acquire(&segment->rooms->own_hash[at]) == hash)
        return at; /* room_index_slot:A pairs with room_index_add_own:A */
    return room_index_shared_slot(segment, hash);
}

uint32_t room_index_shared_slot(const struct segment *segment, uint64_t hash) {
    return ROOM_INDEX_OWN + ((uint32_t)hash & (segment->room_buckets - 1));
}

bool room_index_slot_valid(const struct segment *segment, uint32_t slot) {
    return slot < ROOM_INDEX_OWN + segment->room_buckets;
}

int room_index_add_own(struct segment *segment, uint64_t hash) {
    struct room_index *index = segment->rooms;
    uint32_t at = find_own(index, hash), used = 0;

    if (hash == 0 || at == ROOM_INDEX_OWN)
        return -ENOSPC;
    if (load_relaxed(&index->own_hash[at]) == hash)
        return 0;
    for (uint32_t i = 0; i < ROOM_INDEX_OWN; i++)
        used += load_relaxed(&index->own_hash[i]) != 0;
    if (used >= OWN_MAX)
        return -ENOSPC;
    uint32_t shared = room_index_shared_slot(segment, hash);
    store_relaxed(&index->heads[at], load_relaxed(&index->heads[shared]));
    store_release(&index->own_hash[at],
                  hash); /* room_index_add_own:A: with its head, or not at all */
    return 0;
}

void room_index_raise(struct segment *segment, uint32_t slot, uint64_t position) {
    shm_u64 *head = &segment->rooms->heads[slot];
    uint64_t link = room_index_link(position);
    /* A successor that redoes older records must not make a reader miss the newer ones. */
    if (load_relaxed(head) < link)
        store_release(head, link); /* room_index_raise:A pairs with room_walk_start:B */
}

/* The place of the hash, or the free one where it would be; ROOM_INDEX_OWN when the table is damaged (full). */
static uint32_t find_own(const struct room_index *index, uint64_t hash) {
    uint32_t at = (uint32_t)hash % ROOM_INDEX_OWN;
    for (uint32_t steps = 0; steps < ROOM_INDEX_OWN; steps++) {
        uint64_t there = load_relaxed(&index->own_hash[at]);
        if (there == hash || there == 0)
            return at;
        at = (at + 1) % ROOM_INDEX_OWN;
    }
    return ROOM_INDEX_OWN;
}
