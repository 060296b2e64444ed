/* Topics of which the broker says neither that they are there nor that they are not: because its rules (ACL) keep them
 * from us, most of all, or because it knows no leader yet. Events of a topic that is denied reach nobody, which is said
 * aloud every ten seconds; once it is allowed, it starts like one that was there from the first. The control topic is more than that: while nobody can tell what it revokes, the host has not
 * caught up, so that nobody is let in. A topic that does not exist is clear: it has revoked nothing.
 *
 * Ingest's main thread only. */
#ifndef MOONX_INGEST_KAFKA_UNCLEAR_H
#define MOONX_INGEST_KAFKA_UNCLEAR_H

#include "ingest/kafka_topics.h"

/* What the last metadata said of the topic. */
void kafka_unclear_note(struct kafka_topic *topic, rd_kafka_resp_err_t error);
/* Says that the topic can't be read, if it has not been said just now. */
void kafka_unclear_tell(struct kafka_topic *topic, rd_kafka_resp_err_t error);
/* Any topic of control messages is unclear. */
bool kafka_unclear_control(const struct kafka_topics *topics);

#endif
