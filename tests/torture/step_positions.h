/* Subject of torture_step.c: where consumption stands, as ingest notes it when it finds topics and partitions, which
 * rooms topics feed, and which types routes own. A partition is there whole or not at all; what workers have believed of
 * it stays true under the successor; feeds and types are never too few; the mark of a message is one whole message's, or
 * none. */
#ifndef MOONX_TESTS_STEP_POSITIONS_H
#define MOONX_TESTS_STEP_POSITIONS_H

#include "ingest/kafka_fetch.h"
#include "ingest/kafka_start.h"
#include "shm/feed_table.h"
#include "shm/type_table.h"
#include "tests/torture/step.h"

#define STEP_POSITIONS_HIGH                                                                        \
    7u /* the end of `late` when it is first seen, and its history's beginning */
#define STEP_POSITIONS_LOW 4u

static struct { struct segment live, copy; } step_positions;

/* They change places, so that a mixture of both has neither. */
static void step_positions_feed(struct segment *segment, uint32_t topic, bool again) {
    const struct feed all = feed_of(SPAN_LITERAL("all:"), false);
    const struct feed before[] = {feed_of(SPAN_LITERAL("old"), true), all,
                                  feed_of(SPAN_LITERAL("x"), true)};
    const struct feed after[] = {feed_of(SPAN_LITERAL("y"), true),
                                 feed_of(SPAN_LITERAL("new"), true), all};
    feed_table_set(segment, topic, again ? after : before, 3);
}

static void step_positions_types(struct segment *segment, bool again) {
    const struct span types[] = {SPAN_LITERAL("x"), SPAN_LITERAL("price_update"),
                                 SPAN_LITERAL("fill")};
    const struct span reordered[] = {types[2], types[1]};
    type_table_set(segment, again ? reordered : types, again ? 2 : 3);
}

static void step_positions_watch(void *part, size_t length) {
    size_t at = (size_t)((char *)part - (char *)step_positions.live.header);
    step_watch(part, (char *)step_positions.copy.header + at, length);
}

/* Topic 0 is there already and has its feeds; 1 will be. */
static void step_positions_prepare(void) {
    struct segment *live = &step_positions.live;
    fixture_open(live, SEGMENT_RING_MIN_BYTES, 2);
    fixture_need(segment_map(live->fd, true, &step_positions.copy), "segment_map");
    step_copy(step_positions.copy.header, live->size, live->fd);
    step_positions_feed(live, 0, false);
    step_positions_types(live, false);
    step_positions_watch(live->positions,
                         offsetof(struct positions, topics) + 3 * sizeof(struct positions_topic));
    step_positions_watch(live->positions->partitions, 5 * sizeof(struct position));
    positions_mark(live->positions, 0, 7, 1000, 10);
    step_positions_watch(live->positions->marks, 5 * sizeof(struct position_mark));
    step_positions_watch(live->types, offsetof(struct type_table, names[3]));
    step_positions_watch(live->feeds, offsetof(struct feed_table, topics[2]));
}

static void step_positions_operate(void) {
    struct positions *positions = step_positions.live.positions;
    int late = positions_intern(positions, SPAN_LITERAL("late"), 0);
    step_need(late == 2);
    struct kafka_partition partition = {.position = &positions->partitions[late]};
    kafka_fetch_from(&partition, STEP_POSITIONS_LOW, STEP_POSITIONS_HIGH);
    step_done();
    step_need(positions_intern_from(positions, SPAN_LITERAL("trades"), 2, 0) == 3);
    step_done();
    step_positions_feed(&step_positions.live, 0, true);
    step_done();
    step_positions_feed(&step_positions.live, 1, true);
    step_done();
    step_positions_types(&step_positions.live, true);
    step_done();
    positions_mark(positions, 0, 8, 2000, 20);
    step_done();
}

/* A mixture of two messages would be taken for one of another topic. */
static void step_positions_check_mark(uint64_t done) {
    const struct position_mark *mark = &step_positions.copy.positions->marks[0];
    uint64_t offset = load_acquire(&mark->offset), time_ms = load_relaxed(&mark->time_ms);
    uint64_t length = load_relaxed(&mark->length);
    bool old = offset == 7 && time_ms == 1000 && length == 10;
    bool new = offset == 8 && time_ms == 2000 && length == 20;
    step_expect(done < 6 ? old || new || offset == POSITION_UNKNOWN : new,
                "after %llu operations the mark is %llu, %llu ms, %llu bytes",
                (unsigned long long)done, (unsigned long long)offset, (unsigned long long)time_ms,
                (unsigned long long)length);
}

