/* Is there a Kafka, as the rest of the host sees it: the flags of the ingest block, and one log line when that
 * changes rather than one for each failed attempt. Ingest has one. */
#ifndef MOONX_INGEST_KAFKA_STATUS_H
#define MOONX_INGEST_KAFKA_STATUS_H

#include "shm/segment.h"

struct kafka_status {
    struct ingest_block *block;
    bool up, told_down;
};

/* A predecessor's INGEST_CAUGHT_UP stays, its INGEST_KAFKA_UP and INGEST_PACED do not. */
void kafka_status_init(struct kafka_status *status, struct ingest_block *block);

void kafka_status_up(struct kafka_status *status);
void kafka_status_down(struct kafka_status *status, const char *reason);
void kafka_status_caught_up(struct kafka_status *status);
bool kafka_status_is_caught_up(const struct kafka_status *status);
void kafka_status_paced(struct kafka_status *status, bool paced);

#endif
