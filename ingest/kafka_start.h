/* Where a partition starts, once the broker has told its watermarks. Pure: the decision apart from the doing
 * (kafka_assign.c). Ingest only. */
#ifndef MOONX_INGEST_KAFKA_START_H
#define MOONX_INGEST_KAFKA_START_H

#include "common/base.h"

enum kafka_start_kind {
    KAFKA_START_END,      /* never consumed: live from here on */
    KAFKA_START_FIRST,    /* never consumed, and all of it counts */
    KAFKA_START_CONTINUE, /* where consumption stood */
    KAFKA_START_GAP, /* what stood there is gone (retention): the oldest there is, `lost` offsets on */
    KAFKA_START_AGAIN, /* offsets went back, the topic was made anew: from its beginning */
};

struct kafka_start {
    enum kafka_start_kind kind;
    uint64_t offset;
    uint64_t lost;
};

/* next: POSITION_UNKNOWN when never consumed. low is the oldest offset there is, high the one behind the
 * newest; low <= high. */
struct kafka_start kafka_start_choose(uint64_t next, uint64_t low, uint64_t high);
/* The same for control messages: what was revoked before this host started is still revoked. */
struct kafka_start kafka_start_choose_control(uint64_t next, uint64_t low, uint64_t high);

#endif
