/* Has a topic been made anew behind our back? It starts at offset 0 again then, so ids repeat. While its new end
 * lies before our position the broker refuses our next fetch, and kafka_assign goes back. When it has grown
 * that far before we asked, nothing tells (librdkafka 2.0.2 knows no topic ids), and its first events would be
 * lost. So there are three signs, and one proof:
 *
 *   sign   the broker has forgotten an offset that we committed: deleting a topic deletes those. So it is asked
 *          for them before each commit, and for those of quiet partitions every five seconds
 *   sign   the topic was missing from the metadata and is back
 *   sign   ingest was away: the partition begins in this process, at a position that a predecessor left
 *   proof  a message that was taken before (the anchor: the last one before that commit; after a start, the last one that
 *          the predecessor noted in the segment, every 0.1 s), fetched again, is another one: its time or its
 *          length differ
 *
 * A sign without the proof changes nothing (an operator may delete a group, an offset may expire, the anchor may be gone
 * by retention or compaction): no event is doubled for it. A start waits for nothing: it fetches from the anchor on,
 * which lies a little before the position, so that nothing of another topic is taken first.
 *
 * What escapes: a topic made anew within a moment of its first events; and while the whole host is down. Then no position
 * here is wrong, but those that clients bring may be: these only POSITION_EPOCH can tell apart, as everywhere
 * when the new topic has grown past them.
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

/* The partition begins in this process, at a position that was left: the offset to fetch from. */
uint64_t kafka_recheck_recall(struct kafka_partition *partition, const struct positions *positions);
/* Shown every message, ends a recheck of its partition. True: it proves that the topic is another one. */
bool kafka_recheck_is_proof(struct kafka_partition *partition, const struct kafka_mark *mark);

#endif
