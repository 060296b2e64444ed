/* Subject of torture_step.c: the ring's producer. It appends over the ring's end, publishes several records, gives a room
 * a slot of its own, and takes over from a predecessor killed before `indexed` and one killed in mid-record. A successor must
 * find exactly the records published so far, with positions and indexes that fit, and go on. */
#ifndef MOONX_TESTS_STEP_RING_H
#define MOONX_TESTS_STEP_RING_H

#include "tests/torture/step.h"

#define STEP_RING_CAPACITY  SEGMENT_RING_MIN_BYTES
#define STEP_RING_STRETCHES 8u /* of a ring that small */
#define STEP_RING_START     ((1ull << 63) - 512)

static struct { struct segment live, copy; } step_ring;

/* What the child writes to of a segment's part that begins at `at`. */
static void step_ring_watch(size_t at, size_t length) {
    step_watch((char *)step_ring.live.header + at, (char *)step_ring.copy.header + at, length);
}

static void step_ring_prepare(void) {
    struct segment *live = &step_ring.live;
    fixture_open(live, STEP_RING_CAPACITY, 2);
    fixture_preset(live, STEP_RING_START, 0);
    fixture_need(segment_map(live->fd, true, &step_ring.copy), "segment_map");
    step_copy(step_ring.copy.header, live->size, live->fd);

    const struct segment_header *header = live->header;
    size_t row = sizeof(live->times->next[0]);
    step_ring_watch(header->positions_at + offsetof(struct positions, partitions),
                    2 * sizeof(struct position));
    step_ring_watch(header->words_at, sizeof(struct ring_words));
    step_ring_watch(header->ring_at, STEP_RING_CAPACITY);
    step_ring_watch(header->rooms_at, room_index_size(STEP_RING_CAPACITY));
    step_ring_watch(header->times_at, STEP_RING_STRETCHES * sizeof(shm_u64));
    for (unsigned i = 0; i < 2; i++)
        step_ring_watch(header->times_at + offsetof(struct time_index, next) + i * row,
                        STEP_RING_STRETCHES * sizeof(shm_u64));
}

/* Every record's offset is its partition's count so far, so `next` follows from the sequence alone: odd
 * sequence numbers go to partition 0, even ones to 1. */
static void step_ring_append(struct ring_append *writer, size_t length) {
    uint64_t sequence = writer->sequence + 1;
    fixture_append(writer, length, sequence % 2 ? 0 : 1, (int64_t)((sequence - 1) / 2));
}

/* One room gets a slot of its own, as at a start with other routes. */
static void step_ring_own_room(struct segment *segment) {
    uint64_t hash = room_index_hash(fixture_room_hash(0), ROOM_CHAIN_EVENTS);
    fixture_need(room_index_add_own(segment, hash), "room_index_add_own");
}

static void step_ring_operate(void) {
    struct segment *live = &step_ring.live;
    struct ring_append writer;
    fixture_need(ring_append_open(&writer, live), "ring_append_open");
    step_ring_append(&writer, 200);
    step_ring_append(&writer, 200);
    ring_append_publish(&writer);
    step_ring_append(&writer, 400); /* over the ring's end: a pad before it */
    step_ring_append(&writer, 136);
    step_ring_append(&writer, 136);
    ring_append_publish(&writer);
    step_ring_own_room(live);
    step_ring_append(&writer, 136);
    ring_append_publish(&writer);
    step_need(ring_append_reserve(&writer, 512) != NULL); /* announced, never written */

    /* A predecessor killed before it had stored the first `next` of its last publish. */
    store_relaxed(&live->words->indexed, load_relaxed(&live->words->published) - 408);
    store_relaxed(&live->positions->partitions[0].next, 2);
    store_relaxed(&live->positions->partitions[1].next, 1);
    fixture_need(ring_append_open(&writer, live), "ring_append_open again");
    step_ring_append(&writer, 144);
    ring_append_publish(&writer);
}

/* Counted from the ring alone, from the position the producer started at. */
static uint64_t step_ring_published(const struct segment *segment) {
    uint64_t at = STEP_RING_START, count = 0;
    uint64_t published = load_relaxed(&segment->words->published);
    while (at < published) {
        const struct record *record =
            (const void *)(segment->ring + (at & (STEP_RING_CAPACITY - 1)));
        count += record->kind != RECORD_PAD;
        if (record->length == 0)
            break;
        at += record->length;
    }
    return count;
}

static void step_ring_check_next(uint64_t offsets) {
    uint64_t next[2] = {load_relaxed(&step_ring.copy.positions->partitions[0].next),
                        load_relaxed(&step_ring.copy.positions->partitions[1].next)};
    step_expect(next[0] == (offsets + 1) / 2 && next[1] == offsets / 2,
                "after %llu records next is %llu and %llu", (unsigned long long)offsets,
                (unsigned long long)next[0], (unsigned long long)next[1]);
}

/* Both rooms can be walked from their newest record on, and every offset has its place. */
static void step_ring_check_indexes(void) {
    shm_u64 found = 0;
    for (uint32_t p = 0; p < 2; p++) {
        uint64_t next = load_relaxed(&step_ring.copy.positions->partitions[p].next);
        for (uint64_t want = 0; want <= next; want++)
            step_expect(torture_walk(&step_ring.copy, p, want, &found) == next,
                        "partition %u: the index does not reach %llu", p, (unsigned long long)next);
    }
    step_expect(found == 0, "the indexes lead astray");
}

/* The successor's life: recovery, then two more records that a reader must see. */
static void step_ring_succeed(uint64_t done) {
    struct segment *copy = &step_ring.copy;
    struct ring_append writer;
    struct ring_read reader;
    const struct record *record;
    uint64_t skipped, intent = load_relaxed(&copy->words->intent);
    uint64_t expected = step_ring_published(copy);

    (void)done; /* the ring itself says how far it has come */
    int result = ring_append_open(&writer, copy);
    step_expect(result == 0, "ring_append_open: %s", strerror(-result));
    if (result < 0)
        return;
    step_expect(writer.sequence == expected, "sequence %llu after %llu records",
                (unsigned long long)writer.sequence, (unsigned long long)expected);
    step_ring_check_next(expected);
    step_ring_check_indexes();
    step_ring_own_room(copy);
    fixture_need(ring_read_init(&reader, copy), "ring_read_init");
    step_ring_append(&writer, 136);
    step_ring_append(&writer, 480);
    step_expect(load_relaxed(&copy->words->intent) >= intent, "intent went back");
    ring_append_publish(&writer);
    for (unsigned i = 0; i < 2; i++)
        step_expect(ring_read_next(&reader, &record, &skipped) == RING_OK && fixture_intact(record),
                    "what the successor wrote can't be read");
    step_ring_check_next(expected + 2);
    step_ring_check_indexes();
    ring_read_done(&reader);
    ring_append_done(&writer);
}

#endif
