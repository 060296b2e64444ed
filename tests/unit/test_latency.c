/* Percentiles, and two clocks that differ. */
#include "gateway/client/latency.h"
#include "tests/unit/unit.h"

static struct latency latency;

static void reset(void) {
    memset(&latency, 0, sizeof(latency));
}

START_TEST(nothing_counts_before_the_clocks_are_known) {
    latency_take_event(&latency, 1000, 5000000);
    ck_assert_uint_eq(latency.count, 0);
    ck_assert_uint_eq(latency_percentile(&latency, 99), 0);
}
END_TEST

START_TEST(the_difference_of_the_clocks_is_taken_out) {
    /* the server is an hour ahead; ping and pong took 2 ms */
    latency_take_pong(&latency, 3600000 + 9, 10500, 2000);
    latency_take_event(&latency, 3600000 + 15, 20500);
    ck_assert_uint_eq(latency.count, 1);
    ck_assert_uint_eq(latency.most_us, 5000);
}
END_TEST

START_TEST(the_quickest_ping_is_believed) {
    latency_take_pong(&latency, 100, 100500, 5000);
    int64_t first = latency.ahead_us;
    latency_take_pong(&latency, 200, 100500, 9000);
    ck_assert_int_eq(latency.ahead_us, first);
    latency_take_pong(&latency, 100, 100500, 0);
    ck_assert_int_eq(latency.ahead_us, 0);
}
END_TEST

START_TEST(an_event_from_the_future_took_no_time) {
    latency_take_pong(&latency, 0, 500, 0);
    latency_take_event(&latency, 50, 0);
    ck_assert_uint_eq(latency.count, 1);
    ck_assert_uint_eq(latency.most_us, 0);
}
END_TEST

START_TEST(percentiles_are_right_within_an_eighth) {
    latency_take_pong(&latency, 0, 500, 0);
    for (int64_t us = 1; us <= 100000; us++) {
        latency_take_event(&latency, 0, us + 500);
    }
    for (unsigned percent = 1; percent <= 100; percent++) {
        uint64_t exact = percent * 1000, found = latency_percentile(&latency, percent);
        ck_assert_uint_ge(found, exact);
        ck_assert_uint_le(found, exact + exact / 8);
    }
    ck_assert_uint_eq(latency_percentile(&latency, 100), 100000);
}
END_TEST

START_TEST(a_time_past_all_buckets_is_still_counted) {
    latency_take_pong(&latency, 0, 500, 0);
    latency_take_event(&latency, 0, INT64_MAX / 2);
    ck_assert_uint_eq(latency.buckets[LATENCY_BUCKETS - 1], 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("latency");
    TCase *tests = tcase_create("latency");
    tcase_add_checked_fixture(tests, reset, NULL);
    tcase_add_test(tests, nothing_counts_before_the_clocks_are_known);
    tcase_add_test(tests, the_difference_of_the_clocks_is_taken_out);
    tcase_add_test(tests, the_quickest_ping_is_believed);
    tcase_add_test(tests, an_event_from_the_future_took_no_time);
    tcase_add_test(tests, percentiles_are_right_within_an_eighth);
    tcase_add_test(tests, a_time_past_all_buckets_is_still_counted);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
