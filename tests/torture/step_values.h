/* Subject of torture_step.c: ingest as it keeps the values of conflated routes, in a table that is full: values grow and
 * drive others out, keys are new, two values of a key come before one publish. At every moment a joiner finds of each key
 * the newest published value, or is told that the table is not whole; after the successor has read again what was not
 * published, all is there, no key twice, no cell lost, and who follows the changes sees the same as who reads it all. */
#ifndef MOONX_TESTS_STEP_VALUES_H
#define MOONX_TESTS_STEP_VALUES_H

#include "shm/snapshot_former.h"
#include "shm/snapshot_put.h"
#include "tests/torture/step.h"

#define STEP_VALUES_RING   (16u << 10)
#define STEP_VALUES_SLOTS  160u /* more than the slack of the log of changes */
#define STEP_VALUES_TABLE  (STEP_VALUES_SLOTS << 10)
#define STEP_VALUES_LENGTH 1504u
#define STEP_VALUES_CELLS  13u /* of one value */

static struct {
    struct segment live, copy;
    struct ring_append writer; /* ingest's own memory when the operation begins */
    struct snapshot_put put;
    uint64_t start;                     /* of the operation, in the ring */
    unsigned keys;                      /* that were there then */
    uint64_t newest[STEP_VALUES_SLOTS]; /* by key: position of the newest published value */
    uint64_t seen,
        told[STEP_VALUES_SLOTS]; /* who follows the changes: up to where, and what he knows of each slot */
    _Alignas(8) char buffer[1 << 14];
} step_values;

static const struct step_value {
    unsigned key;
    size_t length;
} step_value_list[] = {{5, 2040}, {150, 904}, {5, 304}, {5, 1800}};

#define STEP_VALUES           ARRAY_LENGTH(step_value_list)
#define STEP_VALUES_PUBLISHED 2 /* after so many */

/* As ingest does (ingest/event_publish.c). */
static void step_values_append(struct ring_append *writer, struct snapshot_put *put, unsigned key,
                               size_t length) {
    char name[8];
    struct record *record = ring_append_reserve(writer, length);
    step_need(record != NULL);
    fixture_fill(record, RECORD_EVENT, 0, (int64_t)record->sequence - 1);
    record->sender = key;
    snprintf(name, sizeof(name), "k%u", key);
    record->snapshot_slot = snapshot_put_value(put, span_of(name), record, writer->reserved);
    ring_append_commit(writer);
}

static uint64_t step_values_look(const struct segment *segment, uint32_t slot) {
    struct snapshot_value value;
    enum snapshot_result result =
        snapshot_table_read(segment, slot, UINT64_MAX, step_values.buffer, &value);
    return result == SNAPSHOT_OK ? value.position : SNAPSHOT_NOWHERE;
}

static void step_values_prepare(void) {
    struct segment *live = &step_values.live;
    int fd = -1;
    fixture_need(segment_create(STEP_VALUES_RING, STEP_VALUES_TABLE, &fd), "segment_create");
    fixture_need(segment_map(fd, true, live), "segment_map");
    fixture_need(positions_intern_from(live->positions, SPAN_LITERAL("trades"), 0, 0), "intern");
    fixture_need(segment_map(live->fd, true, &step_values.copy), "segment_map");
    step_copy(step_values.copy.header, live->size, live->fd);
    fixture_need(ring_append_open(&step_values.writer, live), "ring_append_open");
    fixture_need(snapshot_put_open(&step_values.put, live), "snapshot_put_open");
    while (step_values.put.free_cell_count >= STEP_VALUES_CELLS) {
        step_values_append(&step_values.writer, &step_values.put, step_values.keys,
                           STEP_VALUES_LENGTH);
        step_values.newest[step_values.keys++] = step_values.writer.head - STEP_VALUES_LENGTH;
        ring_append_publish(&step_values.writer);
    }
    for (unsigned key = step_values.keys; key < STEP_VALUES_SLOTS; key++)
        step_values.newest[key] = SNAPSHOT_NOWHERE;
    step_values.start = step_values.writer.head;
    step_values.seen = load_relaxed(&live->snapshots->changes);
    for (uint32_t slot = 0; slot < STEP_VALUES_SLOTS; slot++)
        step_values.told[slot] = step_values_look(live, slot);
    step_need(live->snapshot_shape.slots == STEP_VALUES_SLOTS && step_values.keys < 90);

    const struct segment_header *header = live->header;
    char *from = (char *)live->header, *to = (char *)step_values.copy.header;
    step_watch(from + header->words_at, to + header->words_at, sizeof(struct ring_words));
    step_watch(live->positions->partitions, step_values.copy.positions->partitions,
               sizeof(struct position));
    step_watch(live->rooms, step_values.copy.rooms, room_index_size(STEP_VALUES_RING));
    step_watch(live->times->first, step_values.copy.times->first, 64 * sizeof(shm_u64));
    step_watch(live->snapshots, step_values.copy.snapshots, live->snapshot_shape.size);
}

