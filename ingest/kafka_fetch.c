#include "ingest/kafka_fetch.h"

#include "common/log.h"
#include "shm/positions.h"

/* `next` last: a successor that finds it knows that all three are there. */
void kafka_fetch_from(struct kafka_partition *partition, uint64_t next, uint64_t live_from) {
    store_relaxed(&partition->position->live_from, live_from);
    store_relaxed(&partition->position->whole_from, next);
    store_release(&partition->position->next, next);
}

void kafka_fetch_add(rd_kafka_topic_partition_list_t *list, struct kafka_topic *topic,
                     int32_t number) {
    rd_kafka_topic_partition_t *entry =
        rd_kafka_topic_partition_list_add(list, topic->route->topic, number);

    entry->offset = (int64_t)load_relaxed(&topic->partitions[number].position->next);
}

void kafka_fetch_begin(rd_kafka_t *handle, struct kafka_topics *topics,
                       rd_kafka_topic_partition_list_t *list) {
    rd_kafka_error_t *error = list->cnt > 0 ? rd_kafka_incremental_assign(handle, list) : NULL;

    for (int i = 0; error == NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        struct kafka_partition *partition =
            kafka_topics_partition(kafka_topics_find(topics, entry->topic), entry->partition);
        partition->next = load_relaxed(&partition->position->next); /* less is known already */
        partition->state = KAFKA_PARTITION_ASSIGNED;
        store_relaxed(&partition->position->state, POSITION_ASSIGNED);
    }
    if (error != NULL) { /* they stay STARTING and come by again with their watermarks */
        log_error("Kafka: partitions can't be assigned: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_fetch_end(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list) {
    rd_kafka_error_t *error = list->cnt > 0 ? rd_kafka_incremental_unassign(handle, list) : NULL;

    if (error != NULL) {
        log_error("Kafka: partitions can't be given up: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
}
