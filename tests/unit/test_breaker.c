/* When a service is left alone, and when it is asked again. */
#include "common/breaker.h"
#include "tests/unit/unit.h"

static struct breaker breaker;

static void start(void) {
    breaker = (struct breaker){.most_failures = 3, .cool_first_ms = 1000, .cool_most_ms = 3000};
}

static void fail_times(unsigned times, uint64_t now_ms) {
    while (times-- > 0) {
        ck_assert(breaker_allow(&breaker, now_ms));
        breaker_report(&breaker, false, now_ms);
    }
}

START_TEST(only_failures_in_a_row_open_it) {
    fail_times(2, 0);
    breaker_report(&breaker, true, 0);
    fail_times(2, 0);
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
    fail_times(1, 0);
    ck_assert_int_eq(breaker.state, BREAKER_OPEN);
    ck_assert(!breaker_allow(&breaker, 0));
    ck_assert(!breaker_allow(&breaker, 999));
}
END_TEST

START_TEST(one_probe_decides) {
    fail_times(3, 0);
    ck_assert(breaker_allow(&breaker, 1000));
    ck_assert_int_eq(breaker.state, BREAKER_HALF_OPEN);
    ck_assert(!breaker_allow(&breaker, 1000));
    ck_assert(!breaker_allow(&breaker, 100000)); /* the probe is still out */
    breaker_report(&breaker, true, 1001);
    ck_assert(breaker_allow(&breaker, 1001));
    ck_assert(breaker_allow(&breaker, 1001));
    fail_times(3, 2000);
    ck_assert(!breaker_allow(&breaker, 2999)); /* cools as shortly as the first time */
    ck_assert(breaker_allow(&breaker, 3000));
}
END_TEST

START_TEST(failed_probes_double_the_wait_up_to_a_limit) {
    static const uint64_t waits[] = {1000, 2000, 3000, 3000};
    uint64_t now = 0;
    fail_times(3, now);
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++) {
        ck_assert(!breaker_allow(&breaker, now + waits[i] - 1));
        now += waits[i];
        ck_assert(breaker_allow(&breaker, now));
        breaker_report(&breaker, false, now);
    }
}
END_TEST

START_TEST(late_failures_of_calls_under_way_change_nothing_and_a_late_success_closes) {
    fail_times(3, 0);
    breaker_report(&breaker, false, 900);
    ck_assert(breaker_allow(&breaker, 1000)); /* not put off */
    breaker_report(&breaker, false, 1000);
    ck_assert_int_eq(breaker.state, BREAKER_OPEN);
    breaker_report(&breaker, true, 1100);
    ck_assert(breaker_allow(&breaker, 1100));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("breaker");
    TCase *tests = tcase_create("breaker");
    tcase_add_checked_fixture(tests, start, NULL);
    tcase_add_test(tests, only_failures_in_a_row_open_it);
    tcase_add_test(tests, one_probe_decides);
    tcase_add_test(tests, failed_probes_double_the_wait_up_to_a_limit);
    tcase_add_test(tests,
                   late_failures_of_calls_under_way_change_nothing_and_a_late_success_closes);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