/* Three values are in the table and in the ring, and not published: what a killed ingest leaves. */
static void step_values_prepare_left(void) {
    step_values_prepare();
    for (unsigned i = 0; i < STEP_VALUES - 1; i++)
        step_values_append(&step_values.writer, &step_values.put, step_value_list[i].key,
                           step_value_list[i].length);
}

/* The successor is killed as well. */
static void step_values_take_over(void) {
    struct segment *live = &step_values.live;
    fixture_need(ring_append_open(&step_values.writer, live), "ring_append_open");
    fixture_need(snapshot_put_open(&step_values.put, live), "snapshot_put_open");
    for (unsigned i = 0; i < STEP_VALUES; i++)
        step_values_append(&step_values.writer, &step_values.put, step_value_list[i].key,
                           step_value_list[i].length);
    ring_append_publish(&step_values.writer);
}

static void step_values_operate(void) {
    for (unsigned i = 0; i < STEP_VALUES; i++) {
        step_values_append(&step_values.writer, &step_values.put, step_value_list[i].key,
                           step_value_list[i].length);
        if (i + 1 == STEP_VALUES_PUBLISHED || i + 1 == STEP_VALUES)
            ring_append_publish(&step_values.writer);
    }
    step_need(step_values.put.evicted > 0);
}

/* How many of the operation's values are published; `newest` follows them. */
static unsigned step_values_published(uint64_t *newest) {
    const struct segment *copy = &step_values.copy;
    uint64_t at = step_values.start, published = load_relaxed(&copy->words->published);
    unsigned count = 0;
    memcpy(newest, step_values.newest, sizeof(step_values.newest));
    while (at < published) {
        const struct record *record = (const void *)(copy->ring + (at & (STEP_VALUES_RING - 1)));
        step_expect(record->length != 0, "the ring is damaged");
        if (record->kind != RECORD_PAD) {
            newest[record->sender % STEP_VALUES_SLOTS] = at;
            count++;
        }
        at += record->length;
    }
    return count;
}

/* Where the value lies that a joiner at the ring's end is shown for this slot; -ESTALE: it was there, and can't be told. */
static int step_values_show(struct ring_read *reader, uint32_t slot, unsigned *key,
                            uint64_t *position) {
    const struct segment *copy = &step_values.copy;
    uint64_t cursor = load_relaxed(&copy->words->published);
    struct snapshot_former former;
    struct snapshot_value value;
    unsigned hops = 10;

    *position = SNAPSHOT_NOWHERE;
    enum snapshot_result result =
        snapshot_table_read(copy, slot, cursor, step_values.buffer, &value);
    if (result == SNAPSHOT_FREE || result == SNAPSHOT_BUSY)
        return 0;
    struct span words = record_envelope(value.record);
    uint64_t word = value.record->sequence * 0x9e3779b97f4a7c15ull;
    *key = (unsigned)value.record->sender;
    step_expect(*key < STEP_VALUES_SLOTS && memcmp(words.data, &word, 8) == 0 &&
                    memcmp(words.data + words.length - 8, &word, 8) == 0,
                "slot %u: a torn value", slot);
    *position = value.position;
    if (result == SNAPSHOT_OK)
        return 0;
    int error = snapshot_former_find(reader, &value, cursor, &hops, &former);
    step_expect(error == 0 || error == -ESTALE, "slot %u: no way back: %s", slot, strerror(-error));
    *position = former.position;
    return error;
}

