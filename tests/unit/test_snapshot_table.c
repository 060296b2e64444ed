#include "shm/snapshot_put.h"

#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

static struct segment segment;
static struct snapshot_put put;
static _Alignas(8) char buffer[1 << 16];
static struct snapshot_value value;

static void setup(void) {
    fixture_open(&segment, 1u << 20, 2);
    ck_assert_int_eq(snapshot_put_open(&put, &segment), 0);
}

static void teardown(void) {
    snapshot_put_done(&put);
    fixture_close(&segment);
}

/* As after a kill: only the segment is left. */
static void successor(uint64_t published) {
    snapshot_put_done(&put);
    store_relaxed(&segment.words->published, published);
    ck_assert_int_eq(snapshot_put_open(&put, &segment), 0);
}

static struct record *record_of(uint32_t partition, int kind, int64_t time, size_t envelope) {
    static _Alignas(8) char bytes[1 << 16];
    struct record *record = (struct record *)(void *)bytes;
    size_t length = (sizeof(*record) + envelope + 7) / 8 * 8;

    memset(bytes, 0, length);
    memset(bytes + sizeof(*record), 'x', envelope);
    record->length = (uint32_t)length;
    record->kind = (uint16_t)kind;
    record->partition = partition;
    record->kafka_time_ms = time;
    record->envelope_at = sizeof(*record);
    record->envelope_length = (uint32_t)envelope;
    return record;
}

static uint32_t keep(const char *key, uint64_t position, size_t envelope) {
    return snapshot_put_value(&put, span_of(key), record_of(0, RECORD_EVENT, 0, envelope),
                              position);
}

static enum snapshot_result look(uint32_t slot, uint64_t cursor) {
    return snapshot_table_read(&segment, slot - 1, cursor, buffer, &value);
}

START_TEST(a_key_has_its_newest_value_below_the_cursor_and_none_from_there_on) {
    uint32_t slot = keep("1:ETH", 800, 300);

    ck_assert_uint_ne(slot, 0);
    ck_assert_int_eq(look(slot, 801), SNAPSHOT_OK);
    ck_assert_uint_eq(value.position, 800);
    ck_assert_uint_eq(record_envelope(value.record).length, 300);
    ck_assert(span_is((struct span){value.key, value.key_length}, "1:ETH"));
    ck_assert_int_eq(look(slot, 800), SNAPSHOT_LATER);
    ck_assert_uint_eq(keep("1:ETH", 1600, 1000), slot);
    ck_assert_int_eq(look(slot, 1600), SNAPSHOT_LATER);
    ck_assert_int_eq(look(slot, 1601), SNAPSHOT_OK);
    ck_assert_uint_eq(record_envelope(value.record).length, 1000);
}
END_TEST

START_TEST(values_that_are_kept_by_another_key_or_for_other_rooms_go) {
    int other = positions_intern(segment.positions, SPAN_LITERAL("prices"), 0);
    uint32_t trade, price, topic = segment.positions->partitions[other].topic;

    snapshot_put_topic(&put, 0, 7);
    snapshot_put_topic(&put, topic, 9);
    trade = keep("k", 8, 10);
    price = snapshot_put_value(&put, SPAN_LITERAL("k"),
                               record_of((uint32_t)other, RECORD_EVENT, 0, 10), 16);
    successor(32);
    snapshot_put_topic(&put, 0, 7);
    snapshot_put_topic(&put, topic, 8);
    ck_assert_int_eq(look(trade, 32), SNAPSHOT_OK);
    ck_assert_int_eq(look(price, 32), SNAPSHOT_FREE);
    snapshot_put_topic(&put, 0, 0);
    ck_assert_int_eq(look(trade, 32), SNAPSHOT_FREE);
    ck_assert_uint_eq(put.free_cell_count, segment.snapshot_shape.cells);
}
END_TEST

START_TEST(the_same_key_of_another_topic_is_another_key) {
    int other = positions_intern(segment.positions, SPAN_LITERAL("prices"), 0);
    uint32_t slot = keep("k", 8, 10);

    ck_assert_int_ge(other, 0);
    ck_assert_uint_ne(snapshot_put_value(&put, SPAN_LITERAL("k"),
                                         record_of((uint32_t)other, RECORD_EVENT, 0, 10), 16),
                      slot);
    ck_assert_uint_eq(
        snapshot_put_value(&put, SPAN_LITERAL("k"), record_of(1, RECORD_EVENT, 0, 10), 24), slot);
}
END_TEST

START_TEST(a_slot_that_is_being_written_is_busy) {
    uint32_t slot = keep("k", 8, 10);
    struct snapshot_slot *entry = snapshot_table_slot(&segment, slot - 1);

    store_relaxed(&entry->lock, load_relaxed(&entry->lock) + 1);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_BUSY);
}
END_TEST

