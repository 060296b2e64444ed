/* Sampling over a real ring in this process with a clock set by hand: what stands in the queues of connections, value by
 * value, is compared with what was put into the ring and when. */
#include "tests/unit/delivery_fixture.h"
#include "tests/unit/unit.h"

/* The envelope of an offset as it is delivered when it is late. */
#define LATE(offset) offset ",\"snapshot\":true} "
#define LIVE(offset) offset "} "

static uint64_t passed_over(void) {
    return load_relaxed(&worker.block->passed_over[PASSED_OVER_SAMPLED][0]);
}

static void keep(struct record *record, const char *key, uint16_t sample_ms) {
    ((char *)record)[record->envelope_at + record->envelope_length - 1] = '}';
    record->flags = RECORD_FLAG_CONFLATED;
    record->sample_ms = sample_ms;
    record->snapshot_slot = snapshot_put_value(&snapshots, span_of(key), record, writer.reserved);
    ck_assert_uint_ne(record->snapshot_slot, 0);
    ring_append_commit(&writer);
    ring_append_publish(&writer);
}

static void put_sampled(const char *key, uint16_t sample_ms) {
    keep(reserve("prices", 3), key, sample_ms);
}

/* At the moment, with one value a key in 100 ms. */
static void put_at(uint64_t mono_ms, const char *key) {
    clock_set_fake(mono_ms * 1000000, 1000000);
    put_sampled(key, 100);
    turn();
}

static struct conn *listener(const char *user) {
    struct conn *conn = connect_user(user);
    join(conn, "prices");
    return conn;
}

START_TEST(the_first_value_comes_at_once_and_the_newest_of_those_behind_it_at_the_end) {
    struct conn *conn = listener("ann");
    put_at(1000, "a"); /* 10 */
    ck_assert_str_eq(take(conn), LIVE("10"));
    put_at(1010, "a");
    put_at(1050, "a");
    put_at(1099, "a"); /* 13 */
    tick(1099);
    ck_assert_str_eq(take(conn), "");
    tick(1100);
    ck_assert_str_eq(take(conn), LATE("13"));
    ck_assert_uint_eq(passed_over(), 2);
    tick(5000);
    ck_assert_str_eq(take(conn), "");
}
END_TEST

START_TEST(a_late_value_begins_an_interval_of_its_own) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    tick(1120);
    ck_assert_str_eq(take(conn), LIVE("10") LATE("11"));
    put_at(1219, "a"); /* 12 */
    tick(1219);
    ck_assert_str_eq(take(conn), "");
    tick(1220);
    ck_assert_str_eq(take(conn), LATE("12"));
    put_at(1320, "a"); /* 13: after a pause */
    ck_assert_str_eq(take(conn), LIVE("13"));
    ck_assert_uint_eq(passed_over(), 0);
}
END_TEST

START_TEST(a_value_at_its_time_is_live_and_what_waited_is_passed_over) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a");
    put_at(1100, "a"); /* 12, and nobody has looked at the clock before it */
    ck_assert_str_eq(take(conn), LIVE("10") LIVE("12"));
    ck_assert_uint_eq(passed_over(), 1);
    put_at(1110, "a"); /* 13: the place in the heap is that of 11 */
    tick(1199);
    ck_assert_str_eq(take(conn), "");
    tick(1200);
    ck_assert_str_eq(take(conn), LATE("13"));
}
END_TEST

START_TEST(a_stream_is_one_value_an_interval_and_ends_with_its_last) {
    struct conn *conn = listener("ann");
    unsigned values = 0;
    const char *last = "";
    for (unsigned i = 0; i < 80; i++) { /* 10 .. 89, 200 a second */
        put_at(1000 + 5 * i, "a");
        const char *got = take(conn);
        values += *got != '\0';
    }
    ck_assert_uint_eq(values, 4);
    tick(1500);
    last = take(conn);
    ck_assert_str_eq(last, LATE("89"));
    ck_assert_uint_eq(passed_over(), 80 - 4 - 1);
}
END_TEST

