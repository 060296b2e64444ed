#include "ingest/kafka_discover.h"

#include "common/log.h"
#include "ingest/kafka_fetch.h"
#include "ingest/kafka_recheck.h"
#include "ingest/kafka_unclear.h"
#include "ingest/room_feed.h"
#include "shm/positions.h"

#include <stdlib.h>

#define MISSED_IS_GONE 2

static void on_topic(struct kafka_assign *assign, struct kafka_topic *topic,
                     const struct rd_kafka_metadata_topic *heard,
                     rd_kafka_topic_partition_list_t *add);
static void note_leaders(struct kafka_topic *topic, const struct rd_kafka_metadata_topic *heard);
static void begin(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number,
                  bool first, rd_kafka_topic_partition_list_t *add);
static void on_missing(struct kafka_assign *assign, struct kafka_topic *topic);

void kafka_discover(struct kafka_assign *assign, const struct rd_kafka_metadata *metadata) {
    rd_kafka_topic_partition_list_t *add = rd_kafka_topic_partition_list_new(16);
    bool *seen = calloc(assign->topics->count, sizeof(bool));

    for (int i = 0; seen != NULL && i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *heard = &metadata->topics[i];
        struct kafka_topic *topic = kafka_topics_find(assign->topics, heard->topic);
        if (topic == NULL) {
            continue;
        }
        if (heard->err == RD_KAFKA_RESP_ERR_NO_ERROR && heard->partition_cnt > 0) {
            on_topic(assign, topic, heard, add);
        }
        kafka_unclear_note(topic, heard->err);
        if (topic->unclear) {
            stats_add(assign->stats, STAT_KAFKA_ERRORS, 1);
            kafka_watch_hurry(assign->watch);
        }
        /* Only "there is none" counts as missing. */
        seen[topic - assign->topics->topics] =
            heard->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    for (unsigned i = 0; seen != NULL && i < assign->topics->count; i++) {
        if (!seen[i]) {
            on_missing(assign, &assign->topics->topics[i]);
        }
    }
    free(seen);
    kafka_fetch_begin(assign->handle, assign->topics, add);
}

static void on_topic(struct kafka_assign *assign, struct kafka_topic *topic,
                     const struct rd_kafka_metadata_topic *heard,
                     rd_kafka_topic_partition_list_t *add) {
    int32_t known = topic->count;
    bool awaited = known == 0 && topic->missed > 0;

    topic->missed = 0;
    if (kafka_topics_grow(topic, heard->partition_cnt) < 0) {
        log_error("topic %s: no room for its %d partitions", topic->route->topic,
                  heard->partition_cnt);
        return;
    }
    note_leaders(topic, heard);
    for (int32_t i = 0; i < heard->partition_cnt; i++) {
        if (i >= known || topic->partitions[i].state == KAFKA_PARTITION_GONE) {
            topic->partitions[i].suspect = i < known;
            begin(assign, topic, i, i >= known, add);
        }
    }
    topic->denied = false;
    if (awaited) {
        log_info("topic %s is there now", topic->route->topic);
    }
    if (known > 0 && topic->count > known) {
        log_info("topic %s has %d partitions now, it had %d", topic->route->topic, topic->count,
                 known);
    }
}

static void note_leaders(struct kafka_topic *topic, const struct rd_kafka_metadata_topic *heard) {
    for (int i = 0; i < heard->partition_cnt; i++) {
        struct kafka_partition *partition = kafka_topics_partition(topic, heard->partitions[i].id);
        if (partition != NULL) {
            partition->led = heard->partitions[i].leader >= 0;
        }
    }
}

static void begin(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number,
                  bool first, rd_kafka_topic_partition_list_t *add) {
    struct kafka_partition *partition = &topic->partitions[number];
    struct span name = span_of(topic->route->topic);
    /* one that was added to what is known already: all of it is live */
    bool added = !topic->denied && (assign->heard || !assign->first_host_start);
    int index =
        positions_intern_from(assign->positions, name, number, added ? 0 : POSITION_UNKNOWN);

    if (index < 0) {
        log_error("%s: no room in the table of positions, it is not consumed", partition->label);
        return;
    }
    partition->index = (uint32_t)index;
    partition->position = &assign->positions->partitions[index];
    if (number == 0) { /* every topic has one */
        room_feed_topic(assign->segment, partition->position->topic, topic->route);
    }
    /* without its control messages a host does not know whom it must not let in */
    partition->awaited = topic->route->kind == ROUTE_CONTROL
                             ? !kafka_status_is_caught_up(assign->status)
                             : !assign->heard && partition->led;
    partition->state = KAFKA_PARTITION_STARTING;
    partition->next = load_relaxed(&partition->position->next);
    if (partition->next == POSITION_UNKNOWN) {
        store_relaxed(&partition->position->state, POSITION_IDLE); /* its end is asked for first */
    } else {
        kafka_fetch_add(add, topic, number);
        if (first) {
            add->elems[add->cnt - 1].offset =
                (int64_t)kafka_recheck_recall(partition, assign->positions);
        }
    }
}

/* Once: a name may be mistyped, or the topic be made later. */
static void tell_absent(struct kafka_topic *topic) {
    if (topic->missed++ == 0) {
        log_warn("topic %s does not exist: waiting for it%s", topic->route->topic,
                 topic->route->kind == ROUTE_SELF ? "; until then nobody can publish" : "");
    }
}

static void on_missing(struct kafka_assign *assign, struct kafka_topic *topic) {
    rd_kafka_topic_partition_list_t *list;

    if (topic->count == 0) {
        tell_absent(topic);
        return;
    }
    if (++topic->missed < MISSED_IS_GONE) {
        kafka_watch_hurry(assign->watch);
        return;
    }
    if (topic->missed > MISSED_IS_GONE) {
        return;
    }
    log_warn("topic %s is gone: waiting for it to come back", topic->route->topic);
    list = rd_kafka_topic_partition_list_new(topic->count);
    for (int32_t i = 0; i < topic->count; i++) {
        struct kafka_partition *partition = &topic->partitions[i];
        if (partition->state == KAFKA_PARTITION_ASSIGNED) {
            kafka_fetch_add(list, topic, i);
        }
        if (partition->position != NULL) {
            store_relaxed(&partition->position->state, POSITION_GONE);
        }
        partition->state = KAFKA_PARTITION_GONE;
        partition->awaited = false;
    }
    kafka_fetch_end(assign->handle, list);
}
