/* What counts once: by offset, by message time, by number, and over a killed ingest. */
#include "shm/once.h"
#include "tests/unit/unit.h"

#include <unistd.h>

static int fd;
static struct once once;

static void setup(void) {
    ck_assert_int_eq(once_create(&fd), 0);
    ck_assert_int_eq(once_open(fd, &once), 0);
}

static void teardown(void) {
    once_close(&once);
    close(fd);
}

static void successor(void) {
    once_close(&once);
    ck_assert_int_eq(once_open(fd, &once), 0);
}

static int count(uint32_t partition, uint64_t mark, int64_t offset, int64_t time_ms) {
    struct uplink_once bytes = {{0}};

    memcpy(bytes.bytes, &mark, sizeof(mark));
    return once_count(&once, partition, &bytes, offset, time_ms);
}

START_TEST(the_second_of_a_mark_does_not_count_and_other_marks_and_partitions_do) {
    ck_assert_int_eq(count(0, 1, 10, 1000), 1);
    ck_assert_int_eq(count(0, 1, 11, 1000), 0);
    ck_assert_int_eq(count(0, 2, 12, 1000), 1);
    ck_assert_int_eq(count(5, 1, 11, 1000), 1);
    ck_assert_int_eq(count(0, 1 + (1ull << 40), 13, 1000), 1); /* the same bucket */
}
END_TEST

static int64_t first(uint32_t partition, uint64_t mark, int64_t offset, int64_t time_ms) {
    struct uplink_once bytes = {{0}};

    memcpy(bytes.bytes, &mark, sizeof(mark));
    return once_first(&once, partition, &bytes, offset, time_ms);
}

START_TEST(what_counted_instead_is_told_and_telling_changes_nothing) {
    ck_assert_int_eq(first(0, 1, 10, 1000), -1);
    ck_assert_int_eq(count(0, 1, 10, 1000), 1);
    ck_assert_int_eq(first(0, 1, 10, 1000), -1); /* itself */
    ck_assert_int_eq(first(0, 1, 11, 1000), 10);
    ck_assert_int_eq(first(0, 1, 9, 1000), -1);
    ck_assert_int_eq(first(0, 1, 11, 1001 + ONCE_WINDOW_MS), -1);
    ck_assert_int_eq(first(1, 1, 11, 1000), -1);
    ck_assert_int_eq(first(0, 2, 11, 1000), -1);
    ck_assert_int_eq(count(0, 1, 11, 1000), 0);
    ck_assert_int_eq(first(0, 1, 12, 1000), 10);
}
END_TEST

START_TEST(it_counts_again_past_the_window_of_message_time_and_not_before) {
    ck_assert_int_eq(count(0, 1, 10, 1000), 1);
    ck_assert_int_eq(count(0, 1, 11, 1000 + ONCE_WINDOW_MS), 0);
    ck_assert_int_eq(count(0, 1, 12, 1001 + ONCE_WINDOW_MS), 1);
    ck_assert_int_eq(count(0, 1, 13, 1002 + ONCE_WINDOW_MS), 0);
}
END_TEST

START_TEST(it_counts_again_when_so_many_others_have_come_that_it_is_forgotten) {
    ck_assert_int_eq(count(0, 1, 1, 1000), 1);
    for (uint64_t i = 0; i < ONCE_KEPT - 1; i++)
        ck_assert_int_eq(count(0, 100 + i, (int64_t)(10 + i), 1000), 1);
    ck_assert_int_eq(count(0, 1, 100000, 1000), 0);
    ck_assert_int_eq(count(0, 99, 100001, 1000), 1);
    ck_assert_int_eq(count(0, 1, 100002, 1000), 1);
}
END_TEST

START_TEST(a_successor_knows_what_counted_and_counts_again_what_it_takes_again) {
    ck_assert_int_eq(count(0, 1, 10, 1000), 1);
    ck_assert_int_eq(count(0, 2, 11, 1000), 1);
    successor();
    ck_assert_int_eq(count(0, 2, 11, 1000), 1);
    ck_assert_int_eq(count(0, 1, 12, 1000), 0);
}
END_TEST

