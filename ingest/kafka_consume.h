/* The consumer: takes messages from librdkafka's one queue and gives them, in bounded batches, to the ring.
 * Ingest's main thread only; has one, which lives until the process ends.
 *
 * A batch ends after 512 messages, 1 MiB of values or a millisecond, or when the queue is empty: under load many
 * records become visible at once, a single message at once. Positions follow: `next` of a message that gave
 * no record (a tombstone, a bad value) moves on after the batch is published, never before. */
#ifndef MOONX_INGEST_KAFKA_CONSUME_H
#define MOONX_INGEST_KAFKA_CONSUME_H

#include "ingest/control_apply.h"
#include "ingest/dead_letter.h"
#include "ingest/event_publish.h"
#include "ingest/kafka_assign.h"
#include "shm/once.h"

#define KAFKA_CONSUME_RECORDS 512
#define KAFKA_CONSUME_BYTES   1048576
#define KAFKA_CONSUME_NS      1000000

struct kafka_consume {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    int wake_fd; /* eventfd: librdkafka writes it when its queue is no longer empty */
    struct kafka_assign *assign;
    struct event_publish *publish;
    struct stats *stats;
    struct dead_letter *letters;
    struct once *once; /* block NULL: everything counts */
    uint64_t host;     /* this one (at_once.h): what its clients have had is passed over */
    struct control_apply control;
    unsigned behind_count; /* partitions whose position must follow after the publish */
    struct kafka_partition *behind[KAFKA_CONSUME_RECORDS];
};

enum kafka_consume_result { KAFKA_CONSUME_MORE, KAFKA_CONSUME_EMPTY };

/* The queue of a consumer handle, with its wake-up. */
int kafka_consume_init(struct kafka_consume *consume, rd_kafka_t *handle,
                       struct kafka_assign *assign, struct event_publish *publish,
                       struct stats *stats) MUST_CHECK;

/* One batch, made visible before it returns. Serves librdkafka's callbacks too. */
enum kafka_consume_result kafka_consume_batch(struct kafka_consume *consume);

#endif