START_TEST(what_a_killed_producer_never_published_is_dropped_by_its_successor) {
    uint32_t old = keep("published", 800, 100), half, unpublished = keep("unpublished", 1600, 100);

    half = keep("half", 900, 100);
    store_relaxed(&snapshot_table_slot(&segment, half - 1)->lock,
                  load_relaxed(&snapshot_table_slot(&segment, half - 1)->lock) + 1);
    successor(1600);
    ck_assert_int_eq(look(old, 5000), SNAPSHOT_OK);
    ck_assert_int_eq(look(half, 5000), SNAPSHOT_FREE);
    ck_assert_int_eq(look(unpublished, 5000), SNAPSHOT_FREE);
    ck_assert_uint_eq(keep("published", 2400, 50), old);
    ck_assert_uint_ne(keep("unpublished", 2480, 50), 0);
    ck_assert_uint_eq(put.free_cell_count + 2u * 2u, segment.snapshot_shape.cells);
}
END_TEST

START_TEST(cells_that_lead_astray_are_no_value) {
    uint32_t slot = keep("k", 8, 600);
    struct snapshot_slot *entry = snapshot_table_slot(&segment, slot - 1);
    uint32_t first = load_relaxed(&entry->first);

    store_relaxed(&entry->first, segment.snapshot_shape.cells + 1);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_FREE);
    store_relaxed(&entry->first, first);
    store_relaxed(&snapshot_table_cell(&segment, first - 1)->next, 0);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_FREE);
    store_relaxed(&snapshot_table_cell(&segment, first - 1)->next, first); /* a circle */
    ck_assert_int_ne(look(slot, 100), SNAPSHOT_LATER);
    store_relaxed(&entry->length, UINT32_MAX);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_FREE);
    successor(100);
    ck_assert_uint_eq(put.free_cell_count, segment.snapshot_shape.cells);
}
END_TEST

START_TEST(too_long_a_key_or_value_is_not_kept_and_takes_the_old_one_along) {
    char key[SNAPSHOT_KEY_MAX_BYTES + 2];
    uint32_t slot = keep("k", 8, 10);

    ck_assert_uint_eq(keep("k", 16, snapshot_table_longest(&segment)), 0);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_FREE);
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    ck_assert_uint_eq(keep(key, 24, 10), 0);
    key[SNAPSHOT_KEY_MAX_BYTES] = '\0';
    ck_assert_uint_ne(keep(key, 32, 10), 0);
    ck_assert_uint_eq(put.refused, 2);
}
END_TEST

START_TEST(with_more_keys_than_slots_the_one_changed_longest_ago_gives_way) {
    uint32_t slots = segment.snapshot_shape.slots, first = 0;
    char key[32];

    for (uint32_t i = 0; i < slots; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        uint32_t slot = keep(key, 8 * (i + 1), 10);
        ck_assert_uint_ne(slot, 0);
        first = i == 0 ? slot : first;
    }
    ck_assert_uint_eq(put.evicted, 0);
    ck_assert(snapshot_table_whole_since(&segment, 0));
    ck_assert_uint_eq(keep("k0", 8 * (slots + 1), 10), first); /* no longer the oldest */
    uint32_t slot = keep("new", 8 * (slots + 2), 10);
    ck_assert_uint_eq(put.evicted, 1);
    ck_assert(!snapshot_table_whole_since(&segment, 16)); /* where k1's stood */
    ck_assert(snapshot_table_whole_since(&segment, 17));
    ck_assert_uint_ne(slot, first);
    ck_assert_int_eq(look(slot, UINT64_MAX), SNAPSHOT_OK);
    ck_assert(span_is((struct span){value.key, value.key_length}, "new"));
    successor(UINT64_MAX - 7); /* keeps order and places */
    ck_assert_uint_eq(keep("k0", 8 * (slots + 3), 10), first);
    ck_assert_uint_eq(keep("new", 8 * (slots + 4), 10), slot);
}
END_TEST

START_TEST(with_no_cells_left_old_values_give_way_until_the_new_one_fits) {
    size_t longest = snapshot_table_longest(&segment) - sizeof(struct record);
    char key[32];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        ck_assert_uint_ne(keep(key, 8 * (i + 1), longest), 0);
    }
    ck_assert_uint_ge(put.evicted, 100 - 17);
    ck_assert_uint_eq(put.free_slot_count + 16, segment.snapshot_shape.slots);
}
END_TEST

