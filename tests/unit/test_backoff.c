/* Backoff: doubles, stays within [half, whole], never overflows. */
#include "common/backoff.h"
#include "tests/unit/unit.h"

START_TEST(the_delay_doubles_up_to_the_most) {
    struct backoff backoff = {.first_ms = 100, .most_ms = 1000};
    static const uint32_t whole[] = {100, 200, 400, 800, 1000, 1000, 1000};

    for (size_t i = 0; i < ARRAY_LENGTH(whole); i++) {
        struct backoff low = backoff;
        ck_assert_uint_eq(backoff_next_ms(&low, 0), whole[i] / 2);
        ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), whole[i]);
        ck_assert_uint_eq(backoff.step, i + 1);
    }
}
END_TEST

START_TEST(reset_begins_anew) {
    struct backoff backoff = {.first_ms = 100, .most_ms = 1000, .step = 9};
    backoff_reset(&backoff);
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), 100);
}
END_TEST

START_TEST(extreme_numbers_do_not_overflow) {
    struct backoff backoff = {.first_ms = UINT32_MAX, .most_ms = UINT32_MAX, .step = UINT32_MAX};
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), UINT32_MAX);
    ck_assert_uint_eq(backoff_next_ms(&backoff, 0), UINT32_MAX / 2);
    ck_assert_uint_eq(backoff.step, UINT32_MAX);
    backoff = (struct backoff){.first_ms = 1, .most_ms = UINT32_MAX, .step = 31};
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), 1u << 31);
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), UINT32_MAX);
    backoff = (struct backoff){.first_ms = 500, .most_ms = 100};
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), 100);
    backoff = (struct backoff){0};
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), 0);
}
END_TEST

START_TEST(delays_are_spread_evenly_over_the_upper_half) {
    unsigned buckets[6] = {0};
    const uint32_t draws = 60000;

    for (uint32_t i = 0; i < draws; i++) {
        struct backoff backoff = {.first_ms = 10, .most_ms = 10};
        uint32_t delay = backoff_next_ms(&backoff, i * (UINT32_MAX / draws));
        ck_assert_uint_ge(delay, 5);
        ck_assert_uint_le(delay, 10);
        buckets[delay - 5]++;
    }
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_ge(buckets[i], 9990);
        ck_assert_uint_le(buckets[i], 10010);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("backoff");
    TCase *cases = tcase_create("backoff");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, the_delay_doubles_up_to_the_most);
    tcase_add_test(cases, reset_begins_anew);
    tcase_add_test(cases, extreme_numbers_do_not_overflow);
    tcase_add_test(cases, delays_are_spread_evenly_over_the_upper_half);
    return unit_run(suite);
}