START_TEST(keys_and_routes_are_sampled_each_by_itself) {
    struct conn *conn = listener("ann");
    for (int i = 0; i < 2; i++) { /* 10 .. 17 */
        put_at(1000, "a");
        put_at(1000, "b");
        put_sampled("slow", 300);
        put_sampled("every", 0);
        turn();
    }
    ck_assert_str_eq(take(conn), LIVE("10") LIVE("11") LIVE("12") LIVE("13") LIVE("17"));
    tick(1100);
    const char *got = take(conn);
    ck_assert_ptr_nonnull(strstr(got, LATE("14")));
    ck_assert_ptr_nonnull(strstr(got, LATE("15")));
    ck_assert_uint_eq(strlen(got), 2 * strlen(LATE("14")));
    tick(1299);
    ck_assert_str_eq(take(conn), "");
    tick(1300);
    ck_assert_str_eq(take(conn), LATE("16"));
}
END_TEST

START_TEST(many_keys_come_in_the_order_of_their_times_none_too_early) {
    enum { KEYS = 60 };
    char key[8];
    struct conn *conn = listener("ann");
    clock_set_fake(1000000000ull, 1000000);
    for (int i = 0; i < 2 * KEYS; i++) { /* 10 .. 129, due in no order: 1010 + 37 n mod 60 */
        snprintf(key, sizeof key, "k%d", i % KEYS);
        keep(reserve("prices", 4), key, (uint16_t)(10 + i % KEYS * 37 % KEYS));
    }
    turn();
    take(conn);
    for (int ms = 10; ms < 10 + KEYS; ms++) {
        char expected[64];
        int n = 0;
        tick(1000u + (unsigned)ms - 1);
        ck_assert_str_eq(take(conn), "");
        tick(1000u + (unsigned)ms);
        while (10 + n * 37 % KEYS != ms) {
            n++;
        }
        int offset = 10 + KEYS + n;
        snprintf(expected, sizeof expected, offset < 100 ? "%d" : "%d,\"snapshot\":true} ", offset);
        ck_assert_msg(strncmp(take(conn), expected, strlen(expected)) == 0, "at %d ms", ms);
    }
}
END_TEST

START_TEST(who_is_in_several_of_its_rooms_gets_it_once) {
    static const char *const rooms[] = {"prices", "prices:1:A", "user:ann"};
    struct conn *conn = listener("ann");
    join(conn, "prices:1:A");
    join(conn, "user:ann");
    keep(reserve_in(rooms, 3, 3), "a", 100);
    keep(reserve_in(rooms, 3, 3), "a", 100);
    turn();
    tick(1100);
    ck_assert_str_eq(take(conn), LIVE("10") LATE("11"));
}
END_TEST

START_TEST(who_joins_in_between_gets_the_value_that_waits_and_then_no_older_one) {
    struct conn *early = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    struct conn *late = listener("bob");
    snapshot_send(&worker, late, SPAN_LITERAL("prices"));
    ck_assert_str_eq(take(late), LATE("11"));
    put_at(1050, "a"); /* 12 */
    tick(1100);
    ck_assert_str_eq(take(early), LIVE("10") LATE("12"));
    ck_assert_str_eq(take(late), LATE("12"));
}
END_TEST

static struct conn *joiner(const char *user, const char *room) {
    struct conn *conn = connect_user(user);
    join(conn, room);
    snapshot_send(&worker, conn, span_of(room));
    return conn;
}

START_TEST(who_joins_in_between_gets_the_value_that_waits_once) {
    struct conn *early = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    struct conn *late = joiner("bob", "prices");
    tick(1100);
    ck_assert_str_eq(take(early), LIVE("10") LATE("11"));
    ck_assert_str_eq(take(late), LATE("11"));
    put_at(1110, "a"); /* 12 */
    tick(1200);
    ck_assert_str_eq(take(early), LATE("12"));
    ck_assert_str_eq(take(late), LATE("12"));
}
END_TEST

