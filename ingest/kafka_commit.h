/* Tells the broker how far the ring has come: once a second (kafka_recheck says when), asynchronously, one request
 * at a time; once more at stop, with a deadline. For lag tools, and as a mark that vanishes when a topic is deleted;
 * a start never looks at it. Ingest has one. */
#ifndef MOONX_INGEST_KAFKA_COMMIT_H
#define MOONX_INGEST_KAFKA_COMMIT_H

#include "ingest/kafka_topics.h"

#define KAFKA_COMMIT_GIVE_UP_MS 60000 /* an answer so late is no longer waited for */

struct kafka_commit {
    rd_kafka_t *handle;
    struct kafka_topics *topics;
    bool under_way;
    uint64_t sent_ms;
    bool told; /* of a failure, until one succeeds */
};

void kafka_commit_init(struct kafka_commit *commit, rd_kafka_t *handle,
                       struct kafka_topics *topics);
/* Sends what has moved, unless a request is under way. */
void kafka_commit_send(struct kafka_commit *commit, uint64_t now_ms);
/* From librdkafka's offset_commit_cb, on the main thread. */
void kafka_commit_done(struct kafka_commit *commit, rd_kafka_resp_err_t error,
                       const rd_kafka_topic_partition_list_t *offsets);
/* Waits for the broker's answer, but no longer than that. */
void kafka_commit_final(struct kafka_commit *commit, int timeout_ms);

#endif
