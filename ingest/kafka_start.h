/* Where a partition starts, once the broker has told its watermarks. Pure: the decision apart from the doing
 * (kafka_assign.c), and the one place where it is made. Ingest only. */
#ifndef MOONX_INGEST_KAFKA_START_H
#define MOONX_INGEST_KAFKA_START_H

#include "common/base.h"

enum kafka_start_kind {
    KAFKA_START_FIRST,    /* never consumed: history from `offset` on, live from `live_from` on */
    KAFKA_START_CONTINUE, /* where consumption stood, in the middle of its history perhaps */
    KAFKA_START_GAP, /* what stood there is gone (retention): the oldest there is, `lost` live offsets on */
    KAFKA_START_AGAIN, /* offsets went back, the topic was made anew: from its beginning, all live */
};

/* What is known of the partition. All but the watermarks may be POSITION_UNKNOWN. */
struct kafka_start_facts {
    uint64_t next;      /* where consumption stood */
    uint64_t live_from; /* known if next is, and after a kill just before that was noted */
    uint64_t low;       /* the oldest offset there is; at most high */
    uint64_t high;      /* the one behind the newest */
    uint64_t since;     /* the first one of the last HISTORY_SECONDS; unknown: there is none */
    bool made_anew;     /* proven: the topic is another one */
    bool control; /* what was revoked before this host started is still revoked: all of it counts */
};

struct kafka_start {
    enum kafka_start_kind kind;
    uint64_t offset; /* the first to be fetched */
    uint64_t live_from;
    uint64_t lost;
};

struct kafka_start kafka_start_choose(const struct kafka_start_facts *facts);

#endif
