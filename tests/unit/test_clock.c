/* The clocks: real ones move and agree with the system's, fake ones stand still. */
#include "common/clock.h"
#include "tests/unit/unit.h"

#include <time.h>

START_TEST(the_real_monotonic_clock_never_goes_back) {
    uint64_t before = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_mono_ns();
        ck_assert_uint_ge(now, before);
        before = now;
    }
    ck_assert_uint_ge(clock_mono_ms(), before / 1000000);
}
END_TEST

START_TEST(the_real_wall_clock_is_that_of_the_system) {
    int64_t before = (int64_t)time(NULL) * 1000;
    int64_t now = clock_wall_ms();
    /* time() reads a coarse clock, up to a tick behind. */
    ck_assert_int_ge(now, before);
    ck_assert_int_le(now, before + 60000);
}
END_TEST

START_TEST(fake_clocks_stand_until_set_again) {
    clock_set_fake(5000000, 1700000000123);
    ck_assert_uint_eq(clock_mono_ns(), 5000000);
    ck_assert_uint_eq(clock_mono_ms(), 5);
    ck_assert_int_eq(clock_wall_ms(), 1700000000123);
    clock_set_fake(UINT64_MAX, -1);
    ck_assert_uint_eq(clock_mono_ns(), UINT64_MAX);
    ck_assert_int_eq(clock_wall_ms(), -1);
    clock_set_real();
    ck_assert_int_gt(clock_wall_ms(), 1700000000123);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("clock");
    TCase *cases = tcase_create("clock");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, the_real_monotonic_clock_never_goes_back);
    tcase_add_test(cases, the_real_wall_clock_is_that_of_the_system);
    tcase_add_test(cases, fake_clocks_stand_until_set_again);
    return unit_run(suite);
}
