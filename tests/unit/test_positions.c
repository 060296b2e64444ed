#include "shm/positions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct positions *table;

static void setup(void) {
    table = calloc(1, sizeof(*table));
    ck_assert_ptr_nonnull(table);
}

static void teardown(void) {
    free(table);
}

START_TEST(a_new_partition_knows_nothing_yet) {
    int index = positions_intern(table, SPAN_LITERAL("trades"), 3);
    ck_assert_int_eq(index, 0);
    struct position *entry = &table->partitions[index];
    ck_assert_int_eq(entry->number, 3);
    ck_assert_uint_eq(load_relaxed(&entry->next), POSITION_UNKNOWN);
    ck_assert_uint_eq(load_relaxed(&entry->live_from), POSITION_UNKNOWN);
    ck_assert_uint_eq(load_relaxed(&entry->state), POSITION_IDLE);
    ck_assert(span_is(positions_topic_name(table, 0), "trades"));
}
END_TEST

START_TEST(a_mark_is_kept_until_it_is_taken_away) {
    int index = positions_intern(table, SPAN_LITERAL("trades"), 3);
    struct position_mark *mark = &table->marks[index];
    ck_assert_uint_eq(load_relaxed(&mark->offset), POSITION_UNKNOWN);
    positions_mark(table, (uint32_t)index, 7, -1, 0);
    ck_assert_uint_eq(load_relaxed(&mark->offset), 7);
    ck_assert_int_eq((int64_t)load_relaxed(&mark->time_ms), -1);
    positions_mark(table, (uint32_t)index, 8, 1000, 20);
    ck_assert_uint_eq(load_relaxed(&mark->offset), 8);
    ck_assert_uint_eq(load_relaxed(&mark->time_ms), 1000);
    ck_assert_uint_eq(load_relaxed(&mark->length), 20);
    positions_unmark(table, (uint32_t)index);
    ck_assert_uint_eq(load_relaxed(&mark->offset), POSITION_UNKNOWN);
}
END_TEST

START_TEST(the_same_partition_keeps_its_index) {
    int a = positions_intern(table, SPAN_LITERAL("trades"), 0);
    int b = positions_intern(table, SPAN_LITERAL("trades"), 1);
    int c = positions_intern(table, SPAN_LITERAL("prices"), 0);
    store_relaxed(&table->partitions[b].next, 42);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), 0), a);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), 1), b);
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("prices"), 0), c);
    ck_assert_uint_eq(load_relaxed(&table->partitions[b].next), 42);
    ck_assert_uint_eq(positions_count(table), 3);
    ck_assert_uint_eq(load_relaxed(&table->topic_count), 2);
}
END_TEST

START_TEST(what_is_not_there_is_not_found) {
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("trades"), 0), -ENOENT);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), 0), 0);
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("trades"), 1), -ENOENT);
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("trade"), 0), -ENOENT);
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("tradess"), 0), -ENOENT);
    ck_assert_uint_eq(positions_topic_name(table, 1).length, 0);
    ck_assert_uint_eq(positions_topic_name(table, UINT32_MAX).length, 0);
}
END_TEST

START_TEST(bad_names_and_numbers_are_refused) {
    static const char *const bad[] = {"", ".", "..", "a b", "a/b", "a\n", "\xc3\xa9", "a:b"};
    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_int_eq(positions_intern(table, span_of(bad[i]), 0), -EINVAL);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("a\0b"), 0), -EINVAL);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), -1), -EINVAL);
    ck_assert_uint_eq(positions_count(table), 0);
    ck_assert_uint_eq(load_relaxed(&table->topic_count), 0);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("..."), 0), 0);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("A-z_0.9"), INT32_MAX), 1);
}
END_TEST

START_TEST(a_name_may_be_as_long_as_kafka_allows) {
    char name[POSITIONS_TOPIC_MAX_BYTES + 1];
    memset(name, 'x', sizeof(name));
    struct span longest = {name, POSITIONS_TOPIC_MAX_BYTES};
    ck_assert_int_eq(positions_intern(table, (struct span){name, sizeof(name)}, 0), -EINVAL);
    ck_assert_int_eq(positions_intern(table, longest, 0), 0);
    ck_assert(span_equal(positions_topic_name(table, 0), longest));
}
END_TEST

