/* The producer: what workers and ingest itself send to Kafka. Idempotent, acks=all: what it reports as sent is there
 * durably, once, and messages of one key keep their order. Ingest's main thread only; has one, for its whole life.
 *
 * Its queue is bounded (KAFKA_PRODUCE_MESSAGES, KAFKA_PRODUCE_KBYTES), and every message has its report within
 * KAFKA_PRODUCE_TIMEOUT_MS, whatever the brokers do. A producer that librdkafka calls fatally broken is made anew: what
 * was under way is reported as failed, although Kafka may have some of it. */
#ifndef MOONX_INGEST_KAFKA_PRODUCE_H
#define MOONX_INGEST_KAFKA_PRODUCE_H

#include "common/option.h"
#include "shm/stats.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_PRODUCE_MESSAGES   100000
#define KAFKA_PRODUCE_KBYTES     131072
#define KAFKA_PRODUCE_TIMEOUT_MS 5000

/* error 0: in Kafka, there; else -errno. `tag` is what the message was sent with. */
typedef void kafka_produce_report(void *context, uintptr_t tag, int error, int32_t partition,
                                  int64_t offset);

#define KAFKA_PRODUCE_TOPICS 3u

struct kafka_produce {
    rd_kafka_conf_t *conf; /* for the next handle */
    struct {
        const char *name; /* NULL: none */
        rd_kafka_topic_t *
            known; /* as long as there is one the handle asks about it; NULL: it could not be made */
    } topics[KAFKA_PRODUCE_TOPICS];
    rd_kafka_t *handle; /* NULL: none could be made, tried again */
    int wake_fd;        /* eventfd: reports wait */
    bool fatal;
    uint64_t retry_ms;
    struct stats *stats;
    kafka_produce_report *report;
    void *context;
};

/* Takes conf over. wake_fd is the caller's to wait for. *produce must not move afterwards. -EINVAL with one line in
 * `error`. */
int kafka_produce_open(struct kafka_produce *produce, rd_kafka_conf_t *conf, struct stats *stats,
                       kafka_produce_report *report, void *context, char *error,
                       size_t error_size) MUST_CHECK;
/* Finds out now who leads the topic's partitions, and again for each new producer: else the first message to it waits for
 * that, most of a second. At most KAFKA_PRODUCE_TOPICS; the name is borrowed. */
void kafka_produce_expect(struct kafka_produce *produce, const char *topic);

/* Copies all; takes the headers over in any case (NULL: none). -EAGAIN: the queue is full; -EMSGSIZE; -ENOTCONN: no
 * producer at the moment; -EIO. Only after 0 comes a report, from kafka_produce_poll(). */
int kafka_produce_send(struct kafka_produce *produce, const char *topic, struct span key,
                       struct span value, rd_kafka_headers_t *headers, uintptr_t tag) MUST_CHECK;

/* Hands out the reports that there are; makes a broken producer anew. Never blocks for long. */
void kafka_produce_poll(struct kafka_produce *produce, uint64_t now_ms);

/* Before a stop: waits at most so long for what is under way. */
void kafka_produce_flush(struct kafka_produce *produce, int timeout_ms);

#endif
