/* A child's life, driven by hand: the clock is a number, processes don't exist. */
#include "gateway/supervisor/child_state.h"
#include "tests/unit/unit.h"

static struct child_state_machine child;
static uint64_t now;

static enum child_action step(enum child_event event) {
    return child_state_step(&child, event, now, 12345);
}

static enum child_action after(uint64_t ms, enum child_event event) {
    now += ms;
    return step(event);
}

static void setup(void) {
    now = 5000000;
    child_state_init(&child, 31000);
}

static void begin(void) {
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_START);
    ck_assert_int_eq(step(CHILD_STARTED), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_STARTING);
}

static void run(void) {
    begin();
    ck_assert_int_eq(step(CHILD_BEAT), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_RUNNING);
}

/* Ticks to the due time: 1 ms before it nothing may happen. Returns how long that was. */
static uint64_t wait_for_start(void) {
    uint64_t delay = child.due_ms - now;
    if (delay > 0) {
        ck_assert_int_eq(after(delay - 1, CHILD_TICK), CHILD_DO_NOTHING);
        now++;
    }
    begin();
    return delay;
}

START_TEST(a_new_child_is_started_at_the_first_tick) {
    ck_assert_int_eq(child.state, CHILD_WAITING);
    begin();
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_NOTHING);
}
END_TEST

