/* What clients of this worker were not given and will not be: they are told (`skipped` {count, reason}), and until they
 * have been, nobody is told a position, which would claim it. Telling needs memory: without it the notice is owed, and
 * tried again each turn. Part of struct worker. */
#ifndef MOONX_GATEWAY_DELIVERY_LOSS_H
#define MOONX_GATEWAY_DELIVERY_LOSS_H

#include "common/base.h"

struct worker;

enum loss_reason {
    LOSS_LAPPED,    /* the ring went round before this worker had read them */
    LOSS_NO_MEMORY, /* no frame could be made of them */
    LOSS_EXPIRED,   /* Kafka no longer had them when ingest came to read them */
    LOSS_REASON_COUNT
};

struct loss {
    uint64_t owed[LOSS_REASON_COUNT]; /* at most so many events, not told yet */
    uint64_t expired_seen;            /* of STAT_KAFKA_GAPS */
};

/* Before the worker's reader takes its place: what is lost by then was never for its clients. */
void loss_start(struct worker *worker);
/* At most so many events: told now, or owed. */
void loss_add(struct worker *worker, enum loss_reason reason, uint64_t count);
/* Once a turn, after the ring's end has been read and before its records are: what Kafka lost lies before them. */
void loss_look(struct worker *worker);
bool loss_is_owed(const struct worker *worker);

#endif
