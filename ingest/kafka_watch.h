/* The questions that block, in a thread of their own: which topics and partitions there are (every 10 s or
 * topic.metadata.refresh.interval.ms, whichever is less; every second until the first answer and while something is unclear), the watermarks of
 * partitions whose start is open, and what the group has committed. librdkafka 2.0.2 has no asynchronous form of either, and a broker that is away makes them wait
 * for seconds, while the main loop must go on with what other brokers send. The thread decides nothing and
 * logs nothing: it hands each answer over, and writes an eventfd that the main loop polls.
 *
 * Both watermarks are asked for by rd_kafka_offsets_for_times() with the protocol's own -2 and -1: one request
 * a broker instead of two a partition; where history begins is the same question with a time. Ingest has one; it lives until the process ends and is not joined
 * then (a question may be under way that ends only with its deadline). */
#ifndef MOONX_INGEST_KAFKA_WATCH_H
#define MOONX_INGEST_KAFKA_WATCH_H

#include "common/base.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_WATCH_INTERVAL_MS 10000
#define KAFKA_WATCH_HURRY_MS    1000
#define KAFKA_WATCH_TIMEOUT_MS  5000

struct kafka_watch;

enum kafka_question {
    KAFKA_QUESTION_TOPICS, /* metadata, or the error that came instead */
    /* lows, sinces and highs: the same partitions in each, with an error of their own */
    KAFKA_QUESTION_WATERMARKS,
    KAFKA_QUESTION_COMMITTED, /* committed: the group's offsets, RD_KAFKA_OFFSET_INVALID where none */
};

struct kafka_answer {
    struct kafka_answer *next;
    enum kafka_question question;
    rd_kafka_resp_err_t error;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_partition_list_t *lows, *highs, *committed;
    /* The first offset at or after the time that was given, RD_KAFKA_OFFSET_END where there is none. */
    rd_kafka_topic_partition_list_t *sinces;
};

/* Asks about the topics that have a handle (rd_kafka_topic_new). 0 or -errno. */
int kafka_watch_start(rd_kafka_t *handle, struct kafka_watch **out) MUST_CHECK;
/* Becomes readable when there is an answer. */
int kafka_watch_fd(const struct kafka_watch *watch);

/* Topics again within a second. */
void kafka_watch_hurry(struct kafka_watch *watch);
/* Takes the list over. There must be no other question open (the one about topics asks itself): the answer
 * always comes. by_time, for watermarks alone: each partition's offset in the list is the wall time (ms) of its since;
 * else sinces will be NULL. */
void kafka_watch_ask(struct kafka_watch *watch, enum kafka_question question,
                     rd_kafka_topic_partition_list_t *partitions, bool by_time);

/* NULL: no more. The caller frees. */
struct kafka_answer *kafka_watch_take(struct kafka_watch *watch) MUST_CHECK;
void kafka_watch_free_answer(struct kafka_answer *answer);

#endif