START_TEST(who_joins_a_second_room_of_the_value_that_waits_gets_it_once) {
    static const char *const rooms[] = {"prices", "prices:1:A"};
    struct conn *conn = listener("ann");
    keep(reserve_in(rooms, 2, 3), "a", 100);
    keep(reserve_in(rooms, 2, 3), "a", 100); /* 11 */
    turn();
    join(conn, "prices:1:A");
    snapshot_send(&worker, conn, SPAN_LITERAL("prices:1:A"));
    tick(1100);
    ck_assert_str_eq(take(conn), LIVE("10") LATE("11"));
}
END_TEST

START_TEST(who_joins_a_room_of_other_values_still_gets_the_one_that_waits) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    keep(reserve("trades", 3), "t", 100);
    turn();
    join(conn, "trades");
    snapshot_send(&worker, conn, SPAN_LITERAL("trades"));
    tick(1100);
    ck_assert_str_eq(take(conn), LIVE("10") LATE("12") LATE("11"));
}
END_TEST

START_TEST(who_was_held_and_has_read_the_value_that_waits_in_the_ring_gets_it_once) {
    struct conn *held = connect_user("ann");
    conn_hold_a_moment(&worker, held);
    join(held, "prices");
    put_at(1000, "a");
    put_at(1000, "slow");
    put_sampled("slow", 5000); /* 12 */
    turn();
    tick(1500);
    ck_assert_int_eq(held->state, CONN_LIVE);
    ck_assert_str_eq(take(held), LIVE("10") LIVE("12"));
    tick(6100);
    ck_assert_str_eq(take(held), "");
    put_at(6110, "slow"); /* 13 */
    put_at(6111, "slow");
    tick(7000);
    ck_assert_str_eq(take(held), LATE("14"));
}
END_TEST

START_TEST(who_was_given_it_and_is_slow_when_it_is_due_gets_it_once) {
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    struct conn *slow = joiner("ann", "prices");
    ck_assert_str_eq(take(slow), LATE("11"));
    fall_behind(slow, "prices");
    tick(1100);
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    take(slow);
    turn();
    ck_assert_int_eq(slow->state, CONN_LIVE);
    ck_assert_ptr_null(strstr(take(slow), "snapshot"));
    tick(5000);
    ck_assert_str_eq(take(slow), "");
}
END_TEST

START_TEST(a_connection_in_the_place_of_one_that_was_given_it_gets_it_too) {
    struct conn *second = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    struct conn *first = joiner("bob", "prices");
    uint32_t index = first->self;
    conn_kill(&worker, first);
    turn();
    struct conn *next = listener("eve");
    ck_assert_uint_eq(next->self, index);
    tick(1100);
    ck_assert_str_eq(take(second), LIVE("10") LATE("11"));
    ck_assert_str_eq(take(next), LATE("11"));
}
END_TEST

START_TEST(of_more_joiners_than_are_noted_the_earliest_get_it_again) {
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    struct conn *first = joiner("ann", "prices"), *last = joiner("bob", "prices");
    for (unsigned i = 0; i < SAMPLE_GIVEN_MOST - 1; i++) {
        take(last);
        ck_assert_int_eq(conn_leave(&worker, last, SPAN_LITERAL("prices")), 1);
        join(last, "prices");
        snapshot_send(&worker, last, SPAN_LITERAL("prices"));
    }
    ck_assert_str_eq(take(last), LATE("11"));
    tick(1100);
    ck_assert_str_eq(take(first), LATE("11") LATE("11"));
    ck_assert_str_eq(take(last), "");
}
END_TEST

START_TEST(who_joins_after_a_value_that_nobody_got_waits_for_the_next_as_anybody) {
    put_at(1000, "a");
    put_at(1010, "a");
    struct conn *conn = listener("ann");
    put_at(1020, "a"); /* 12 */
    ck_assert_str_eq(take(conn), "");
    tick(1100);
    ck_assert_str_eq(take(conn), LATE("12"));
}
END_TEST

START_TEST(who_has_left_before_its_time_gets_nothing) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a");
    take(conn);
    ck_assert_int_eq(conn_leave(&worker, conn, SPAN_LITERAL("prices")), 1);
    tick(1100);
    ck_assert_str_eq(take(conn), "");
}
END_TEST

