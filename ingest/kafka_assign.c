#include "ingest/kafka_assign.h"

#include "common/clock.h"
#include "common/log.h"
#include "ingest/kafka_discover.h"
#include "ingest/kafka_fetch.h"
#include "ingest/kafka_start.h"
#include "shm/once.h"
#include "shm/positions.h"

#include <inttypes.h>

#define ASK_AGAIN_MS  1000
#define TELL_AGAIN_MS 10000 /* one line for all partitions of a topic that was made anew */

static void forget_positions(struct kafka_assign *assign);
static void on_watermarks(struct kafka_assign *assign, const struct kafka_answer *answer);
static uint64_t since_of(const struct kafka_answer *answer, const rd_kafka_topic_partition_t *low);
static void on_watermark(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number,
                         struct kafka_start_facts *facts);
static void tell_start(struct kafka_assign *assign, struct kafka_topic *topic,
                       struct kafka_partition *partition, const struct kafka_start *start);
static void apply_start(struct kafka_assign *assign, struct kafka_partition *partition,
                        const struct kafka_start *start);
static void ask_open(struct kafka_assign *assign, uint64_t now_ms);
static int64_t since_ms(const struct kafka_assign *assign, const struct route *route);

void kafka_assign_init(struct kafka_assign *assign, rd_kafka_t *handle, struct kafka_topics *topics,
                       struct kafka_watch *watch, struct kafka_status *status,
                       struct segment *segment, int64_t history_seconds, bool fresh_broker) {
    *assign = (struct kafka_assign){
        .handle = handle,
        .topics = topics,
        .watch = watch,
        .status = status,
        .positions = segment->positions,
        .segment = segment,
        .stats = &segment->ingest->stats,
        .first_host_start = !kafka_status_is_caught_up(status),
        .history_ms = fresh_broker ? 0 : history_seconds * 1000,
    };
    if (fresh_broker && positions_count(assign->positions) > 0) {
        forget_positions(assign);
    }
}

void kafka_assign_on_answer(struct kafka_assign *assign, const struct kafka_answer *answer) {
    if (answer->question == KAFKA_QUESTION_WATERMARKS) {
        assign->asking = false;
        on_watermarks(assign, answer);
    } else if (answer->metadata == NULL) {
        kafka_status_down(assign->status, rd_kafka_err2str(answer->error));
    } else {
        kafka_status_up(assign->status);
        kafka_discover(assign, answer->metadata);
        assign->heard = true;
    }
}

void kafka_assign_out_of_range(struct kafka_assign *assign, struct kafka_topic *topic,
                               int32_t number) {
    struct kafka_partition *partition = kafka_topics_partition(topic, number);
    rd_kafka_topic_partition_list_t *list;

    if (partition == NULL || partition->state != KAFKA_PARTITION_ASSIGNED) {
        return;
    }
    partition->rechecking = false;
    list = rd_kafka_topic_partition_list_new(1);
    kafka_fetch_add(list, topic, number);
    kafka_fetch_end(assign->handle, list);
    partition->state = KAFKA_PARTITION_STARTING;
    store_relaxed(&partition->position->state, POSITION_IDLE);
}

void kafka_assign_made_anew(struct kafka_assign *assign, struct kafka_topic *topic,
                            int32_t number) {
    kafka_topics_partition(topic, number)->made_anew = true;
    kafka_assign_out_of_range(assign, topic, number);
}

void kafka_assign_fetch_again(struct kafka_assign *assign, struct kafka_topic *topic,
                              int32_t number, uint64_t offset) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    kafka_fetch_add(list, topic, number);
    kafka_fetch_end(assign->handle, rd_kafka_topic_partition_list_copy(list));
    kafka_topics_partition(topic, number)->state = KAFKA_PARTITION_STARTING;
    list->elems[0].offset = (int64_t)offset;
    kafka_fetch_begin(assign->handle, assign->topics, list);
}

void kafka_assign_skip_to(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number,
                          uint64_t offset) {
    struct kafka_partition *partition = kafka_topics_partition(topic, number);

    kafka_fetch_from(partition, offset, load_relaxed(&partition->position->live_from));
    kafka_assign_fetch_again(assign, topic, number, offset);
}

void kafka_assign_tick(struct kafka_assign *assign, uint64_t now_ms) {
    if (!assign->asking && now_ms >= assign->ask_again_ms) {
        ask_open(assign, now_ms);
    }
}

static void forget_positions(struct kafka_assign *assign) {
    uint32_t count = positions_count(assign->positions);

    for (uint32_t i = 0; i < count; i++) {
        struct position *position = &assign->positions->partitions[i];
        positions_unmark(assign->positions, i);
        store_relaxed(&position->live_from, 0);
        store_relaxed(&position->whole_from, 0);
        store_relaxed(&position->restarts, load_relaxed(&position->restarts) + 1);
        store_release(&position->next, 0);
    }
    stats_add(assign->stats, STAT_KAFKA_RESTARTS, count);
    log_warn("the built-in broker is a new one: all offsets start at 0 again, event ids repeat");
}

static void on_watermarks(struct kafka_assign *assign, const struct kafka_answer *answer) {
    for (int i = 0; i < answer->lows->cnt; i++) {
        const rd_kafka_topic_partition_t *low = &answer->lows->elems[i];
        const rd_kafka_topic_partition_t *high =
            rd_kafka_topic_partition_list_find(answer->highs, low->topic, low->partition);
        struct kafka_topic *topic = kafka_topics_find(assign->topics, low->topic);

        if (topic == NULL || high == NULL || low->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
            high->err != RD_KAFKA_RESP_ERR_NO_ERROR || low->offset < 0 ||
            high->offset < low->offset) {
            continue; /* asked again within a second */
        }
        struct kafka_start_facts facts = {.low = (uint64_t)low->offset,
                                          .high = (uint64_t)high->offset,
                                          .since = since_of(answer, low)};
        on_watermark(assign, topic, low->partition, &facts);
    }
}

