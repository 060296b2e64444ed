/* Which offset an answer names: of a message that counts once (shm/once.h) and was sent again the first one's, under which
 * the event was delivered. Known from what has been consumed, and from the reports of the last messages, which may not
 * have been yet; a first one that another host sent in the same moment is not known, then the message names itself.
 * Ingest's main thread only; has one, for its whole life. */
#ifndef MOONX_INGEST_ONCE_ANSWER_H
#define MOONX_INGEST_ONCE_ANSWER_H

#include "ingest/kafka_topics.h"
#include "shm/once.h"

#define ONCE_ANSWER_PLACES 4096u

struct once_answer {
    const struct once *once;
    struct kafka_topics *topics;
    const char *topic; /* what clients publish goes there */
    /* The last reports, each in the place that its mark chooses. */
    struct once_answer_place {
        struct uplink_once mark;
        int32_t partition;
        int64_t offset; /* of the first one */
        int64_t time_ms;
    } places[ONCE_ANSWER_PLACES];
};

/* All is borrowed. */
void once_answer_init(struct once_answer *answer, const struct once *once,
                      struct kafka_topics *topics, const char *topic);

/* Kafka has the message with this mark at `offset`, as reported at `now_ms` of wall time. */
int64_t once_answer_offset(struct once_answer *answer, const struct uplink_once *mark,
                           int32_t partition, int64_t offset, int64_t now_ms);

#endif