START_TEST(history_of_another_partition_counts_only_if_it_is_newer) {
    uint32_t slot =
        snapshot_put_value(&put, SPAN_LITERAL("k"), record_of(0, RECORD_HISTORY, 1000, 10), 8);

    ck_assert_uint_eq(
        snapshot_put_value(&put, SPAN_LITERAL("k"), record_of(1, RECORD_HISTORY, 900, 20), 16),
        slot);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_OK);
    ck_assert_uint_eq(value.position, 8);
    (void)snapshot_put_value(&put, SPAN_LITERAL("k"), record_of(1, RECORD_HISTORY, 1100, 20), 24);
    (void)snapshot_put_value(&put, SPAN_LITERAL("k"), record_of(1, RECORD_HISTORY, 900, 30), 32);
    (void)snapshot_put_value(&put, SPAN_LITERAL("k"), record_of(0, RECORD_EVENT, 100, 40), 40);
    ck_assert_int_eq(look(slot, 100), SNAPSHOT_OK);
    ck_assert_uint_eq(value.position, 40);
}
END_TEST

START_TEST(a_record_is_superseded_by_a_later_one_of_its_key_alone) {
    uint32_t slot = keep("k", 800, 10);

    ck_assert(!snapshot_table_superseded(&segment, slot, 800));
    (void)keep("k", 1600, 10);
    ck_assert(snapshot_table_superseded(&segment, slot, 800));
    ck_assert(!snapshot_table_superseded(&segment, slot, 1600));
    ck_assert(!snapshot_table_superseded(&segment, slot, 400)); /* another key had the slot then */
    ck_assert(!snapshot_table_superseded(&segment, 0, 800));
    ck_assert(!snapshot_table_superseded(&segment, segment.snapshot_shape.slots + 1, 800));
}
END_TEST

static unsigned visited[4096];

static void count_visit(void *context, uint32_t slot) {
    (void)context;
    visited[slot]++;
}

START_TEST(changes_are_walked_once_and_all_slots_after_too_many) {
    uint64_t seen = load_relaxed(&segment.snapshots->changes);
    uint32_t a = keep("a", 8, 10), b = keep("b", 16, 10);

    memset(visited, 0, sizeof(visited));
    snapshot_table_changes(&segment, &seen, count_visit, NULL);
    ck_assert_uint_eq(visited[a - 1] + visited[b - 1], 2);
    snapshot_table_changes(&segment, &seen, count_visit, NULL);
    ck_assert_uint_eq(visited[a - 1] + visited[b - 1], 2);
    for (unsigned i = 0; i < segment.snapshot_shape.slots; i++) {
        (void)keep("a", 24 + i * 8, 10);
    }
    snapshot_table_changes(&segment, &seen, count_visit, NULL);
    ck_assert_uint_eq(visited[b - 1], 2);
    ck_assert_uint_eq(seen, load_relaxed(&segment.snapshots->changes));
}
END_TEST

/* The killed producer had freed the slot, and not yet written into the log that it changed. */
START_TEST(after_a_killed_producer_all_slots_are_walked) {
    uint32_t a = keep("a", 8, 10);
    uint64_t seen = load_relaxed(&segment.snapshots->changes);

    successor(4096);
    snapshot_table_changes(&segment, &seen, count_visit, NULL);
    snapshot_put_topic(&put, 0, 7);
    store_relaxed(&segment.snapshots->changes, seen);
    memset(visited, 0, sizeof(visited));
    snapshot_table_changes(&segment, &seen, count_visit, NULL);
    ck_assert_uint_eq(visited[a - 1], 0);
    successor(4096);
    snapshot_table_changes(&segment, &seen, count_visit, NULL);
    ck_assert_uint_eq(visited[a - 1], 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("snapshot_table");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_key_has_its_newest_value_below_the_cursor_and_none_from_there_on);
    tcase_add_test(tests, values_that_are_kept_by_another_key_or_for_other_rooms_go);
    tcase_add_test(tests, the_same_key_of_another_topic_is_another_key);
    tcase_add_test(tests, a_slot_that_is_being_written_is_busy);
    tcase_add_test(tests, what_a_killed_producer_never_published_is_dropped_by_its_successor);
    tcase_add_test(tests, cells_that_lead_astray_are_no_value);
    tcase_add_test(tests, too_long_a_key_or_value_is_not_kept_and_takes_the_old_one_along);
    tcase_add_test(tests, with_more_keys_than_slots_the_one_changed_longest_ago_gives_way);
    tcase_add_test(tests, with_no_cells_left_old_values_give_way_until_the_new_one_fits);
    tcase_add_test(tests, history_of_another_partition_counts_only_if_it_is_newer);
    tcase_add_test(tests, a_record_is_superseded_by_a_later_one_of_its_key_alone);
    tcase_add_test(tests, after_a_killed_producer_all_slots_are_walked);
    tcase_add_test(tests, changes_are_walked_once_and_all_slots_after_too_many);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