/* Behind the newest of all, or not to be had: no history. */
static uint64_t since_of(const struct kafka_answer *answer, const rd_kafka_topic_partition_t *low) {
    const rd_kafka_topic_partition_t *since =
        answer->sinces != NULL
            ? rd_kafka_topic_partition_list_find(answer->sinces, low->topic, low->partition)
            : NULL;

    return since != NULL && since->err == RD_KAFKA_RESP_ERR_NO_ERROR && since->offset >= 0
               ? (uint64_t)since->offset
               : POSITION_UNKNOWN;
}

static void on_watermark(struct kafka_assign *assign, struct kafka_topic *topic, int32_t number,
                         struct kafka_start_facts *facts) {
    struct kafka_partition *partition = kafka_topics_partition(topic, number);
    rd_kafka_topic_partition_list_t *list;
    struct kafka_start start;

    if (partition == NULL || partition->position == NULL ||
        partition->state != KAFKA_PARTITION_STARTING) {
        return;
    }
    facts->next = load_relaxed(&partition->position->next);
    facts->live_from = load_relaxed(&partition->position->live_from);
    facts->made_anew = partition->made_anew;
    facts->control = topic->route->kind == ROUTE_CONTROL;
    start = kafka_start_choose(facts);
    store_relaxed(&partition->position->high_watermark, facts->high);
    tell_start(assign, topic, partition, &start);
    apply_start(assign, partition, &start);
    if (partition->await_offset == POSITION_UNKNOWN) {
        partition->await_offset = facts->high;
    }
    if (start.offset == facts->high && !facts->control) {
        partition->awaited = false; /* the end is where it starts; control messages must prove it */
    }
    list = rd_kafka_topic_partition_list_new(1);
    kafka_fetch_add(list, topic, number);
    kafka_fetch_begin(assign->handle, assign->topics, list);
}

static void tell_start(struct kafka_assign *assign, struct kafka_topic *topic,
                       struct kafka_partition *partition, const struct kafka_start *start) {
    struct position *position = partition->position;
    uint64_t now_ms = clock_mono_ms();

    if (start->lost > 0) {
        stats_add(assign->stats, STAT_KAFKA_GAPS, start->lost);
        store_relaxed(&position->gaps, load_relaxed(&position->gaps) + start->lost);
        log_warn("%s: %" PRIu64 " offsets from %" PRIu64
                 " on are no longer there (retention): going on at "
                 "%" PRIu64,
                 partition->label, start->lost, load_relaxed(&position->next), start->offset);
    }
    if (start->kind != KAFKA_START_AGAIN) {
        return;
    }
    stats_add(assign->stats, STAT_KAFKA_RESTARTS, 1);
    store_relaxed(&position->restarts, load_relaxed(&position->restarts) + 1);
    if (topic->told_ms == 0 || now_ms - topic->told_ms > TELL_AGAIN_MS) {
        topic->told_ms = now_ms;
        log_error("%s: OFFSETS WENT BACK, from %" PRIu64 " to %" PRIu64
                  ": the topic was deleted and made "
                  "anew; event ids repeat, so POSITION_EPOCH should be raised",
                  partition->label, load_relaxed(&position->next), start->offset);
    }
}

static void apply_start(struct kafka_assign *assign, struct kafka_partition *partition,
                        const struct kafka_start *start) {
    if (start->kind == KAFKA_START_AGAIN) { /* first: it is a message of another topic */
        positions_unmark(assign->positions, partition->index);
    }
    if (start->kind != KAFKA_START_CONTINUE) {
        kafka_fetch_from(partition, start->offset, start->live_from);
    }
    if (start->kind == KAFKA_START_AGAIN) {
        partition->made_anew = false;
        partition->last = partition->told = partition->anchor = (struct kafka_mark){0};
        partition->acknowledged = false;
    }
}

/* One question about all partitions whose start is open; one without a leader would hold up the others. */
static void ask_open(struct kafka_assign *assign, uint64_t now_ms) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    struct kafka_topics_walk walk = {0};

    while (kafka_topics_next(assign->topics, &walk)) {
        if (walk.at->state == KAFKA_PARTITION_STARTING && walk.at->position != NULL &&
            walk.at->led) {
            rd_kafka_topic_partition_list_add(list, walk.at_topic->route->topic, walk.at_number)
                ->offset = since_ms(assign, walk.at_topic->route);
        }
    }
    if (list->cnt == 0) {
        rd_kafka_topic_partition_list_destroy(list);
        return;
    }
    assign->asking = true;
    assign->ask_again_ms = now_ms + ASK_AGAIN_MS;
    kafka_watch_ask(assign->watch, KAFKA_QUESTION_WATERMARKS, list, assign->history_ms > 0);
}

/* Of what clients publish also what came in the window before: whether an event counts depends on it (shm/once.h). */
static int64_t since_ms(const struct kafka_assign *assign, const struct route *route) {
    int64_t window_ms = route->kind == ROUTE_SELF ? ONCE_WINDOW_MS : 0;
    return clock_wall_ms() - assign->history_ms - window_ms;
}