START_TEST(who_falls_behind_while_a_value_waits_gets_it_when_it_is_live_again) {
    struct conn *slow = listener("ann");
    put_at(1000, "a");
    put_at(1000, "b");
    put_at(1010, "a");           /* 12 */
    put_at(1010, "b");           /* 13 */
    fall_behind(slow, "prices"); /* 22 lacks it */
    put_at(1050, "b");           /* 23 */
    tick(1100);
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    ck_assert_str_eq(take(slow), LIVE("10") LIVE("11") "14 15 16 17 18 19 20 21 ");
    turn();
    ck_assert_int_eq(slow->state, CONN_LIVE);
    ck_assert_str_eq(take(slow), "22 " LIVE("23") LATE("12"));
    tick(5000);
    ck_assert_str_eq(take(slow), "");
}
END_TEST

START_TEST(who_can_not_take_a_late_value_gets_it_when_it_reads_again) {
    struct conn *slow = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    while (slow->queue.bytes < 4090) {
        put_padded("prices", slow->queue.bytes < 3000 ? 500 : 4090 - slow->queue.bytes);
        turn();
    }
    ck_assert_int_eq(slow->state, CONN_LIVE);
    tick(1100);
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), LATE("11"));
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

START_TEST(who_catches_up_gets_the_newest_value_of_a_sampled_key_though_others_are_whole) {
    struct conn *held = connect_user("ann");
    conn_hold_a_moment(&worker, held);
    join(held, "prices");
    for (int i = 0; i < 3; i++) { /* 10 .. 15 */
        put_sampled("a", 100);
        put_sampled("every", 0);
    }
    turn();
    tick(2000);
    ck_assert_str_eq(take(held), LIVE("11") LIVE("13") LIVE("14") LIVE("15"));
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_CONFLATED][0]), 0);
}
END_TEST

START_TEST(a_resume_behind_a_value_that_was_passed_over_gets_it_as_a_snapshot) {
    struct conn *first = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 waits */
    put_at(1010, "b"); /* 12 is live: the position is past 11 */
    ck_assert_str_eq(take(first), LIVE("10") LIVE("12"));
    put_at(1020, "c"); /* 13: missed */
    struct conn *back = connect_user("ann");
    conn_hold(&worker, back);
    join(back, "prices");
    snapshot_send(&worker, back, SPAN_LITERAL("prices"));
    resume_at(back, "{\"order.updates\":[12]}");
    turn();
    ck_assert_str_eq(take(back),
                     "{\"recovered\":true,\"count\":1} " LATE("11") LATE("12") LIVE("13"));
    tick(1200);
    ck_assert_str_eq(take(back), "");
    ck_assert_str_eq(take(first), LIVE("13") LATE("11"));
}
END_TEST

/* A successor of ingest that could take nothing back to what was published, and gives slots anew. */
static void ingest_dies_and_keys_change_slots(void) {
    uint32_t slots = worker.view.segment.snapshot_shape.slots;
    snapshot_put_done(&snapshots);
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct snapshot_slot *entry = snapshot_table_slot(&worker.view.segment, slot);
        store_relaxed(&entry->position, UINT64_MAX / 2);
        store_relaxed(&entry->settled, SNAPSHOT_NOWHERE);
    }
    ck_assert_int_eq(snapshot_put_open(&snapshots, &worker.view.segment), 0);
}

START_TEST(what_waits_goes_out_before_a_newer_value_that_comes_by_another_slot) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1000, "b");
    put_at(1010, "a"); /* 12 */
    put_at(1010, "b"); /* 13 */
    take(conn);
    ingest_dies_and_keys_change_slots();
    clock_set_fake(1020000000ull, 1000000);
    put_sampled("b", 100); /* 14: in a's slot, whose time has not come */
    put_sampled("a", 100); /* 15 */
    turn();
    const char *got = take(conn);
    ck_assert_msg(strcmp(got, LATE("12") LATE("13")) == 0 ||
                      strcmp(got, LATE("13") LATE("12")) == 0,
                  "%s", got);
    tick(1120);
    got = take(conn);
    ck_assert_msg(strcmp(got, LATE("14") LATE("15")) == 0 ||
                      strcmp(got, LATE("15") LATE("14")) == 0,
                  "%s", got);
}
END_TEST

