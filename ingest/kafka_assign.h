/* Which partitions are consumed, and from where. Every partition of every routed topic, by assign (a host
 * takes part in no consumer group: it must see every event).
 *
 * Where a partition starts:
 *  - its position in the segment, if it has one: what a killed predecessor left wins over everything;
 *  - else, if it was there when this host first heard from Kafka: HISTORY_SECONDS ago; its end at that moment
 *    is where it is live from. Both are asked once and stored before the first fetch;
 *  - else it has appeared since: its beginning, or the events before it was noticed would be lost.
 * An offset that the broker does not have (_AUTO_OFFSET_RESET): the partition is taken out, its watermarks are
 * asked, and it goes on at the oldest offset there is: counted as a gap, or as a restart when the broker's
 * end lies before our position (topic deleted and made anew; kafka_recheck.h finds one that has grown
 * past it already). A topic that is missing in two answers in a
 * row is marked as gone and taken out until it is there again; its position stays.
 *
 * Ingest's main thread only. */
#ifndef MOONX_INGEST_KAFKA_ASSIGN_H
#define MOONX_INGEST_KAFKA_ASSIGN_H

#include "ingest/kafka_status.h"
#include "ingest/kafka_topics.h"
#include "ingest/kafka_watch.h"
#include "shm/positions.h"

struct kafka_assign {
    rd_kafka_t *handle;
    struct kafka_topics *topics;
    struct kafka_watch *watch;
    struct kafka_status *status;
    struct segment *segment;
    struct positions *positions; /* of the segment */
    struct stats *stats;
    bool heard;            /* metadata has come at least once */
    bool first_host_start; /* no ingest of this host had caught up before this one */
    int64_t history_ms;    /* how far back a partition's history goes; 0: none */
    bool asking;           /* a question about watermarks is open */
    uint64_t ask_again_ms; /* not before */
};

/* fresh_broker: the built-in broker, which has forgotten all: positions that a predecessor left count from 0
 * again; and which can't look up by time: no history. */
void kafka_assign_init(struct kafka_assign *assign, rd_kafka_t *handle, struct kafka_topics *topics,
                       struct kafka_watch *watch, struct kafka_status *status,
                       struct segment *segment, int64_t history_seconds, bool fresh_broker);

void kafka_assign_on_answer(struct kafka_assign *assign, const struct kafka_answer *answer);
/* The consumer says that the broker does not have the offset we are at. */
void kafka_assign_out_of_range(struct kafka_assign *assign, struct kafka_topic *topic,
                               int32_t number);
/* It is proven that the partition starts anew (kafka_recheck.h): from its beginning. */
void kafka_assign_made_anew(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number);
/* Fetches once more from an offset that has been taken before; `next` stays. For an assigned partition. */
void kafka_assign_fetch_again(struct kafka_assign *assign, struct kafka_topic *topic,
                              int32_t number, uint64_t offset);
/* Leaves out history: an assigned partition goes on at the offset, which becomes its `whole_from`. Between
 * batches. */
void kafka_assign_skip_to(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number,
                          uint64_t offset);
/* Every 100 ms or so: asks for the starts that are open. */
void kafka_assign_tick(struct kafka_assign *assign, uint64_t now_ms);

#endif
