/* What this host's clients get at once, before Kafka has it: events that are worth something for a moment only
 * (`typing`). They go from the uplink straight into the ring, as events of no topic-partition: no position counts them,
 * and their id is `live-<host>:<number>`. Then they go to Kafka for the other hosts, with this host's name
 * (event_headers.h), by which it passes them over when they come by. Ingest's main thread only; part of uplink_read.
 *
 * Not when a worker lags so far that ingest waits for it: then it goes by way of Kafka here too. One that a killed ingest
 * may have shown already is not shown again: better not at all than twice. */
#ifndef MOONX_INGEST_AT_ONCE_H
#define MOONX_INGEST_AT_ONCE_H

#include "ingest/event_publish.h"
#include "shm/uplink_take.h"

struct at_once {
    struct event_publish *publish;
    const struct route *route; /* of the topic to which clients publish; NULL: it has none */
    uint64_t host;             /* this one; never 0 */
    char label[24];
};

/* All is borrowed. */
void at_once_init(struct at_once *at_once, struct event_publish *publish,
                  const struct route *route);

/* This host's name for others to read: as random as the segment, so that none is given twice, and lasting as long. */
uint64_t at_once_host(const struct segment *segment);

/* True: it is in the ring, visible after at_once_flush(). False: not now, or it is no event (event_check.h). */
bool at_once_show(struct at_once *at_once, const struct uplink_taken *taken) MUST_CHECK;
void at_once_flush(struct at_once *at_once);

#endif
