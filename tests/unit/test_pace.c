#include "ingest/pace.h"
#include "tests/unit/unit.h"

#define RING 1000u

static struct pace pace;
static struct pace_view view;
static uint64_t now_ms;

static void setup(void) {
    pace_init(&pace);
    view = (struct pace_view){.head = 1u << 20, .capacity = RING, .count = 2};
    for (unsigned i = 0; i < 2; i++) {
        view.serving[i] = true;
        view.cursors[i] = view.head;
    }
    now_ms = 5000;
}

static bool step(uint64_t later_ms) {
    now_ms += later_ms;
    return pace_step(&pace, &view, now_ms);
}

static void lag(unsigned worker, uint64_t bytes) {
    view.cursors[worker] = view.head - bytes;
}

START_TEST(half_the_ring_is_not_yet_too_much) {
    lag(0, RING / 2);
    ck_assert(!step(1));
    lag(0, RING / 2 + 1);
    ck_assert(step(1));
    lag(0, RING / 2);
    ck_assert(!step(1));
    ck_assert_uint_eq(pace.episodes, 1);
    ck_assert_uint_eq(pace.waited_ms, 1);
}
END_TEST

START_TEST(a_cursor_that_stands_still_is_waited_for_less_than_100_ms) {
    lag(0, 800);
    ck_assert(step(0));
    ck_assert(step(99));
    ck_assert(!step(1));
    ck_assert_uint_eq(pace.waited_ms, 100);
}
END_TEST

START_TEST(a_cursor_that_moves_is_waited_for_a_second) {
    lag(0, 900);
    ck_assert(step(0));
    for (unsigned i = 1; i < 20; i++) {
        lag(0, 900 - i);
        ck_assert(step(50));
    }
    lag(0, 700);
    ck_assert(!step(50));
    ck_assert_uint_eq(pace.waited_ms, 1000);
}
END_TEST

START_TEST(an_excused_worker_is_not_waited_for_until_it_is_below_a_quarter) {
    lag(0, 800);
    ck_assert(step(0));
    ck_assert(!step(100));
    lag(0, 900);
    ck_assert(!step(1));
    lag(0, RING / 4);
    ck_assert(!step(1));
    lag(0, 600);
    ck_assert(!step(1));
    lag(0, RING / 4 - 1);
    ck_assert(!step(1));
    lag(0, 600);
    ck_assert(step(1));
    ck_assert_uint_eq(pace.episodes, 2);
}
END_TEST

START_TEST(a_worker_that_keeps_pace_does_not_free_one_that_lags) {
    lag(1, 700);
    ck_assert(step(1));
    lag(0, 600);
    ck_assert(step(1));
    lag(1, 0);
    ck_assert(step(1));
    ck_assert_uint_eq(pace.episodes, 1);
}
END_TEST

START_TEST(a_worker_that_does_not_serve_is_ignored_and_starts_afresh) {
    lag(0, 900);
    view.serving[0] = false;
    ck_assert(!step(1));
    view.serving[0] = true;
    ck_assert(step(1));
    view.serving[0] = false;
    ck_assert(!step(1));
    view.serving[0] = true;
    ck_assert(step(500));
}
END_TEST

START_TEST(a_cursor_beyond_the_head_lags_by_nothing) {
    view.cursors[0] = view.head + 64;
    ck_assert(!step(1));
    view.head = UINT64_MAX - 8;
    view.cursors[1] = view.head - RING;
    view.cursors[0] = UINT64_MAX;
    ck_assert(step(1));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pace");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, half_the_ring_is_not_yet_too_much);
    tcase_add_test(tests, a_cursor_that_stands_still_is_waited_for_less_than_100_ms);
    tcase_add_test(tests, a_cursor_that_moves_is_waited_for_a_second);
    tcase_add_test(tests, an_excused_worker_is_not_waited_for_until_it_is_below_a_quarter);
    tcase_add_test(tests, a_worker_that_keeps_pace_does_not_free_one_that_lags);
    tcase_add_test(tests, a_worker_that_does_not_serve_is_ignored_and_starts_afresh);
    tcase_add_test(tests, a_cursor_beyond_the_head_lags_by_nothing);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
