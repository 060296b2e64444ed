#include "ingest/kafka_progress.h"

#include "ingest/kafka_unclear.h"

static void note_watermarks(struct kafka_assign *assign);
static void note_watermark(struct kafka_assign *assign, const struct kafka_topics_walk *walk);
static bool reached_its_end(const struct kafka_topics_walk *walk);
static void look_whether_caught_up(struct kafka_assign *assign);

void kafka_progress_tick(struct kafka_progress *progress, struct kafka_assign *assign,
                         uint64_t now_ms) {
    if (now_ms - progress->noted_ms >= KAFKA_PROGRESS_MS) {
        progress->noted_ms = now_ms;
        note_watermarks(assign);
    }
    if (assign->heard && !kafka_status_is_caught_up(assign->status)) {
        look_whether_caught_up(assign);
    }
}

/* As the last fetch told them: no question to the broker. */
static void note_watermarks(struct kafka_assign *assign) {
    struct kafka_topics_walk walk = {0};

    while (kafka_topics_next(assign->topics, &walk)) {
        if (walk.at->state == KAFKA_PARTITION_ASSIGNED) {
            note_watermark(assign, &walk);
        }
    }
}

static void note_watermark(struct kafka_assign *assign, const struct kafka_topics_walk *walk) {
    int64_t low, high;

    if (rd_kafka_get_watermark_offsets(assign->handle, walk->at_topic->route->topic,
                                       walk->at_number, &low,
                                       &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        high >= 0) {
        store_relaxed(&walk->at->position->high_watermark, (uint64_t)high);
        if (walk->at->await_offset == POSITION_UNKNOWN) {
            walk->at->await_offset = (uint64_t)high;
        }
    }
}

/* Control messages, where it starts at its end: a fetch must have come back (EOF, kafka_consume.c), since the right to
 * read is another one than the right to know offsets. */
static bool reached_its_end(const struct kafka_topics_walk *walk) {
    const struct kafka_partition *partition = walk->at;

    return partition->next != POSITION_UNKNOWN && partition->await_offset != POSITION_UNKNOWN &&
           partition->next >= partition->await_offset &&
           (walk->at_topic->route->kind != ROUTE_CONTROL || partition->last.known);
}

static void look_whether_caught_up(struct kafka_assign *assign) {
    struct kafka_topics_walk walk = {0};

    if (kafka_unclear_control(assign->topics)) {
        return;
    }
    while (kafka_topics_next(assign->topics, &walk)) {
        if (walk.at->awaited && reached_its_end(&walk)) {
            walk.at->awaited = false;
        }
        if (walk.at->awaited) {
            return;
        }
    }
    kafka_status_caught_up(assign->status);
}
