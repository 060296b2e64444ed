/* Where consumption stands, per topic-partition: the truth that survives a killed ingest (the broker's
 * committed offsets only serve lag tools). Part of the segment; writer ingest, readers anyone.
 *
 * Entries are appended, never moved: a record's `partition` is an index into `partitions`. A new entry is
 * filled in, then `partition_count` is stored with release. `next` of an entry is stored after the record
 * that it follows from is published; what lies between is redone from the records by ring_append_open(). */
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

struct position {
    uint32_t topic;     /* index into topics */
    int32_t number;     /* partition number within its topic */
    shm_u64 next;       /* offset of the next message wanted; POSITION_UNKNOWN until resolved */
    shm_u64 live_from;  /* start, resolved once, stored before the first fetch; POSITION_UNKNOWN until then */
    shm_u64 high_watermark; /* the broker's, as last heard */
    shm_u64 gaps;       /* offsets that were lost to retention, counted */
    shm_u64 errors;     /* consume errors of this partition */
    shm_u64 restarts;   /* how often offsets went back (topic recreated) */
    shm_u32 state;      /* enum position_state */
    uint32_t reserved;
};

enum position_state { POSITION_IDLE, POSITION_ASSIGNED, POSITION_GONE };

struct positions {
    shm_u32 topic_count;
    shm_u32 partition_count;
    struct positions_topic topics[POSITIONS_MAX_TOPICS];
    struct position partitions[POSITIONS_MAX_PARTITIONS];
};

/* Index of the topic-partition, added when it is new (next and live_from unknown). -ENOSPC when the table
 * is full, -EINVAL for a bad name. Writer only. */
int positions_intern(struct positions *positions, struct span topic, int32_t number) MUST_CHECK;
/* -ENOENT when it is not there. */
int positions_find(const struct positions *positions, struct span topic, int32_t number) MUST_CHECK;
struct span positions_topic_name(const struct positions *positions, uint32_t partition);
uint32_t positions_count(const struct positions *positions);

#endif