START_TEST(a_key_that_gave_way_while_it_waits_is_never_followed_by_its_older_value) {
    char key[16];
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    ck_assert_str_eq(take(conn), LIVE("10"));
    for (unsigned i = 0; i <= worker.view.segment.snapshot_shape.slots; i++) {
        snprintf(key, sizeof key, "k%u", i);
        struct record *record = reserve("trades", 5);
        keep(record, key, 100);
    }
    ck_assert_uint_gt(snapshots.evicted, 0);
    keep(reserve("prices", 4), "a", 100); /* in another slot */
    char expected[64];
    snprintf(expected, sizeof expected, "%lld} ", (long long)next_offset - 1);
    turn();
    const char *got = take(conn);
    ck_assert_msg(strncmp(got, LATE("11"), strlen(LATE("11"))) == 0, "%s", got);
    tick(1300);
    got = strstr(got, expected) != NULL ? got : take(conn);
    ck_assert_ptr_null(strstr(take(conn), "11"));
}
END_TEST

START_TEST(a_value_that_the_ring_has_lost_meanwhile_comes_from_the_table) {
    tear_down();
    set_up_ring(65536);
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 */
    take(conn);
    for (int i = 0; i < 300; i++) {
        put_padded("trades", 500);
        turn();
    }
    tick(1100);
    ck_assert_str_eq(take(conn), LATE("11"));
}
END_TEST

START_TEST(a_route_without_sampling_any_more_delivers_each_value_and_none_late) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 waits */
    put_sampled("a", 0);
    put_sampled("a", 0);
    turn();
    ck_assert_str_eq(take(conn), LIVE("10") LIVE("12") LIVE("13"));
    tick(5000);
    ck_assert_str_eq(take(conn), "");
    ck_assert_uint_eq(passed_over(), 1);
}
END_TEST

START_TEST(what_the_table_has_a_newer_value_of_is_not_late_any_more) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 waits */
    take(conn);
    clock_set_fake(1100000000ull, 1000000);
    put_sampled("a", 100); /* 12: not read yet */
    ck_assert(!sample_turn(&worker));
    ck_assert_str_eq(take(conn), "");
    turn();
    ck_assert_str_eq(take(conn), LIVE("12"));
    ck_assert_uint_eq(passed_over(), 1);
}
END_TEST

START_TEST(a_route_that_becomes_lossless_delivers_nothing_late_behind_its_values) {
    struct conn *conn = listener("ann");
    put_at(1000, "a");
    put_at(1010, "a"); /* 11 waits */
    struct record *record = reserve("prices", 3);
    ck_assert_uint_ne(snapshot_put_value(&snapshots, SPAN_LITERAL("a"), record, writer.reserved),
                      0);
    ring_append_commit(&writer);
    ring_append_publish(&writer);
    turn();
    tick(1100);
    ck_assert_str_eq(take(conn), LIVE("10") "12 ");
}
END_TEST

START_TEST(a_shorter_interval_counts_at_once_though_the_longer_one_has_not_ended) {
    struct conn *conn = listener("ann");
    clock_set_fake(1000000000ull, 1000000);
    put_sampled("a", 60000);
    put_sampled("a", 60000); /* 11 waits until 61000 */
    turn();
    put_at(1200, "a");
    put_at(1250, "a"); /* 13 */
    tick(1299);
    ck_assert_str_eq(take(conn), LIVE("10") LIVE("12"));
    tick(1300);
    ck_assert_str_eq(take(conn), LATE("13"));
}
END_TEST

START_TEST(a_late_value_is_one_frame_for_all_its_listeners) {
    enum { MANY = 100 };
    struct conn *conns[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        conns[i] = listener("ann");
    }
    put_at(1000, "a");
    put_at(1010, "a");
    uint64_t bytes = worker.fanout->arena.bytes;
    tick(1100);
    ck_assert_uint_eq(worker.fanout->arena.bytes, bytes);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_str_eq(take(conns[i]), LIVE("10") LATE("11"));
    }
}
END_TEST