/* A type that routes own is never free. */
static void step_positions_check_types(void) {
    const struct segment *copy = &step_positions.copy;
    step_expect(type_table_has(copy, SPAN_LITERAL("fill")) &&
                    type_table_has(copy, SPAN_LITERAL("price_update")),
                "a type that routes own is anybody's");
}

/* The feeds of topic 0, old or new; more of them while that can't be told. */
static void step_positions_check_feeds(uint64_t done) {
    static struct feed_view view;
    view.version = UINT64_MAX;
    feed_view_refresh(&view, &step_positions.copy);
    bool old = feed_view_feeds(&view, 0, SPAN_LITERAL("old"));
    bool new = feed_view_feeds(&view, 0, SPAN_LITERAL("new"));
    step_expect(feed_view_feeds(&view, 0, SPAN_LITERAL("all:1")) && (done < 3 ? old || new : new),
                "after %llu operations topic 0 feeds too few rooms", (unsigned long long)done);
    step_expect(feed_view_feeds(&view, 1, SPAN_LITERAL("all:1")), "topic 1 feeds too few rooms");
}

static void step_positions_read(uint64_t done) {
    const struct positions *positions = step_positions.copy.positions;
    const struct position *late = &positions->partitions[2], *added = &positions->partitions[3];
    uint32_t count = positions_count(positions);

    step_expect(count >= (done > 1 ? 4 : 2 + done) && count <= 4, "%u partitions", count);
    step_expect(count < 3 || (span_is(positions_topic_name(positions, 2), "late") &&
                              late->number == 0 && load_relaxed(&late->gaps) == 0),
                "a partition is counted before it is whole");
    step_expect(done == 0 || (load_relaxed(&late->next) == STEP_POSITIONS_LOW &&
                              load_relaxed(&late->live_from) == STEP_POSITIONS_HIGH),
                "where the topic starts is lost");
    step_expect(count < 4 ||
                    (span_is(positions_topic_name(positions, 3), "trades") && added->number == 2 &&
                     load_relaxed(&added->next) == 0 && load_relaxed(&added->live_from) == 0),
                "a partition that was added does not start at 0");
    step_positions_check_feeds(done);
    step_positions_check_types();
    step_positions_check_mark(done);
}

/* The end has moved meanwhile. Workers may have told clients the first one. */
static void step_positions_succeed(uint64_t done) {
    struct positions *positions = step_positions.copy.positions;
    int late = positions_intern(positions, SPAN_LITERAL("late"), 0);
    struct kafka_partition partition = {.position = &positions->partitions[late]};
    uint64_t believed = load_relaxed(&partition.position->live_from);
    struct kafka_start_facts facts = {.next = load_relaxed(&partition.position->next),
                                      .live_from = believed,
                                      .high = STEP_POSITIONS_HIGH + 2,
                                      .since = STEP_POSITIONS_LOW};
    struct kafka_start start = kafka_start_choose(&facts);

    if (start.kind != KAFKA_START_CONTINUE)
        kafka_fetch_from(&partition, start.offset, start.live_from);
    step_expect(load_relaxed(&partition.position->next) == STEP_POSITIONS_LOW &&
                    (believed == POSITION_UNKNOWN ||
                     load_relaxed(&partition.position->live_from) == believed),
                "what came meanwhile is history to a successor");
    step_expect(positions_intern_from(positions, SPAN_LITERAL("trades"), 2, 0) >= 2,
                "a successor can't add a partition");
    step_expect(positions_count(positions) == 4, "a partition is there twice");
    step_positions_feed(&step_positions.copy, 1, true);
    step_positions_check_feeds(done);
    step_positions_types(&step_positions.copy, true);
    step_positions_check_types();
    step_expect(!type_table_has(&step_positions.copy, SPAN_LITERAL("x")), "a type is not given up");
}

#endif
