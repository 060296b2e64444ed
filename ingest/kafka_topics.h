/* The routed topics as they are consumed: their librdkafka handles, their partitions, and for each of these
 * where it stands. A message finds its partition in two steps without a search: the topic handle's opaque
 * pointer, then the partition number. Ingest's main thread only; lives as long as the process.
 *
 *   STARTING ── watermarks known ──> ASSIGNED ── out of range ──> STARTING
 *      ^                               │  ^
 *      └── first seen, start unknown   v  └── first seen, start known
 *                                     GONE (topic deleted) ── there again ──> ASSIGNED */
#ifndef MOONX_INGEST_KAFKA_TOPICS_H
#define MOONX_INGEST_KAFKA_TOPICS_H

#include "ingest/route_table.h"
#include "shm/segment.h"

#include <librdkafka/rdkafka.h>

enum kafka_partition_state {
    KAFKA_PARTITION_STARTING,
    KAFKA_PARTITION_ASSIGNED,
    KAFKA_PARTITION_GONE
};

/* Enough of a message to know it again; length 0 and time -1 are possible, so `known` says whether it is one. */
struct kafka_mark {
    bool known;
    uint64_t offset;
    int64_t time_ms;
    size_t length;
};

struct kafka_partition {
    struct position *position; /* NULL: the positions table is full, it can't be consumed */
    uint32_t index;            /* of position */
    enum kafka_partition_state state;
    bool awaited;             /* INGEST_CAUGHT_UP waits for it */
    bool led;                 /* has a leader to ask, by the last metadata */
    bool behind;              /* position->next must follow `next` after the next publish */
    uint64_t await_offset;    /* the end as first heard; POSITION_UNKNOWN until then */
    uint64_t next;            /* one past the last offset taken, published or not */
    uint64_t history_bytes;   /* of its history, in the ring … */
    uint64_t history_records; /* … and how many these are (history_refill.h) */
    uint64_t committed;       /* as last told the broker; POSITION_UNKNOWN at first */
    bool acknowledged;        /* the broker has said that it keeps a committed offset */
    bool suspect;             /* may have been made anew (kafka_recheck.h) */
    bool rechecking;          /* the anchor is being fetched again */
    bool made_anew;           /* proven: it starts at its beginning */
    struct kafka_mark last;   /* the message before `next` */
    struct kafka_mark told;   /* `last` when the commit under way was sent */
    struct kafka_mark anchor; /* `told` when the broker acknowledged it */
    uint16_t label_length;
    char label[ROUTE_TOPIC_MAX_BYTES + 16]; /* "<topic>:<partition>" */
};

struct kafka_topic {
    const struct route *route;
    rd_kafka_topic_t *handle;
    int32_t count;
    struct kafka_partition *partitions; /* by number; moves when it grows */
    unsigned missed;                    /* metadata answers in a row without the topic */
    uint64_t told_ms;                   /* when a restart was last logged; 0: never */
    bool unclear;                       /* neither there nor not (kafka_unclear.h) … */
    bool denied;              /* the broker's rules have kept it from us since it was last there */
    uint64_t unclear_told_ms; /* when that was last logged; 0: never */
};

struct kafka_topics {
    unsigned count;
    struct kafka_topic *topics; /* never moves: handles point at them */
};

/* A handle for each route's topic, without partitions yet. -ENOMEM, or what librdkafka says; never undone: they live as
 * long as the process. */
int kafka_topics_init(struct kafka_topics *topics, rd_kafka_t *handle,
                      const struct route_table *routes) MUST_CHECK;

struct kafka_topic *kafka_topics_find(struct kafka_topics *topics, const char *name);
struct kafka_topic *kafka_topics_of(const rd_kafka_topic_t *handle);
/* NULL when there is none of that number. */
struct kafka_partition *kafka_topics_partition(struct kafka_topic *topic, int32_t number);

/* Makes the topic's partitions `count` or more; new ones are STARTING and have no position yet. */
int kafka_topics_grow(struct kafka_topic *topic, int32_t count) MUST_CHECK;

/* Walks all partitions: false at the end. */
struct kafka_topics_walk {
    unsigned topic;
    int32_t number;
    struct kafka_topic *at_topic;
    struct kafka_partition *at;
    int32_t at_number;
};
bool kafka_topics_next(struct kafka_topics *topics, struct kafka_topics_walk *walk);

#endif
