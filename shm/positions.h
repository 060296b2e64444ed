/* Where consumption stands, per topic-partition: the truth that survives a killed ingest (the broker's
 * committed offsets only serve lag tools). Part of the segment; writer ingest, readers anyone.
 *
 * Entries are appended, never moved: a record's `partition` is an index into `partitions`. A new entry is
 * filled in, then `partition_count` is stored with release; a writer killed in between has added nothing.
 *
 * Who stores `next`: ring_append_publish(), for every record, in ring order, after the record is published;
 * what a kill leaves out is redone from the records by ring_append_open(). It becomes the record's
 * offset + 1 even when that is less than before (its topic was made anew). History is no exception: a
 * partition's history and what is live are one sequence in the ring, in the order of offsets, and `next`
 * below `live_from` says how far the history has been read. So an ingest that is killed in the middle of it
 * has a successor that goes on there, with neither loss nor double. Ingest stores `next` itself when it moves without a
 * record (start resolved, message rejected, gap, offsets gone back), and only while it has nothing committed
 * that is not published: else a kill would lose what is committed, or publish would overwrite the value. */
#ifndef MOONX_SHM_POSITIONS_H
#define MOONX_SHM_POSITIONS_H

#include "shm/order.h"

#define POSITIONS_MAX_TOPICS      256
#define POSITIONS_MAX_PARTITIONS  4096
#define POSITIONS_TOPIC_MAX_BYTES 249 /* Kafka's own limit */
#define POSITION_UNKNOWN          UINT64_MAX

struct positions_topic {
    uint32_t name_length;
    char name[POSITIONS_TOPIC_MAX_BYTES + 3];
};

/*  0 topic u32 | 4 number i32 | 8 next u64 | 16 live_from u64 | 24 high_watermark u64 | 32 gaps u64
 * 40 errors u64 | 48 whole_from u64 | 56 state u32 | 60 restarts u32 */
struct position {
    uint32_t topic; /* index into topics */
    int32_t number; /* partition number within its topic */
    shm_u64 next;   /* offset of the next message wanted; POSITION_UNKNOWN until resolved */
    shm_u64
        live_from; /* what lies below is history: the partition's end when it was first seen, stored
                      before the first fetch and kept; POSITION_UNKNOWN until then */
    shm_u64 high_watermark; /* the broker's, as last heard */
    shm_u64 gaps;           /* offsets that were lost to retention, counted */
    shm_u64 errors;         /* consume errors of this partition */
    shm_u64
        whole_from; /* from this offset on nothing that Kafka gave was left out: who asks for older ones
                           can't be served, even if some of them are in the ring */
    shm_u32 state;    /* enum position_state */
    shm_u32 restarts; /* how often offsets went back (topic recreated) */
};

static_assert(sizeof(struct position) == 64, "one cache line each");

/* A message that was taken: enough to know it again. By it a successor of ingest sees whether the topic is still the same
 * one (ingest/kafka_recheck.h). `offset` is POSITION_UNKNOWN while nothing is known, and while the rest is written. */
struct position_mark {
    shm_u64 offset;
    shm_u64 time_ms;
    shm_u64 length;
    uint64_t reserved;
};
static_assert(sizeof(struct position_mark) == 32, "two a cache line");

enum position_state { POSITION_IDLE, POSITION_ASSIGNED, POSITION_GONE };

struct positions {
    shm_u32 topic_count;
    shm_u32 partition_count;
    struct positions_topic topics[POSITIONS_MAX_TOPICS];
    struct position partitions[POSITIONS_MAX_PARTITIONS];
    struct position_mark marks[POSITIONS_MAX_PARTITIONS]; /* by the same index */
};

/* Index of the topic-partition, added when it is new (next and live_from unknown). -ENOSPC when the table
 * is full, -EINVAL for a bad name. Writer only. */
int positions_intern(struct positions *positions, struct span topic, int32_t number) MUST_CHECK;
/* The same for one whose start is known: a new entry has it as next, live_from and whole_from. */
int positions_intern_from(struct positions *positions, struct span topic, int32_t number,
                          uint64_t start) MUST_CHECK;
/* Its index, or -ENOENT. Both search from the front: callers keep the index. */
int positions_find(const struct positions *positions, struct span topic, int32_t number) MUST_CHECK;
/* Writer only. A writer that is killed in between leaves no mark. */
void positions_mark(struct positions *positions, uint32_t index, uint64_t offset, int64_t time_ms,
                    uint64_t length);
void positions_unmark(struct positions *positions, uint32_t index);
/* "" for an index that is none. */
struct span positions_topic_name(const struct positions *positions, uint32_t partition);
uint32_t positions_count(const struct positions *positions);

#endif
