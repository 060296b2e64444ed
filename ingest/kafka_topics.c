#include "ingest/kafka_topics.h"

#include "shm/positions.h"

#include <stdio.h>
#include <stdlib.h>

static int open_topic(struct kafka_topic *topic, rd_kafka_t *handle, const struct route *route);

int kafka_topics_init(struct kafka_topics *topics, rd_kafka_t *handle,
                      const struct route_table *routes) {
    topics->topics = calloc(routes->count, sizeof(*topics->topics));
    if (topics->topics == NULL) {
        return -ENOMEM;
    }
    topics->count = routes->count;
    for (unsigned i = 0; i < routes->count; i++) {
        int result = open_topic(&topics->topics[i], handle, routes->routes[i]);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

struct kafka_topic *kafka_topics_find(struct kafka_topics *topics, const char *name) {
    for (unsigned i = 0; i < topics->count; i++) {
        if (strcmp(topics->topics[i].route->topic, name) == 0) {
            return &topics->topics[i];
        }
    }
    return NULL;
}

struct kafka_topic *kafka_topics_of(const rd_kafka_topic_t *handle) {
    return handle != NULL ? rd_kafka_topic_opaque(handle) : NULL;
}

struct kafka_partition *kafka_topics_partition(struct kafka_topic *topic, int32_t number) {
    return topic != NULL && number >= 0 && number < topic->count ? &topic->partitions[number]
                                                                 : NULL;
}

int kafka_topics_grow(struct kafka_topic *topic, int32_t count) {
    struct kafka_partition *grown;

    if (count <= topic->count) {
        return 0;
    }
    if (count > POSITIONS_MAX_PARTITIONS) {
        return -ENOSPC;
    }
    grown = realloc(topic->partitions, (size_t)count * sizeof(*grown));
    if (grown == NULL) {
        return -ENOMEM;
    }
    for (int32_t i = topic->count; i < count; i++) {
        struct kafka_partition *partition = &grown[i];
        *partition = (struct kafka_partition){.state = KAFKA_PARTITION_STARTING,
                                              .await_offset = POSITION_UNKNOWN,
                                              .committed = POSITION_UNKNOWN};
        partition->label_length = (uint16_t)snprintf(partition->label, sizeof(partition->label),
                                                     "%s:%d", topic->route->topic, (int)i);
    }
    topic->partitions = grown;
    topic->count = count;
    return 0;
}

bool kafka_topics_next(struct kafka_topics *topics, struct kafka_topics_walk *walk) {
    while (walk->topic < topics->count) {
        struct kafka_topic *topic = &topics->topics[walk->topic];
        if (walk->number < topic->count) {
            walk->at_topic = topic;
            walk->at_number = walk->number++;
            walk->at = &topic->partitions[walk->at_number];
            return true;
        }
        walk->topic++;
        walk->number = 0;
    }
    return false;
}

static int open_topic(struct kafka_topic *topic, rd_kafka_t *handle, const struct route *route) {
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(handle);

    if (conf == NULL) {
        return -ENOMEM;
    }
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->route = route;
    topic->handle = rd_kafka_topic_new(handle, route->topic, conf);
    if (topic->handle == NULL) {
        return -ENOMEM;
    }
    return 0;
}
