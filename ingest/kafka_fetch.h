/* Which partitions librdkafka fetches, and from which offset: lists of them begun and ended, and the stored position that
 * they begin at. Inner part of kafka_assign and kafka_discover. Ingest's main thread only. */
#ifndef MOONX_INGEST_KAFKA_FETCH_H
#define MOONX_INGEST_KAFKA_FETCH_H

#include "ingest/kafka_topics.h"

/* Stores where the partition starts: `next` is fetched first, and the segment has all from there on. */
void kafka_fetch_from(struct kafka_partition *partition, uint64_t next, uint64_t live_from);

/* The topic's partition, at its stored position. */
void kafka_fetch_add(rd_kafka_topic_partition_list_t *list, struct kafka_topic *topic,
                     int32_t number);

/* Both take the list over, which may be empty. What can't be begun stays STARTING. */
void kafka_fetch_begin(rd_kafka_t *handle, struct kafka_topics *topics,
                       rd_kafka_topic_partition_list_t *list);
void kafka_fetch_end(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list);

#endif
