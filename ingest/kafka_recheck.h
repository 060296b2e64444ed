/* Has a topic been made anew behind our back? It starts at offset 0 again then, so ids repeat. While its new end
 * lies before our position the broker refuses our next fetch, and kafka_assign goes back. When it has grown
 * that far before we asked, nothing tells (librdkafka 2.0.2 knows no topic ids), and its first events would be
 * lost. So there are two signs, and one proof:
 *
 *   sign   the broker has forgotten an offset that we committed: deleting a topic deletes those. So it is asked
 *          for them before each commit, and for those of quiet partitions every five seconds
 *   sign   the topic was missing from the metadata and is back
 *   proof  the last message that was taken before that commit (the anchor), fetched again, is another one: its
 *          time or its length differ
 *
 * A sign without the proof changes nothing (an operator may delete a group, an offset may expire): no event is
 * doubled for it. What escapes: a topic made anew while ingest is down, or within a second of its first events.
 * Ingest's main thread. */
#ifndef MOONX_INGEST_KAFKA_RECHECK_H
#define MOONX_INGEST_KAFKA_RECHECK_H

#include "ingest/kafka_assign.h"
#include "ingest/kafka_commit.h"

#define KAFKA_RECHECK_MS    1000 /* between two commits, and the questions before them */
#define KAFKA_RECHECK_QUIET 5    /* every so many also for partitions without news */

struct kafka_recheck {
    struct kafka_assign *assign;
    struct kafka_commit *commit;
    uint64_t begun_ms;
    unsigned round;
};

void kafka_recheck_init(struct kafka_recheck *recheck, struct kafka_assign *assign,
                        struct kafka_commit *commit);
/* Every 100 ms or so; between batches. */
void kafka_recheck_tick(struct kafka_recheck *recheck, uint64_t now_ms);
/* A KAFKA_QUESTION_COMMITTED has been answered: commits what is beyond doubt. */
void kafka_recheck_on_answer(struct kafka_recheck *recheck, const struct kafka_answer *answer,
                             uint64_t now_ms);

/* Shown every message, ends a recheck of its partition. True: it proves that the topic is another one. */
bool kafka_recheck_is_proof(struct kafka_partition *partition, const struct kafka_mark *mark);

#endif