/* Wherever a kill falls while an entry is filled in, over one that is older than all that is known. */
START_TEST(an_entry_left_half_filled_says_nothing_of_the_message_that_bore_its_mark) {
    const uint64_t torn = 7;

    for (uint64_t i = 0; i < ONCE_ENTRIES; i++)
        ck_assert_int_eq(count(0, 100 + i, (int64_t)(10 + i), 1000), 1);
    memcpy(once.block->windows[0].entries[0].mark.bytes, &torn, sizeof(torn));
    successor();
    ck_assert_int_eq(count(0, torn, 100000, 1000), 1);
    ck_assert_int_eq(count(0, torn, 100001, 1000), 0);
}
END_TEST

/* What a killed ingest had noted further on in the log is behind the message that its successor takes again. */
START_TEST(a_message_taken_again_is_judged_by_what_lies_before_it) {
    for (int life = 0; life < 3; life++) {
        ck_assert_int_eq(count(0, 1, 10, 1000), 1);
        ck_assert_int_eq(count(0, 1, 15, 1000 + ONCE_WINDOW_MS), 0);
        ck_assert_int_eq(count(0, 1, 20, 1001 + ONCE_WINDOW_MS), 1);
        ck_assert_int_eq(first(0, 1, 15, 1000 + ONCE_WINDOW_MS), 10);
        successor();
    }
    ck_assert_uint_eq(load_relaxed(&once.block->windows[0].count), 2);
}
END_TEST

/* The oldest mark that is known is asked for, then the window moves on over it, as far as a batch goes. */
START_TEST(a_message_taken_again_is_judged_by_the_window_that_it_had) {
    ck_assert_int_eq(count(0, 1, 1, 1000), 1);
    for (uint64_t i = 0; i < ONCE_KEPT - 1; i++)
        ck_assert_int_eq(count(0, 100 + i, (int64_t)(10 + i), 1000), 1);
    for (int life = 0; life < 2; life++) {
        ck_assert_int_eq(count(0, 1, 100000, 1000), 0);
        for (uint64_t i = 0; i < ONCE_AHEAD; i++)
            ck_assert_int_eq(count(0, 200000 + i, (int64_t)(100001 + i), 1000), 1);
        successor();
    }
    ck_assert_int_eq(count(0, 1, 200000, 1000), 1);
}
END_TEST

START_TEST(an_offset_that_went_back_is_no_second_one) {
    ck_assert_int_eq(count(0, 1, 10, 1000), 1);
    ck_assert_int_eq(count(0, 1, 3, 1000), 1);
    ck_assert_int_eq(count(0, 1, 4, 1000), 0);
}
END_TEST

START_TEST(past_the_last_window_nobody_can_tell) {
    for (uint32_t i = 0; i < ONCE_WINDOWS; i++)
        ck_assert_int_eq(count(i, 1, 1, 1), 1);
    ck_assert_int_eq(count(ONCE_WINDOWS, 1, 1, 1), -ENOSPC);
    ck_assert_int_eq(count(0, 1, 2, 1), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("once");
    TCase *tests = tcase_create("once");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_second_of_a_mark_does_not_count_and_other_marks_and_partitions_do);
    tcase_add_test(tests, what_counted_instead_is_told_and_telling_changes_nothing);
    tcase_add_test(tests, it_counts_again_past_the_window_of_message_time_and_not_before);
    tcase_add_test(tests, it_counts_again_when_so_many_others_have_come_that_it_is_forgotten);
    tcase_add_test(tests, a_successor_knows_what_counted_and_counts_again_what_it_takes_again);
    tcase_add_test(tests, an_entry_left_half_filled_says_nothing_of_the_message_that_bore_its_mark);
    tcase_add_test(tests, a_message_taken_again_is_judged_by_what_lies_before_it);
    tcase_add_test(tests, a_message_taken_again_is_judged_by_the_window_that_it_had);
    tcase_add_test(tests, an_offset_that_went_back_is_no_second_one);
    tcase_add_test(tests, past_the_last_window_nobody_can_tell);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
