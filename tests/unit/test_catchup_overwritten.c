/* Catching up while the ring goes round: a missed value of a conflated route that is overwritten before its turn comes is
 * taken from the snapshot table, or gives way to the newer one of its key. */
#include "gateway/delivery/catchup_queue.h"
#include "tests/unit/delivery_fixture.h"
#include "tests/unit/unit.h"

enum { KEYS = 10 };

static struct snapshot_slot *slot_of_listed(const struct conn *conn, unsigned index) {
    const struct catchup *catchup = catchup_queue_of(&worker, conn);
    return snapshot_table_slot(&worker.view.segment, catchup->list[index].snapshot_slot - 1);
}

static void set_up_small(void) {
    clock_set_fake(1000000000ull, 1000000);
    set_up_ring(65536);
}

static void go_round(void) {
    for (int i = 0; i < 300; i++) {
        put_padded("trades", 500);
        turn();
    }
}

static void put_keys(unsigned from, unsigned to) {
    char key[16];
    for (unsigned i = from; i < to; i++) {
        snprintf(key, sizeof key, "k%u", i);
        put_value("prices", key, 500);
    }
    turn();
}

/* Slow, it has 18 and one value of each key on its list, of which LISTED have been queued; its socket takes no more. */
#define LISTED "18 19 20 21 22 "
static struct conn *listed(void) {
    struct conn *slow = connect_user("ann");
    join(slow, "prices");
    ck_assert_int_eq(fall_behind(slow, "prices"), 18);
    put_keys(0, KEYS); /* 19 .. 28 */
    take(slow);
    turn();
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    ck_assert_ptr_nonnull(catchup_queue_of(&worker, slow)->list);
    return slow;
}

/* Until nothing comes any more. */
static const char *take_all(struct conn *conn) {
    static char all[65536];
    char *end = all;
    *end = '\0';
    for (const char *got = take(conn); *got != '\0'; got = take(conn)) {
        end = stpcpy(end, got);
        turn();
    }
    return all;
}

START_TEST(a_value_that_is_overwritten_after_it_was_listed_comes_from_the_table_in_its_order) {
    struct conn *slow = listed();
    go_round();
    ck_assert_str_eq(take_all(slow), LISTED "23 24 25 26 27 28 ");
    ck_assert_int_eq(slow->state, CONN_LIVE);
    put("prices");
    turn();
    ck_assert_str_eq(take(slow), "329 ");
}
END_TEST

START_TEST(of_one_that_is_overwritten_and_replaced_the_newer_comes_and_it_is_told) {
    struct conn *slow = listed();
    put_keys(5, KEYS); /* 29 .. 33 take the place of 24 .. 28 */
    put_keys(5, KEYS); /* 34 .. 38 take theirs */
    go_round();
    ck_assert_str_eq(take_all(slow),
                     LISTED "23 34 35 36 37 38 {\"count\":10,\"reason\":\"CONFLATED\"} ");
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_CONFLATED][0]), 10);
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

START_TEST(of_a_room_left_meanwhile_no_overwritten_value_comes_and_none_is_told) {
    struct conn *slow = listed();
    put_keys(5, KEYS);
    go_round();
    ck_assert_int_eq(conn_leave(&worker, slow, SPAN_LITERAL("prices")), 1);
    ck_assert_str_eq(take_all(slow), LISTED);
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

START_TEST(a_resume_gives_as_many_as_it_has_announced_though_the_ring_goes_round) {
    put_keys(0, KEYS); /* 10 .. 19 */
    struct conn *back = connect_user("ann");
    conn_hold(&worker, back);
    join(back, "prices");
    resume_at(back, "{\"order.updates\":[9]}");
    turn();
    ck_assert_int_eq(back->state, CONN_CATCHING);
    go_round();
    ck_assert_str_eq(take_all(back),
                     "{\"recovered\":true,\"count\":10} 10 11 12 13 14 15 16 17 18 19 ");
    ck_assert_int_eq(back->state, CONN_LIVE);
}
END_TEST

START_TEST(who_is_held_while_the_ring_goes_round_gets_the_newest_values_and_is_told) {
    struct conn *held = connect_user("ann");
    conn_hold_a_moment(&worker, held);
    join(held, "prices");
    for (unsigned i = 0; i < 30; i++) {
        put_keys(0, KEYS);
    }
    tick(2000);
    char expected[128] = "";
    for (unsigned i = 300; i < 310; i++) {
        sprintf(expected + strlen(expected), "%u ", i);
    }
    strcat(expected, "{\"count\":290,\"reason\":\"CONFLATED\"} ");
    ck_assert_str_eq(take_all(held), expected);
    ck_assert_int_eq(held->state, CONN_LIVE);
}
END_TEST

START_TEST(a_slot_that_is_being_written_is_asked_again) {
    struct conn *slow = listed();
    struct snapshot_slot *slot = slot_of_listed(slow, 5);
    go_round();
    store_relaxed(&slot->lock, load_relaxed(&slot->lock) + 1);
    ck_assert_str_eq(take_all(slow), LISTED);
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    store_relaxed(&slot->lock, load_relaxed(&slot->lock) + 1);
    tick(1100);
    ck_assert_str_eq(take_all(slow), "23 24 25 26 27 28 ");
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

/* The one end that is left: the ring has lost it, and the table, in which its key gave way to others. Nobody has it. */
START_TEST(what_neither_ring_nor_table_has_any_more_ends_the_connection) {
    struct conn *slow = listed();
    char key[16];
    for (unsigned i = 0; i < worker.view.segment.snapshot_shape.slots; i++) {
        snprintf(key, sizeof key, "x%u", i);
        put_value("trades", key, 500);
        turn();
    }
    ck_assert_uint_gt(snapshots.evicted, 0);
    go_round();
    ck_assert_str_eq(take(slow), LISTED);
    turn();
    ck_assert_int_eq(slow->state, CONN_CLOSING);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_CATCHUPS_LAPPED), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("catchup_overwritten");
    TCase *tests = tcase_create("catchup_overwritten");
    tcase_add_checked_fixture(tests, set_up_small, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(
        tests, a_value_that_is_overwritten_after_it_was_listed_comes_from_the_table_in_its_order);
    tcase_add_test(tests, of_one_that_is_overwritten_and_replaced_the_newer_comes_and_it_is_told);
    tcase_add_test(tests, of_a_room_left_meanwhile_no_overwritten_value_comes_and_none_is_told);
    tcase_add_test(tests, a_resume_gives_as_many_as_it_has_announced_though_the_ring_goes_round);
    tcase_add_test(tests, who_is_held_while_the_ring_goes_round_gets_the_newest_values_and_is_told);
    tcase_add_test(tests, a_slot_that_is_being_written_is_asked_again);
    tcase_add_test(tests, what_neither_ring_nor_table_has_any_more_ends_the_connection);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
