#include "ingest/kafka_recheck.h"

#include "common/log.h"

static void note_last(struct kafka_recheck *recheck);
static void note_committed(struct kafka_recheck *recheck, const rd_kafka_topic_partition_t *entry);
static void recheck_suspects(struct kafka_recheck *recheck);
static bool ask_committed(struct kafka_recheck *recheck);

void kafka_recheck_init(struct kafka_recheck *recheck, struct kafka_assign *assign,
                        struct kafka_commit *commit) {
    *recheck = (struct kafka_recheck){.assign = assign, .commit = commit};
}

void kafka_recheck_tick(struct kafka_recheck *recheck, uint64_t now_ms) {
    note_last(recheck);
    recheck_suspects(recheck);
    if (recheck->assign->asking || now_ms - recheck->begun_ms < KAFKA_RECHECK_MS) {
        return;
    }
    recheck->begun_ms = now_ms;
    if (!ask_committed(recheck)) {
        kafka_commit_send(recheck->commit, now_ms);
    }
}

void kafka_recheck_on_answer(struct kafka_recheck *recheck, const struct kafka_answer *answer,
                             uint64_t now_ms) {
    recheck->assign->asking = false;
    if (answer->error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    for (int i = 0; i < answer->committed->cnt; i++) {
        note_committed(recheck, &answer->committed->elems[i]);
    }
    kafka_commit_send(recheck->commit, now_ms);
}

uint64_t kafka_recheck_recall(struct kafka_partition *partition,
                              const struct positions *positions) {
    const struct position_mark *mark = &positions->marks[partition->index];
    uint64_t next = load_relaxed(&partition->position->next), offset = load_acquire(&mark->offset);

    if (offset >= next) { /* POSITION_UNKNOWN, too */
        return next;
    }
    partition->last = (struct kafka_mark){true, offset, (int64_t)load_relaxed(&mark->time_ms),
                                          load_relaxed(&mark->length)};
    partition->anchor = partition->last;
    partition->rechecking = true;
    return offset;
}

bool kafka_recheck_is_proof(struct kafka_partition *partition, const struct kafka_mark *mark) {
    const struct kafka_mark *anchor = &partition->anchor;

    if (!partition->rechecking) {
        return false;
    }
    partition->rechecking = false;
    return mark->offset == anchor->offset &&
           (mark->time_ms != anchor->time_ms || mark->length != anchor->length);
}

/* Between batches: all that was taken is in the ring. */
static void note_last(struct kafka_recheck *recheck) {
    struct positions *positions = recheck->assign->positions;
    struct kafka_topics_walk walk = {0};

    while (kafka_topics_next(recheck->assign->topics, &walk)) {
        const struct kafka_partition *partition = walk.at;
        const struct kafka_mark *last = &partition->last;
        if (partition->state == KAFKA_PARTITION_ASSIGNED && last->known && !partition->suspect &&
            !partition->rechecking &&
            load_relaxed(&positions->marks[partition->index].offset) != last->offset) {
            positions_mark(positions, partition->index, last->offset, last->time_ms, last->length);
        }
    }
}

static void note_committed(struct kafka_recheck *recheck, const rd_kafka_topic_partition_t *entry) {
    struct kafka_topic *topic = kafka_topics_find(recheck->assign->topics, entry->topic);
    struct kafka_partition *partition = kafka_topics_partition(topic, entry->partition);

    if (partition != NULL && partition->acknowledged && entry->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
        entry->offset == RD_KAFKA_OFFSET_INVALID) {
        partition->suspect = true;
        partition->acknowledged = false;
        partition->committed = POSITION_UNKNOWN; /* told again, whatever the reason was */
    }
}

static void recheck_suspects(struct kafka_recheck *recheck) {
    struct kafka_topics_walk walk = {0};

    while (kafka_topics_next(recheck->assign->topics, &walk)) {
        struct kafka_partition *partition = walk.at;
        if (!partition->suspect || partition->state != KAFKA_PARTITION_ASSIGNED) {
            continue;
        }
        partition->suspect = false;
        if (partition->anchor.known) { /* else there is nothing to compare with */
            log_info("%s: looking whether it is still the same topic", partition->label);
            partition->rechecking = true;
            kafka_assign_fetch_again(recheck->assign, walk.at_topic, walk.at_number,
                                     partition->anchor.offset);
        }
    }
}

/* False: there was nothing to ask. */
static bool ask_committed(struct kafka_recheck *recheck) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    bool quiet_too = recheck->round++ % KAFKA_RECHECK_QUIET == 0;
    struct kafka_topics_walk walk = {0};

    while (kafka_topics_next(recheck->assign->topics, &walk)) {
        if (walk.at->acknowledged && walk.at->state == KAFKA_PARTITION_ASSIGNED &&
            (quiet_too || walk.at->next != walk.at->committed)) {
            rd_kafka_topic_partition_list_add(list, walk.at_topic->route->topic, walk.at_number);
        }
    }
    if (list->cnt == 0) {
        rd_kafka_topic_partition_list_destroy(list);
        return false;
    }
    recheck->assign->asking = true;
    kafka_watch_ask(recheck->assign->watch, KAFKA_QUESTION_COMMITTED, list, false);
    return true;
}
