/* Values that can't become an event go to DEAD_LETTER_TOPIC, as they came, with headers that say why:
 *
 *   topic, partition, offset   where it stood
 *   error                      why it could not be routed (event_check.h)
 *   instance                   which host says so: every host reads every topic, so each tells what it has found
 *
 * At most DEAD_LETTER_PER_SECOND of them, more are counted only; so is one that Kafka does not take. The topic itself is
 * never a route's source (route_table.h refuses that), so that there is no loop. What is read again as history is not
 * told again. Ingest's main thread only; has one. */
#ifndef MOONX_INGEST_DEAD_LETTER_H
#define MOONX_INGEST_DEAD_LETTER_H

#include "ingest/event_check.h"
#include "ingest/kafka_produce.h"

#define DEAD_LETTER_PER_SECOND 100
#define DEAD_LETTER_TAG        0 /* of its messages; no other sender of ingest has it */

struct dead_letter {
    struct kafka_produce *produce;
    const struct options *options; /* DEAD_LETTER_TOPIC "": none are kept */
    struct stats *stats;
    uint64_t second; /* the one that is counted, and how many there were in it */
    unsigned count;
};

void dead_letter_send(struct dead_letter *letters, const rd_kafka_message_t *message,
                      enum event_fault fault, uint64_t now_ms);
/* The producer's report of one. */
void dead_letter_report(struct dead_letter *letters, int error);

#endif
