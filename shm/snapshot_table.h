/* The snapshot table: the last value of each key of the conflated routes (`conflate=KEY`), for those who join a
 * room. Part of the segment; writer ingest (shm/snapshot_put.h), readers workers.
 * A value is the record as it lies in the ring, so that rooms, id and envelope come along.
 *
 *     changes, whole_from, dropped_at, kept_by[256] u64
 *     changed[L] u32                  slot + 1 of the last L changes: change number n stands at n % L
 *     slots[N], 192 bytes each        lock, positions, key
 *     cells[C], 128 bytes each        u32 next cell + 1, then 120 bytes of a value
 *
 * Each slot has a sequence lock: odd while it is written. A reader copies, and the copy is good if the lock was
 * even and is still the same. Nobody waits: a slot is written before its record is published, so a value that
 * is being written has a position that no reader has reached yet, and will come to him by the ring.
 *
 * The rule for a joiner who has read the ring up to `cursor`: the newest value at a position below it is his
 * snapshot, what stands at or above it comes live. No gap, and no double. When the slot is ahead of him, the value
 * below his cursor is still in the ring: each record leads back to its key's value before (`former`), and the slot to
 * the newest one that was published when its own was written (`settled`).
 *
 * A producer that is killed between slot and publish leaves positions that the ring may give to other records: its
 * successor takes those slots back to `settled` before it publishes anything (snapshot_put_open()); what came after
 * is read from Kafka again. */
#ifndef MOONX_SHM_SNAPSHOT_TABLE_H
#define MOONX_SHM_SNAPSHOT_TABLE_H

#include "shm/positions.h"
#include "shm/record.h"
#include "shm/segment.h"

#define SNAPSHOT_KEY_MAX_BYTES 120u
#define SNAPSHOT_CELL_BYTES    120u
#define SNAPSHOT_NOWHERE       UINT64_MAX

struct snapshot_slot {
    shm_u64 lock;
    shm_u64 position; /* of the value's record */
    shm_u64 since;    /* position of the first record of this key in this slot */
    shm_u64 kafka_time_ms;
    shm_u32 partition;
    shm_u32 first;      /* cell + 1; 0: the slot is free */
    shm_u32 length;     /* of the value */
    shm_u32 key_length; /* at most SNAPSHOT_KEY_MAX_BYTES */
    shm_u64 key_hash;   /* of topic and key */
    unsigned char key[SNAPSHOT_KEY_MAX_BYTES];
    shm_u64 settled; /* position of a value of this key, or SNAPSHOT_NOWHERE */
    uint64_t reserved;
};
static_assert(sizeof(struct snapshot_slot) == 192, "three cache lines each");

struct snapshot_cell {
    shm_u32 next;
    uint32_t reserved;
    unsigned char bytes[SNAPSHOT_CELL_BYTES];
};
static_assert(sizeof(struct snapshot_cell) == 128, "two cache lines each");

struct snapshot_table {
    shm_u64 changes;
    /* a value below this position may be missing, though it is its key's newest */
    shm_u64 whole_from;
    /* position of the last record before which a key lost its slot: of records from there on the slots are still their
     * keys' own, of earlier ones they may be another's */
    shm_u64 dropped_at;
    /* by which rooms and key a topic's values are kept; 0: by none */
    shm_u64 kept_by[POSITIONS_MAX_TOPICS];
};

/* What fits into so many bytes; 64 KiB at least, 16 GiB at most. */
struct snapshot_shape snapshot_table_shape(uint64_t bytes);

static inline shm_u32 *snapshot_table_changed(const struct segment *segment) {
    return (shm_u32 *)(void *)((char *)segment->snapshots + segment->snapshot_shape.changed_at);
}
static inline struct snapshot_slot *snapshot_table_slot(const struct segment *segment,
                                                        uint32_t slot) {
    return (struct snapshot_slot *)(void *)((char *)segment->snapshots +
                                            segment->snapshot_shape.slots_at) +
           slot;
}
static inline struct snapshot_cell *snapshot_table_cell(const struct segment *segment,
                                                        uint32_t cell) {
    return (struct snapshot_cell *)(void *)((char *)segment->snapshots +
                                            segment->snapshot_shape.cells_at) +
           cell;
}

/* From now on. The producer's, for a topic of which no value is kept yet, or for one that is kept so already; else
 * snapshot_put_topic(), which has those of before go. */
static inline void snapshot_table_keep(const struct segment *segment, uint32_t topic,
                                       uint64_t kept_by) {
    store_relaxed(&segment->snapshots->kept_by[topic], kept_by);
}

/* A copied slot. The record lies in the caller's buffer. */
struct snapshot_value {
    _Alignas(8) char key[SNAPSHOT_KEY_MAX_BYTES];
    uint32_t key_length;
    uint64_t position;
    uint64_t since; /* position of the first record of this key in this slot */
    uint64_t settled;
    const struct record *record;
};

enum snapshot_result {
    SNAPSHOT_OK,
    SNAPSHOT_FREE, /* no key has this slot (any more) */
    SNAPSHOT_LATER, /* its record lies at or above `cursor` and comes live; *out is filled in all the same */
    SNAPSHOT_BUSY, /* it is being written, now or by a producer that was killed: its record is not published yet */
};

/* buffer: aligned to 8, of at least snapshot_table_longest() bytes. */
enum snapshot_result snapshot_table_read(const struct segment *segment, uint32_t slot,
                                         uint64_t cursor, void *buffer,
                                         struct snapshot_value *out) MUST_CHECK;
/* The longest value that is kept: so that no single one takes the place of many. */
size_t snapshot_table_longest(const struct segment *segment);

/* Whether a later record of its key has taken the place of this one, at `position` in the ring: then who
 * catches up is spared it. snapshot_slot as in the record. */
bool snapshot_table_superseded(const struct segment *segment, uint32_t snapshot_slot,
                               uint64_t position);

/* True: of each key that has had a value at `position` or behind, the newest is in the table. Not so when keys have given
 * way for want of space, or a producer was killed while it wrote. */
bool snapshot_table_whole_since(const struct segment *segment, uint64_t position);
/* Whether the slot is still that of this record's key, in whose own value or a later one it ends. */
bool snapshot_table_holds(const struct segment *segment, uint32_t snapshot_slot, uint64_t position);

/* Walks the slots that changed since `*seen`, which it moves on: calls visit() for each, some twice; for all
 * slots when more has happened than the log holds. */
typedef void snapshot_visit(void *context, uint32_t slot);
void snapshot_table_changes(const struct segment *segment, uint64_t *seen, snapshot_visit *visit,
                            void *context);

#endif
