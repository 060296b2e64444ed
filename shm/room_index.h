/* The room index: from a room to its records in the ring, newest first. No names and no eviction: a head for
 * each bucket of room hashes, and from there the record's own links.
 *
 *     own_hash[512]   hash of a room that has a slot of its own; 0: free. Open addressing, half full at most
 *     heads[512 + B]  link of the newest record: of the own rooms' slots, then of the buckets
 *
 * A link is a position + 1, 0 is none: so pages nobody has used stay untouched. A record's room carries its
 * slot and the link that was the slot's head before (struct record_room). Rooms without placeholders (all
 * hear `prices`) get own slots, or every walk of a private room in the same bucket would cross their records.
 *
 * A room has two chains, each with a slot of its own or a bucket: its events, and the values of conflated routes
 * (RECORD_FLAG_CONFLATED), of which only each key's newest counts for who was away. There may be a thousand times as
 * many of those, and who looks for the events does not walk over them.
 *
 * Part of the segment; writer ingest, readers workers. A head is stored after its record is published and
 * never decreases; a link leads to a lower position. What [indexed, published) holds may be missing still. */
#ifndef MOONX_SHM_ROOM_INDEX_H
#define MOONX_SHM_ROOM_INDEX_H

#include "shm/record.h"
#include "shm/segment.h"

#define ROOM_INDEX_OWN         512u
#define ROOM_INDEX_MIN_BUCKETS 64u
#define ROOM_INDEX_MAX_BUCKETS (4u << 20)
#define ROOM_INDEX_NONE        0u

struct room_index {
    shm_u64 own_hash[ROOM_INDEX_OWN];
    shm_u64 heads[]; /* ROOM_INDEX_OWN + room_index_buckets() */
};

/* One for each 128 bytes of the ring, a power of two. */
uint32_t room_index_buckets(uint64_t ring_capacity);
size_t room_index_size(uint64_t ring_capacity);

/* Index into heads: the chain's own slot, else its bucket's. hash: room_index_hash(). */
uint32_t room_index_slot(const struct segment *segment, uint64_t hash);
/* The bucket's slot, whether or not the chain has one of its own. */
uint32_t room_index_shared_slot(const struct segment *segment, uint64_t hash);
/* False: no slot of this segment. For what is read from a record. */
bool room_index_slot_valid(const struct segment *segment, uint32_t slot);

/* Gives the chain a slot of its own, which begins with what its bucket holds; nothing when it has one. -ENOSPC
 * when half of the slots are taken: it stays in its bucket. Writer only, while nothing is committed that is
 * not published. */
int room_index_add_own(struct segment *segment, uint64_t hash) MUST_CHECK;
/* The record at `position` is published: it heads the slot, unless a later one does already. Writer only. */
void room_index_raise(struct segment *segment, uint32_t slot, uint64_t position);

enum room_chain { ROOM_CHAIN_EVENTS, ROOM_CHAIN_VALUES };

/* The chain that a record is in, in each of its rooms. */
static inline enum room_chain room_index_chain(const struct record *record) {
    return record->flags & RECORD_FLAG_CONFLATED ? ROOM_CHAIN_VALUES : ROOM_CHAIN_EVENTS;
}

/* What stands for one of the room's chains, in own_hash and by bucket. Never the same bucket for both. */
static inline uint64_t room_index_hash(uint64_t room_hash, enum room_chain chain) {
    return chain == ROOM_CHAIN_VALUES ? room_hash ^ 0x5ca1ab1e0ddba115ull : room_hash;
}

static inline uint64_t room_index_link(uint64_t position) {
    return position + 1;
}

#endif