START_TEST(a_starting_child_has_10_s_until_its_first_heartbeat) {
    begin();
    ck_assert_int_eq(after(9999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(child.state, CHILD_HUNG);
}
END_TEST

START_TEST(a_running_child_silent_for_5_s_is_killed) {
    run();
    ck_assert_int_eq(after(4999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(step(CHILD_BEAT), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(4999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(child.state, CHILD_HUNG);
}
END_TEST

START_TEST(a_kill_that_had_no_effect_is_repeated_each_second) {
    run();
    ck_assert_int_eq(after(5000, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(after(999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(after(1000, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(step(CHILD_EXITED), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_WAITING);
}
END_TEST

START_TEST(a_heartbeat_after_the_kill_does_not_bring_a_hung_child_back) {
    run();
    ck_assert_int_eq(after(5000, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(step(CHILD_BEAT), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_HUNG);
}
END_TEST

START_TEST(a_supervisor_that_was_stopped_itself_blames_nobody) {
    run();
    ck_assert_int_eq(after(60000, CHILD_EXCUSE), CHILD_DO_NOTHING);
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(4999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
}
END_TEST

START_TEST(a_starting_child_is_excused_for_its_whole_10_s) {
    begin();
    ck_assert_int_eq(after(60000, CHILD_EXCUSE), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(9999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
}
END_TEST

START_TEST(an_excuse_starts_nothing_and_forgets_no_kill) {
    ck_assert_int_eq(step(CHILD_EXCUSE), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_WAITING);
    run();
    ck_assert_int_eq(after(5000, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(after(1000, CHILD_EXCUSE), CHILD_DO_NOTHING);
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_KILL);
}
END_TEST

START_TEST(the_first_death_is_followed_by_a_start_at_once) {
    run();
    ck_assert_int_eq(step(CHILD_EXITED), CHILD_DO_NOTHING);
    ck_assert_uint_eq(wait_for_start(), 0);
}
END_TEST

START_TEST(deaths_in_a_row_wait_100_ms_doubling_to_10_s) {
    uint64_t whole = 100;
    run();
    step(CHILD_EXITED);
    ck_assert_uint_eq(wait_for_start(), 0);
    for (int i = 0; i < 12; i++) {
        step(CHILD_EXITED);
        uint64_t delay = wait_for_start();
        ck_assert_uint_ge(delay, whole / 2);
        ck_assert_uint_le(delay, whole);
        whole = whole * 2 < 10000 ? whole * 2 : 10000;
    }
    ck_assert_uint_eq(whole, 10000);
}
END_TEST

START_TEST(a_start_that_fails_is_held_back_like_a_death) {
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_START);
    ck_assert_int_eq(step(CHILD_FAILED), CHILD_DO_NOTHING);
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_START);
    ck_assert_int_eq(step(CHILD_FAILED), CHILD_DO_NOTHING);
    ck_assert_uint_ge(child.due_ms - now, 50);
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_NOTHING);
}
END_TEST

START_TEST(ten_healthy_seconds_forget_earlier_deaths) {
    run();
    for (int i = 0; i < 5; i++) {
        step(CHILD_EXITED);
        wait_for_start();
    }
    step(CHILD_BEAT);
    for (int second = 0; second < 10; second++) {
        ck_assert_int_eq(after(1000, CHILD_BEAT), CHILD_DO_NOTHING);
    }
    step(CHILD_EXITED);
    ck_assert_uint_eq(wait_for_start(), 0);
}
END_TEST

START_TEST(nine_healthy_seconds_do_not) {
    run();
    step(CHILD_EXITED);
    wait_for_start();
    step(CHILD_BEAT);
    for (int second = 0; second < 9; second++) {
        after(1000, CHILD_BEAT);
    }
    after(999, CHILD_BEAT);
    step(CHILD_EXITED);
    ck_assert_uint_gt(child.due_ms, now);
}
END_TEST

START_TEST(a_stop_asks_first_and_kills_after_the_allowance) {
    run();
    ck_assert_int_eq(step(CHILD_STOP), CHILD_DO_TERMINATE);
    ck_assert_int_eq(child.state, CHILD_STOPPING);
    ck_assert_int_eq(after(30999, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
    ck_assert_int_eq(step(CHILD_EXITED), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_GONE);
}
END_TEST

START_TEST(a_stopped_child_is_not_started_again) {
    run();
    step(CHILD_STOP);
    step(CHILD_EXITED);
    ck_assert_int_eq(after(100000, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_GONE);
}
END_TEST

START_TEST(silence_while_it_stops_is_no_hang) {
    run();
    step(CHILD_STOP);
    ck_assert_int_eq(after(6000, CHILD_TICK), CHILD_DO_NOTHING);
}
END_TEST

START_TEST(a_child_that_waits_for_its_start_is_gone_when_told_to_stop) {
    ck_assert_int_eq(step(CHILD_STOP), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_GONE);
    ck_assert_int_eq(step(CHILD_TICK), CHILD_DO_NOTHING);
}
END_TEST

START_TEST(a_quit_during_a_drain_kills_within_200_ms) {
    run();
    step(CHILD_STOP);
    ck_assert_int_eq(after(10, CHILD_QUIT), CHILD_DO_QUIT);
    ck_assert_int_eq(after(199, CHILD_TICK), CHILD_DO_NOTHING);
    ck_assert_int_eq(after(1, CHILD_TICK), CHILD_DO_KILL);
}
END_TEST

START_TEST(a_hung_child_that_is_told_to_stop_gets_no_gentler_signal) {
    run();
    after(5000, CHILD_TICK);
    ck_assert_int_eq(step(CHILD_STOP), CHILD_DO_NOTHING);
    ck_assert_int_eq(child.state, CHILD_STOPPING);
    ck_assert_int_eq(after(1000, CHILD_TICK), CHILD_DO_KILL);
    step(CHILD_EXITED);
    ck_assert_int_eq(child.state, CHILD_GONE);
}
END_TEST

/* A missing cell of the table would be a call through NULL. */
START_TEST(every_event_is_understood_in_every_state) {
    for (int state = 0; state < CHILD_STATE_COUNT; state++) {
        for (int event = 0; event < CHILD_EVENT_COUNT; event++) {
            child_state_init(&child, 1000);
            child.state = (enum child_state)state;
            enum child_action action = step((enum child_event)event);
            ck_assert_int_ge(action, CHILD_DO_NOTHING);
            ck_assert_int_lt(action, CHILD_ACTION_COUNT);
            ck_assert_int_lt(child.state, CHILD_STATE_COUNT);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("child_state");
    TCase *tests = tcase_create("life");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_new_child_is_started_at_the_first_tick);
    tcase_add_test(tests, a_starting_child_has_10_s_until_its_first_heartbeat);
    tcase_add_test(tests, a_running_child_silent_for_5_s_is_killed);
    tcase_add_test(tests, a_kill_that_had_no_effect_is_repeated_each_second);
    tcase_add_test(tests, a_heartbeat_after_the_kill_does_not_bring_a_hung_child_back);
    tcase_add_test(tests, a_supervisor_that_was_stopped_itself_blames_nobody);
    tcase_add_test(tests, a_starting_child_is_excused_for_its_whole_10_s);
    tcase_add_test(tests, an_excuse_starts_nothing_and_forgets_no_kill);
    tcase_add_test(tests, the_first_death_is_followed_by_a_start_at_once);
    tcase_add_test(tests, deaths_in_a_row_wait_100_ms_doubling_to_10_s);
    tcase_add_test(tests, a_start_that_fails_is_held_back_like_a_death);
    tcase_add_test(tests, ten_healthy_seconds_forget_earlier_deaths);
    tcase_add_test(tests, nine_healthy_seconds_do_not);
    tcase_add_test(tests, a_stop_asks_first_and_kills_after_the_allowance);
    tcase_add_test(tests, a_stopped_child_is_not_started_again);
    tcase_add_test(tests, silence_while_it_stops_is_no_hang);
    tcase_add_test(tests, a_child_that_waits_for_its_start_is_gone_when_told_to_stop);
    tcase_add_test(tests, a_quit_during_a_drain_kills_within_200_ms);
    tcase_add_test(tests, a_hung_child_that_is_told_to_stop_gets_no_gentler_signal);
    tcase_add_test(tests, every_event_is_understood_in_every_state);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