/* found: of which keys there is a value. */
static void step_values_join(const uint64_t *newest, bool *found) {
    const struct segment *copy = &step_values.copy;
    struct ring_read reader;
    uint64_t position;
    unsigned key = 0;

    memset(found, 0, STEP_VALUES_SLOTS * sizeof(*found));
    fixture_need(ring_read_init(&reader, copy), "ring_read_init");
    for (uint32_t slot = 0; slot < STEP_VALUES_SLOTS; slot++) {
        int error = step_values_show(&reader, slot, &key, &position);
        if (error != 0 || position == SNAPSHOT_NOWHERE)
            continue;
        step_expect(position == newest[key] && !found[key],
                    "key %u: the value at %llu, not the one at %llu", key,
                    (unsigned long long)position, (unsigned long long)newest[key]);
        found[key] = true;
    }
    ring_read_done(&reader);
}

/* Nobody has taken over yet. */
static void step_values_read(uint64_t done) {
    uint64_t newest[STEP_VALUES_SLOTS];
    bool found[STEP_VALUES_SLOTS];
    (void)done; /* the ring says how far it has come */
    (void)step_values_published(newest);
    step_values_join(newest, found);
}

/* What is not there is said not to be. */
static void step_values_join_whole(const uint64_t *newest, bool *found) {
    step_values_join(newest, found);
    for (unsigned key = 0; key < STEP_VALUES_SLOTS; key++)
        step_expect(found[key] || newest[key] == SNAPSHOT_NOWHERE ||
                        !snapshot_table_whole_since(&step_values.copy, newest[key]),
                    "key %u is missing", key);
}

static void step_values_visit(void *context, uint32_t slot) {
    uint64_t *told = context;
    told[slot] = step_values_look(&step_values.copy, slot);
}

static void step_values_check_table(const struct snapshot_put *put) {
    const struct segment *copy = &step_values.copy;
    uint64_t told[STEP_VALUES_SLOTS], seen = step_values.seen;
    uint32_t cells = put->free_cell_count, slots = put->free_slot_count;

    memcpy(told, step_values.told, sizeof(told));
    snapshot_table_changes(copy, &seen, step_values_visit, told);
    for (uint32_t slot = 0; slot < STEP_VALUES_SLOTS; slot++) {
        const struct snapshot_slot *entry = snapshot_table_slot(copy, slot);
        bool used = load_relaxed(&entry->first) != 0;
        slots += used;
        cells +=
            used ? (load_relaxed(&entry->length) + SNAPSHOT_CELL_BYTES - 1) / SNAPSHOT_CELL_BYTES
                 : 0;
        step_expect(told[slot] == step_values_look(copy, slot),
                    "who follows the changes does not know of slot %u", slot);
    }
    step_expect(slots == STEP_VALUES_SLOTS && cells == copy->snapshot_shape.cells,
                "%u slots and %u cells are left", slots, cells);
}

static void step_values_succeed(uint64_t done) {
    struct segment *copy = &step_values.copy;
    uint64_t newest[STEP_VALUES_SLOTS];
    struct ring_append writer;
    struct snapshot_put put;
    bool found[STEP_VALUES_SLOTS];
    shm_u64 astray = 0;

    (void)done;
    int result = ring_append_open(&writer, copy);
    step_expect(result == 0, "ring_append_open: %s", strerror(-result));
    fixture_need(snapshot_put_open(&put, copy), "snapshot_put_open");
    unsigned published = step_values_published(newest);
    step_values_join_whole(newest, found);
    step_values_check_table(&put);
    for (unsigned i = published; i < STEP_VALUES; i++)
        step_values_append(&writer, &put, step_value_list[i].key, step_value_list[i].length);
    ring_append_publish(&writer);
    step_expect(step_values_published(newest) == STEP_VALUES, "not all values were read again");
    step_values_join_whole(newest, found);
    step_values_check_table(&put);
    for (unsigned i = 0; i < STEP_VALUES; i++)
        step_expect(found[step_value_list[i].key], "the newest value is not kept");
    step_expect(torture_walk(copy, 0, 0, &astray) == step_values.keys + STEP_VALUES && astray == 0,
                "the index does not reach the newest value");
    snapshot_put_done(&put);
    ring_append_done(&writer);
}

#endif
