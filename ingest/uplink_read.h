/* Workers' queues to Kafka (shm/uplink.h): takes what they hand in, gives it to the producer, and writes each report
 * into the entry it belongs to. Ingest's main thread only; has one, for its whole life.
 *
 * What is for a moment only this host's clients get at once (at_once.h); its entry is answered then, and it goes to Kafka
 * for the other hosts, if that is there, without a report.
 *
 * What goes along with a record, as headers, so that every host can read them when the record comes by
 * (event_headers.h): what makes it count once, who is left out, when it expires, whether history has it. */
#ifndef MOONX_INGEST_UPLINK_READ_H
#define MOONX_INGEST_UPLINK_READ_H

#include "ingest/at_once.h"
#include "ingest/kafka_produce.h"
#include "ingest/once_answer.h"
#include "shm/host_view.h"
#include "shm/uplink_take.h"

#define UPLINK_READ_TURN 64 /* entries of one worker in a row: each has its turn */

struct uplink_read {
    struct kafka_produce *produce;
    struct host_view *view;
    const struct heritage *heritage;
    const char *topics[UPLINK_TARGET_COUNT];
    struct stats *stats;
    uint64_t answered; /* a bit for each worker who is to be told */
    bool blocked;      /* the producer is full: only its reports end that */
    struct uplink_take *takes[HERITAGE_MAX_WORKERS];
    struct uplink_once *marks[HERITAGE_MAX_WORKERS]; /* of what is under way, by place */
    struct once_answer firsts;                       /* which message an answer names */
    struct at_once at_once;
};

/* All is borrowed. -ENOMEM. What a killed predecessor has taken and not answered is taken again. */
int uplink_read_init(struct uplink_read *read, struct kafka_produce *produce,
                     struct host_view *view, const struct heritage *heritage,
                     const struct options *options, const struct once *once,
                     struct kafka_topics *topics) MUST_CHECK;

/* One turn of every queue. True: there is more. */
bool uplink_read_turn(struct uplink_read *read);

/* A report of the producer; for kafka_produce_open(). `tag` is one that this file has given. */
void uplink_read_report(struct uplink_read *read, uintptr_t tag, int error, int32_t partition,
                        int64_t offset);

/* About to sleep. False: don't, there is something to take. */
bool uplink_read_sleep(struct uplink_read *read) MUST_CHECK;

#endif
