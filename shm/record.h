/* A record: one event as it lies in the ring.
 *
 *   0  length u32      whole record, multiple of 8, header included
 *   4  kind u16        enum record_kind; RECORD_PAD fills the ring's end (only length and kind are valid)
 *   6  flags u16       enum record_flag
 *   8  sequence u64    1, 2, 3 … per ring (a lap is counted exactly by it)
 *  16  offset i64      in its topic-partition
 *  24  partition u32   index into the positions table (shm/positions.h), or RECORD_NO_PARTITION
 *  28  room_count u16  at most RECORD_MAX_ROOMS
 *  30  sample_ms u16   of its key clients get at most one value in so long (gateway/delivery/sample.h); 0: each
 *  32  kafka_time_ms i64    wall time
 *  40  ingest_time_ns u64   CLOCK_MONOTONIC of this host, when ingest appended it
 *  48  sender u64      connection that published it and is left out; 0: none
 *  56  expiry_ms i64   wall time after which it is not delivered; 0: never
 *  64  former u64     how far back the record of its key's value before lies (shm/snapshot_table.h); 0: none
 *  72  envelope_at u32      from the record's start
 *  76  envelope_length u32
 *  80  checksum u32    of envelope and names; 0: not computed (torture builds only)
 *  84  snapshot_slot u32    1 + its key's slot in the snapshot table (shm/snapshot_table.h); 0: none
 *  88  rooms[room_count] of struct record_room (32 bytes each)
 *   …  room names, then the envelope, then zero bytes up to a multiple of 8
 *
 * Writer: ingest alone. Readers copy a record out before they look at it, and check every length. */
#ifndef MOONX_SHM_RECORD_H
#define MOONX_SHM_RECORD_H

#include "common/base.h"
#include "common/room_name.h"

#define RECORD_MAX_ROOMS 64
#define RECORD_ALIGN     8
/* `partition` of a record that comes from none. */
#define RECORD_NO_PARTITION UINT32_MAX

enum record_kind { RECORD_PAD = 1, RECORD_EVENT = 2, RECORD_HISTORY = 3, RECORD_CONTROL = 4 };

enum record_flag {
    RECORD_FLAG_CONFLATED = 1u << 0, /* only the newest of its key counts for who was away */
    RECORD_FLAG_EPHEMERAL = 1u << 1, /* for who is there now: never in a resume */
};

struct record_room {
    uint64_t hash;        /* room_name_hash() of the key (user id or whole name) */
    uint64_t previous;    /* link to the slot's record before; set by ring_append_commit() */
    uint32_t name_at;     /* from the record's start: the key's bytes */
    uint16_t name_length; /* 1..ROOM_NAME_MAX_BYTES */
    uint16_t kind;        /* enum room_kind */
    uint32_t slot;        /* of the room index (shm/room_index.h); set by ring_append_commit() */
    uint32_t reserved;
};
static_assert(sizeof(struct record_room) == 32, "record layout");

struct record {
    uint32_t length;
    uint16_t kind;
    uint16_t flags;
    uint64_t sequence;
    int64_t offset;
    uint32_t partition;
    uint16_t room_count;
    uint16_t sample_ms;
    int64_t kafka_time_ms;
    uint64_t ingest_time_ns;
    uint64_t sender;
    int64_t expiry_ms;
    uint64_t former;
    uint32_t envelope_at;
    uint32_t envelope_length;
    uint32_t checksum;
    uint32_t snapshot_slot;
    struct record_room rooms[];
};
static_assert(offsetof(struct record, rooms) == 88, "record layout");

/* True when every length and offset inside a copied record stays within its `length` bytes: nothing may be
 * read from a record before this has said yes. */
bool record_valid(const struct record *record, size_t available);

/* Longest record of a ring of that capacity: an eighth of it. A length is 32 bits wide, however large the ring. */
static inline uint64_t record_limit(uint64_t ring_capacity) {
    return ring_capacity / 8 < 1u << 31 ? ring_capacity / 8 : 1u << 31;
}

static inline struct span record_envelope(const struct record *record) {
    return (struct span){(const char *)record + record->envelope_at, record->envelope_length};
}
static inline struct span record_room_key(const struct record *record, unsigned room) {
    return (struct span){(const char *)record + record->rooms[room].name_at,
                         record->rooms[room].name_length};
}

#endif
