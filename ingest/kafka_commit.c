#include "ingest/kafka_commit.h"

#include "common/clock.h"
#include "common/log.h"
#include "shm/positions.h"

static void note_outcome(struct kafka_commit *commit, rd_kafka_resp_err_t error,
                         const rd_kafka_topic_partition_t *entry);
static rd_kafka_topic_partition_list_t *changed(struct kafka_commit *commit);

void kafka_commit_init(struct kafka_commit *commit, rd_kafka_t *handle,
                       struct kafka_topics *topics) {
    *commit = (struct kafka_commit){.handle = handle, .topics = topics};
}

void kafka_commit_send(struct kafka_commit *commit, uint64_t now_ms) {
    rd_kafka_topic_partition_list_t *list;

    if (commit->under_way && now_ms - commit->sent_ms < KAFKA_COMMIT_GIVE_UP_MS) {
        return;
    }
    list = changed(commit);
    if (list->cnt > 0 && rd_kafka_commit(commit->handle, list, 1) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        commit->under_way = true;
    }
    commit->sent_ms = now_ms;
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_commit_done(struct kafka_commit *commit, rd_kafka_resp_err_t error,
                       const rd_kafka_topic_partition_list_t *offsets) {
    commit->under_way = false;
    for (int i = 0; offsets != NULL && i < offsets->cnt; i++) {
        note_outcome(commit, error, &offsets->elems[i]);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__NO_OFFSET) {
        commit->told = false;
    } else if (!commit->told) {
        commit->told = true;
        log_warn(
            "Kafka: offsets can't be committed (%s): lag tools will show old figures, nothing else "
            "depends on it",
            rd_kafka_err2str(error));
    }
}

void kafka_commit_final(struct kafka_commit *commit, int timeout_ms) {
    rd_kafka_topic_partition_list_t *list = changed(commit);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(commit->handle);

    /* With a queue of its own: rd_kafka_commit() in its synchronous form has no deadline. */
    if (list->cnt > 0 && queue != NULL &&
        rd_kafka_commit_queue(commit->handle, list, queue, NULL, NULL) ==
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_destroy(rd_kafka_queue_poll(queue, timeout_ms));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* What the broker did not take is told again with the next commit. */
static void note_outcome(struct kafka_commit *commit, rd_kafka_resp_err_t error,
                         const rd_kafka_topic_partition_t *entry) {
    struct kafka_topic *topic = kafka_topics_find(commit->topics, entry->topic);
    struct kafka_partition *partition = kafka_topics_partition(topic, entry->partition);

    if (partition == NULL) {
        return;
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && entry->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        partition->acknowledged = true;
        partition->anchor = partition->told;
    } else {
        partition->committed = POSITION_UNKNOWN;
    }
}

/* What moved since the last time; `next` is what the ring holds for certain. */
static rd_kafka_topic_partition_list_t *changed(struct kafka_commit *commit) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    struct kafka_topics_walk walk = {0};

    while (kafka_topics_next(commit->topics, &walk)) {
        uint64_t next =
            walk.at->position != NULL ? load_relaxed(&walk.at->position->next) : POSITION_UNKNOWN;
        if (walk.at->state == KAFKA_PARTITION_ASSIGNED && !walk.at->suspect &&
            !walk.at->rechecking && next != POSITION_UNKNOWN && next != walk.at->committed) {
            rd_kafka_topic_partition_list_add(list, walk.at_topic->route->topic, walk.at_number)
                ->offset = (int64_t)next;
            walk.at->committed = next;
            walk.at->told = walk.at->last;
        }
    }
    return list;
}