START_TEST(what_is_due_at_once_is_cut_into_turns) {
    enum { MANY = 200, KEYS = 100 };
    char key[8];
    options.ws_max_queue_bytes = 1 << 20;
    for (unsigned i = 0; i < MANY; i++) {
        listener("ann");
    }
    for (unsigned i = 0; i < 2 * KEYS; i++) {
        snprintf(key, sizeof key, "k%u", i % KEYS);
        keep(reserve("prices", 5), key, 100);
    }
    turn();
    uint64_t before = stats_get(worker.stats, STAT_DELIVERIES);
    clock_set_fake(1100000000ull, 1000000);
    ck_assert(sample_turn(&worker));
    uint64_t first = stats_get(worker.stats, STAT_DELIVERIES) - before;
    ck_assert_uint_ge(first, 9000);
    ck_assert_uint_lt(first, 11000);
    while (sample_turn(&worker)) {
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_DELIVERIES) - before, MANY * KEYS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sample");
    TCase *tests = tcase_create("sample");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests,
                   the_first_value_comes_at_once_and_the_newest_of_those_behind_it_at_the_end);
    tcase_add_test(tests, a_late_value_begins_an_interval_of_its_own);
    tcase_add_test(tests, a_value_at_its_time_is_live_and_what_waited_is_passed_over);
    tcase_add_test(tests, a_stream_is_one_value_an_interval_and_ends_with_its_last);
    tcase_add_test(tests, keys_and_routes_are_sampled_each_by_itself);
    tcase_add_test(tests, many_keys_come_in_the_order_of_their_times_none_too_early);
    tcase_add_test(tests, who_is_in_several_of_its_rooms_gets_it_once);
    tcase_add_test(tests, who_joins_in_between_gets_the_value_that_waits_and_then_no_older_one);
    tcase_add_test(tests, who_joins_in_between_gets_the_value_that_waits_once);
    tcase_add_test(tests, who_joins_a_second_room_of_the_value_that_waits_gets_it_once);
    tcase_add_test(tests, who_joins_a_room_of_other_values_still_gets_the_one_that_waits);
    tcase_add_test(tests, who_was_held_and_has_read_the_value_that_waits_in_the_ring_gets_it_once);
    tcase_add_test(tests, who_was_given_it_and_is_slow_when_it_is_due_gets_it_once);
    tcase_add_test(tests, a_connection_in_the_place_of_one_that_was_given_it_gets_it_too);
    tcase_add_test(tests, of_more_joiners_than_are_noted_the_earliest_get_it_again);
    tcase_add_test(tests, who_joins_after_a_value_that_nobody_got_waits_for_the_next_as_anybody);
    tcase_add_test(tests, who_has_left_before_its_time_gets_nothing);
    tcase_add_test(tests, who_falls_behind_while_a_value_waits_gets_it_when_it_is_live_again);
    tcase_add_test(tests, who_can_not_take_a_late_value_gets_it_when_it_reads_again);
    tcase_add_test(tests,
                   who_catches_up_gets_the_newest_value_of_a_sampled_key_though_others_are_whole);
    tcase_add_test(tests, a_resume_behind_a_value_that_was_passed_over_gets_it_as_a_snapshot);
    tcase_add_test(tests, what_waits_goes_out_before_a_newer_value_that_comes_by_another_slot);
    tcase_add_test(tests, a_key_that_gave_way_while_it_waits_is_never_followed_by_its_older_value);
    tcase_add_test(tests, a_value_that_the_ring_has_lost_meanwhile_comes_from_the_table);
    tcase_add_test(tests, a_route_without_sampling_any_more_delivers_each_value_and_none_late);
    tcase_add_test(tests, what_the_table_has_a_newer_value_of_is_not_late_any_more);
    tcase_add_test(tests, a_route_that_becomes_lossless_delivers_nothing_late_behind_its_values);
    tcase_add_test(tests, a_shorter_interval_counts_at_once_though_the_longer_one_has_not_ended);
    tcase_add_test(tests, a_late_value_is_one_frame_for_all_its_listeners);
    tcase_add_test(tests, what_is_due_at_once_is_cut_into_turns);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