START_TEST(a_full_table_takes_no_more_and_keeps_what_it_has) {
    for (int32_t i = 0; i < POSITIONS_MAX_PARTITIONS; i++)
        ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), i), i);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), POSITIONS_MAX_PARTITIONS),
                     -ENOSPC);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("prices"), 0), -ENOSPC);
    ck_assert_uint_eq(load_relaxed(&table->topic_count), 1);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), POSITIONS_MAX_PARTITIONS - 1),
                     POSITIONS_MAX_PARTITIONS - 1);
}
END_TEST

START_TEST(topics_have_a_limit_of_their_own) {
    char name[16];
    for (int i = 0; i <= POSITIONS_MAX_TOPICS; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        ck_assert_int_eq(positions_intern(table, span_of(name), 0),
                         i < POSITIONS_MAX_TOPICS ? i : -ENOSPC);
    }
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("t0"), 1), POSITIONS_MAX_TOPICS);
}
END_TEST

/* Everything of an entry is there but its count: what a kill leaves. */
START_TEST(a_writer_killed_in_mid_entry_has_added_nothing) {
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("half-topic-with-a-long-name"), 9), 0);
    store_relaxed(&table->partitions[0].next, 5);
    store_relaxed(&table->partition_count, 0);
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("half-topic-with-a-long-name"), 9),
                     -ENOENT);
    store_relaxed(&table->topic_count, 0);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), 0), 0);
    ck_assert(span_is(positions_topic_name(table, 0), "trades"));
    ck_assert_uint_eq(load_relaxed(&table->partitions[0].next), POSITION_UNKNOWN);
}
END_TEST

START_TEST(where_a_new_partition_starts_is_there_when_it_is_counted_and_an_old_one_stays_as_it_is) {
    ck_assert_int_eq(positions_intern_from(table, SPAN_LITERAL("trades"), 0, 7), 0);
    ck_assert_uint_eq(load_relaxed(&table->partitions[0].next), 7);
    ck_assert_uint_eq(load_relaxed(&table->partitions[0].live_from), 7);
    ck_assert_uint_eq(load_relaxed(&table->partitions[0].whole_from), 7);
    ck_assert_int_eq(positions_intern_from(table, SPAN_LITERAL("trades"), 0, 9), 0);
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), 0), 0);
    ck_assert_uint_eq(load_relaxed(&table->partitions[0].next), 7);
}
END_TEST

START_TEST(counts_and_lengths_beyond_the_table_are_not_believed) {
    ck_assert_int_eq(positions_intern(table, SPAN_LITERAL("trades"), 0), 0);
    store_relaxed(&table->partition_count, UINT32_MAX);
    store_relaxed(&table->topic_count, UINT32_MAX);
    table->topics[0].name_length = UINT32_MAX;
    table->partitions[1].topic = UINT32_MAX;
    ck_assert_uint_eq(positions_count(table), POSITIONS_MAX_PARTITIONS);
    ck_assert_uint_eq(positions_topic_name(table, 0).length, 0);
    ck_assert_uint_eq(positions_topic_name(table, 1).length, 0);
    ck_assert_int_eq(positions_find(table, SPAN_LITERAL("none"), 0), -ENOENT);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("positions");
    TCase *tests = tcase_create("table");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_new_partition_knows_nothing_yet);
    tcase_add_test(tests, a_mark_is_kept_until_it_is_taken_away);
    tcase_add_test(tests, the_same_partition_keeps_its_index);
    tcase_add_test(tests, what_is_not_there_is_not_found);
    tcase_add_test(tests, bad_names_and_numbers_are_refused);
    tcase_add_test(tests, a_name_may_be_as_long_as_kafka_allows);
    tcase_add_test(tests, a_full_table_takes_no_more_and_keeps_what_it_has);
    tcase_add_test(tests, topics_have_a_limit_of_their_own);
    tcase_add_test(tests, a_writer_killed_in_mid_entry_has_added_nothing);
    tcase_add_test(
        tests,
        where_a_new_partition_starts_is_there_when_it_is_counted_and_an_old_one_stays_as_it_is);
    tcase_add_test(tests, counts_and_lengths_beyond_the_table_are_not_believed);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
