/* Catching up over a real ring in this process: the worker reads it a turn at a time, connections fall behind, resume,
 * join and leave meanwhile; what stands in their queues is compared with what was put into the ring. */
#include "gateway/delivery/catchup_queue.h"
#include "tests/unit/delivery_fixture.h"
#include "tests/unit/unit.h"

START_TEST(who_falls_behind_gets_all_in_order_and_is_live_again) {
    struct conn *slow = connect_user("ann"), *other = connect_user("bob");
    join(slow, "orders:ann");
    join(other, "trades");
    ck_assert_int_eq(fall_behind(slow, "orders:ann"), 18); /* eight of 500 bytes fit */
    for (int i = 0; i < 3; i++) {
        put("orders:ann");
        put("trades");
        put("orders:bob");
    }
    turn();
    ck_assert_str_eq(take(slow), "10 11 12 13 14 15 16 17 ");
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    turn();
    ck_assert_str_eq(take(slow), "18 19 22 25 ");
    ck_assert_int_eq(slow->state, CONN_LIVE);
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(slow), "28 ");
    ck_assert_str_eq(take(other), "20 23 26 ");
    ck_assert_uint_eq(stats_get(worker.stats, STAT_CAUGHT_UP), 4);
}
END_TEST

START_TEST(who_was_slow_gets_the_newest_value_of_each_key_and_every_other_event) {
    struct conn *slow = connect_user("ann");
    join(slow, "prices");
    fall_behind(slow, "prices");  /* 18 lacks it */
    for (int i = 0; i < 3; i++) { /* 19 .. 27 */
        put_value("prices", "a", 0);
        put("prices");
        put_value("prices", "b", 0);
    }
    turn();
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), "18 20 23 25 26 27 {\"count\":4,\"reason\":\"CONFLATED\"} ");
    ck_assert_int_eq(slow->state, CONN_LIVE);
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_CONFLATED][0]), 4);
    put_value("prices", "a", 0);
    put_value("prices", "a", 0);
    turn();
    ck_assert_str_eq(take(slow), "28 29 "); /* live: each of them */
}
END_TEST

START_TEST(a_value_that_was_listed_and_is_old_when_its_turn_comes_gives_way_to_the_newest) {
    char key[8];
    struct conn *slow = connect_user("ann");
    join(slow, "prices");
    fall_behind(slow, "prices");
    for (char i = 'a'; i < 'k'; i++) { /* 19 .. 28 */
        snprintf(key, sizeof key, "%c", i);
        put_value("prices", key, 500);
    }
    turn();
    take(slow);
    turn(); /* five fill its queue again: 18 to 22 */
    for (char i = 'a'; i < 'k'; i++) {
        snprintf(key, sizeof key, "%c", i);
        put_value("prices", key, 0); /* 29 .. 38 */
    }
    turn();
    ck_assert_str_eq(take(slow), "18 19 20 21 22 ");
    turn();
    ck_assert_str_eq(take(slow), "29 30 31 32 33 34 35 36 37 38 "
                                 "{\"count\":6,\"reason\":\"CONFLATED\"} ");
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_CONFLATED][0]), 6);
}
END_TEST

START_TEST(a_resume_gives_as_many_as_it_has_announced_whatever_becomes_of_them) {
    char key[8];
    for (int i = 0; i < 2; i++) { /* 10 .. 25 */
        for (char k = 'a'; k < 'i'; k++) {
            snprintf(key, sizeof key, "%c", k);
            put_value("prices", key, 500);
        }
    }
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn(); /* some of them fill its queue */
    for (char k = 'a'; k < 'i'; k++) {
        snprintf(key, sizeof key, "%c", k);
        put_value("prices", key, 0); /* 26 .. 33 */
    }
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":8} 18 19 20 21 ");
    turn();
    ck_assert_str_eq(take(conn), "22 23 24 25 26 27 28 29 30 31 32 33 ");
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_CONFLATED][0]), 8);
}
END_TEST

static void put_numbered_value(int key) {
    char text[16];
    snprintf(text, sizeof text, "k%d", key);
    put_value("prices", text, 0);
}

static unsigned count_of(const char *text) {
    unsigned count = 0;
    for (const char *at = text; (at = strchr(at, ' ')) != NULL; at++) {
        count++;
    }
    return count;
}

/* With three events of their own between the values. */
START_TEST(a_resume_of_a_loud_room_gives_and_costs_its_keys_not_its_values) {
    enum { VALUES = 40000, KEYS = 500 };
    tear_down();
    set_up_ring(16 << 20);
    options.ws_max_queue_bytes = 65536;
    for (int i = 0; i < VALUES; i++) {
        put_numbered_value(i % KEYS);
        if (i == 0 || i == VALUES / 2 || i == VALUES - KEYS / 2) {
            put("prices"); /* 11, 20012 and 39763 */
        }
        if (i % 1024 == 0) {
            turn();
        }
    }
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    struct catchup_stretch all = {.from = 0, .to = worker.reader.cursor};
    struct catchup_list list;
    ck_assert_int_eq(catchup_collect(&worker, conn, &all, &list), 0);
    ck_assert_uint_eq(list.count, KEYS + 3);
    ck_assert_uint_lt(list.cost, 3 * KEYS);
    free(list.entries);
    resume_at(conn, "{\"order.updates\":[10]}");
    turn();
    const char *got = take(conn);
    const char *start = "{\"recovered\":true,\"count\":503} 11 20012 ";
    ck_assert_msg(strncmp(got, start, strlen(start)) == 0, "%.100s", got);
    ck_assert_uint_eq(count_of(got), 1 + KEYS + 3);
    long long before = 0;
    unsigned newest = 0;
    for (const char *at = got + strlen("{\"recovered\":true,\"count\":503} "); *at != '\0';) {
        long long offset = strtoll(at, (char **)&at, 10);
        ck_assert_int_gt(offset, before); /* in their order, those of the table too */
        before = offset;
        newest += offset >= VALUES - KEYS + 12;
        at++;
    }
    ck_assert_uint_eq(newest, KEYS + 1);
    ck_assert_int_eq(conn->state, CONN_LIVE);
}
END_TEST

START_TEST(who_was_slow_in_a_loud_room_is_told_exactly_what_it_was_spared) {
    enum { VALUES = 5000, KEYS = 7 };
    tear_down();
    set_up_ring(4 << 20);
    struct conn *slow = connect_user("ann");
    join(slow, "prices");
    fall_behind(slow, "prices"); /* 18 lacks it */
    for (int i = 0; i < VALUES; i++) {
        put_numbered_value(i % KEYS); /* the last of them are 5012 .. 5018 */
        turn();
    }
    put("prices");
    turn();
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), "18 5012 5013 5014 5015 5016 5017 5018 5019 "
                                 "{\"count\":4993,\"reason\":\"CONFLATED\"} ");
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_CONFLATED][0]),
                      VALUES - KEYS);
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

START_TEST(who_was_slow_gets_the_newest_values_though_the_ring_has_gone_round) {
    tear_down();
    set_up_ring(65536);
    struct conn *slow = connect_user("ann");
    join(slow, "prices");
    while (slow->state == CONN_LIVE) {
        put_value("prices", "a", 500);
        turn();
    }
    for (int i = 0; i < 2000; i++) { /* four times round */
        put_numbered_value(i % 3);
        put_value("prices", "a", 0);
        turn();
    }
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    take(slow);
    turn();
    const char *got = take(slow);
    ck_assert_uint_eq(count_of(got), 4 + 1);
    ck_assert_ptr_nonnull(strstr(got, "4018 {\"count\":3997,\"reason\":\"CONFLATED\"} "));
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

START_TEST(values_whose_keys_have_given_way_in_the_table_are_found_in_the_ring) {
    enum { KEYS = 300, HOT = 1000 }; /* the table has 128 slots */
    for (int i = 0; i < KEYS; i++) {
        put_numbered_value(i); /* 10 .. 309 */
    }
    for (int i = 0; i < HOT; i++) {
        put_value("prices", "hot", 0);
    }
    ck_assert_uint_gt(snapshots.evicted, 0);
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn();
    const char *got = take(conn);
    ck_assert_msg(strncmp(got, "{\"recovered\":true,\"count\":301} 10 11 12 ", 40) == 0, "%.80s",
                  got);
    ck_assert_ptr_nonnull(strstr(got, " 309 1309 "));
    ck_assert_uint_eq(count_of(got), 1 + KEYS + 1);
}
END_TEST

START_TEST(what_comes_while_the_list_is_read_comes_behind_it) {
    struct conn *slow = connect_user("ann");
    join(slow, "trades");
    fall_behind(slow, "trades");
    take(slow);
    put("trades");
    turn(); /* 18, 19 queued, and live */
    ck_assert_int_eq(slow->state, CONN_LIVE);
    put("trades");
    turn();
    ck_assert_str_eq(take(slow), "18 19 20 ");
}
END_TEST

START_TEST(a_room_joined_meanwhile_begins_where_it_was_joined) {
    struct conn *slow = connect_user("ann");
    join(slow, "trades");
    fall_behind(slow, "trades");
    put("chat:1"); /* 19: before it joins */
    put("trades");
    turn();
    join(slow, "chat:1");
    put("chat:1");
    put("trades");
    turn();
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), "18 20 21 22 ");
}
END_TEST

START_TEST(a_room_left_meanwhile_is_silent_though_its_events_were_listed) {
    struct conn *slow = connect_user("ann");
    join(slow, "trades");
    join(slow, "chat:1");
    fall_behind(slow, "trades");
    put("chat:1");
    put("trades");
    turn();
    join(slow, "chat:2"); /* lists what has been missed so far */
    ck_assert_int_eq(conn_leave(&worker, slow, SPAN_LITERAL("chat:1")), 1);
    put("chat:1");
    turn();
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), "18 20 ");
    ck_assert_int_eq(slow->state, CONN_LIVE);
}
END_TEST

START_TEST(an_event_in_two_of_its_rooms_is_caught_up_once) {
    struct conn *slow = connect_user("ann");
    join(slow, "orders:ann");
    join(slow, "user:ann");
    fall_behind(slow, "orders:ann");
    struct record *record = reserve("user:ann", 0);
    ring_append_commit(&writer);
    ring_append_publish(&writer);
    ck_assert_int_eq(record->room_count, 1);
    turn();
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), "18 19 ");
}
END_TEST

START_TEST(its_own_and_expired_events_are_left_out) {
    struct conn *slow = connect_user("ann");
    join(slow, "chat:1");
    fall_behind(slow, "chat:1");
    reserve("chat:1", 0)->sender = slow->id;
    ring_append_commit(&writer);
    reserve("chat:1", 0)->expiry_ms = 999999;
    ring_append_commit(&writer);
    reserve("chat:1", 0)->expiry_ms = 1000001;
    ring_append_commit(&writer);
    ring_append_publish(&writer);
    turn();
    take(slow);
    turn();
    ck_assert_str_eq(take(slow), "18 21 ");
}
END_TEST

START_TEST(what_is_past_its_expiry_is_counted_for_each_who_listens) {
    struct conn *live = connect_user("ann"), *other = connect_user("bob"), *slow;
    join(live, "chat:1");
    join(other, "chat:1");
    reserve("chat:1", 0)->expiry_ms = 999999;
    ring_append_commit(&writer);
    put("chat:1");
    turn();
    ck_assert_str_eq(take(live), "11 ");
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_OUTDATED][0]), 2);
    slow = connect_user("eve");
    join(slow, "chat:2");
    fall_behind(slow, "chat:2");
    reserve("chat:2", 0)->expiry_ms = 1000001;
    ring_append_commit(&writer);
    ring_append_publish(&writer);
    turn();
    clock_set_fake(1000000000ull, 1000002);
    take(slow);
    turn();
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_OUTDATED][0]), 3);
}
END_TEST

START_TEST(a_lapped_worker_tells_how_many_and_counts_them_by_topic) {
    char expected[64];
    tear_down();
    set_up_ring(65536);
    struct conn *conn = connect_user("ann");
    join(conn, "trades");
    put("trades");
    turn();
    ck_assert_str_eq(take(conn), "10 ");
    for (int i = 0; i < 400; i++) {
        put_padded("trades", 500);
    }
    turn();
    snprintf(expected, sizeof expected, "{\"count\":%d,\"reason\":\"LAPPED\"} ", 400);
    ck_assert_str_eq(take(conn), expected);
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_LAPPED][0]), 400);
    put("trades");
    turn();
    ck_assert_str_eq(take(conn), "411 ");
    ck_assert_uint_eq(load_relaxed(&worker.block->passed_over[PASSED_OVER_LAPPED][0]), 400);
}
END_TEST

START_TEST(who_is_lapped_while_it_reads_nothing_is_told_to_try_again) {
    tear_down();
    set_up_ring(65536);
    struct conn *slow = connect_user("ann");
    join(slow, "trades");
    fall_behind(slow, "trades");
    for (int i = 0; i < 300; i++) {
        put_padded("trades", 500);
        turn();
    }
    ck_assert_int_eq(slow->state, CONN_CATCHING); /* it costs nothing until it reads */
    take(slow);
    turn();
    ck_assert_int_eq(slow->state, CONN_CLOSING);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_CATCHUPS_LAPPED), 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SLOW_CLOSED), 1);
}
END_TEST

START_TEST(a_resume_gives_what_was_missed_then_what_comes) {
    for (int i = 0; i < 6; i++) { /* 10 .. 15 */
        put(i % 2 ? "orders:ann" : "orders:bob");
    }
    turn();
    struct conn *conn = connect_user("ann");
    conn_hold(&worker, conn);
    join(conn, "orders:ann");
    put("orders:ann"); /* 16: asked for a moment later */
    turn();
    ck_assert_str_eq(take(conn), "");
    resume_at(conn, "{\"order.updates\":[11]}");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":3} 13 15 16 ");
    ck_assert_int_eq(conn->state, CONN_LIVE);
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "17 ");
    ck_assert_uint_eq(stats_get(worker.stats, STAT_RESUMES_RECOVERED), 1);
}
END_TEST

START_TEST(a_topic_that_is_not_named_is_live_from_when_it_was_asked) {
    put("orders:ann");
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    resume_at(conn, "{}");
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":0} 11 ");
}
END_TEST

START_TEST(ephemeral_events_are_never_resumed) {
    reserve("orders:ann", 0)->flags = RECORD_FLAG_EPHEMERAL;
    ring_append_commit(&writer);
    put("orders:ann");
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":1} 11 ");
}
END_TEST

START_TEST(a_host_that_is_behind_waits_two_seconds_for_kafka) {
    struct conn *soon = connect_user("ann"), *never = connect_user("bob");
    join(soon, "orders:ann");
    join(never, "orders:bob");
    resume_at(soon, "{\"order.updates\":[12]}");
    resume_at(never, "{\"order.updates\":[99]}");
    turn();
    ck_assert_str_eq(take(soon), "");
    put("orders:ann"); /* 10, which it has had elsewhere */
    put("orders:bob"); /* 11: live for bob, whatever becomes of his position */
    put("orders:ann");
    put("orders:ann"); /* 13 */
    tick(1050);
    ck_assert_str_eq(take(soon), "{\"recovered\":true,\"count\":1} 13 ");
    tick(2950);
    ck_assert_str_eq(take(never), "");
    tick(3000);
    ck_assert_str_eq(take(never), "{\"recovered\":false,\"reason\":\"UNKNOWN_POSITION\"} 11 ");
    ck_assert_int_eq(never->state, CONN_LIVE);
}
END_TEST

START_TEST(who_was_held_through_very_many_values_gets_the_newest_and_is_told_of_the_others) {
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    conn_hold_a_moment(&worker, conn);
    for (unsigned i = 0; i < 5000; i++) {
        put_value("prices", "ETH", 0);
        turn();
    }
    tick(3000);
    tick(3050);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert_str_eq(take(conn), "5009 {\"count\":4999,\"reason\":\"CONFLATED\"} ");
}
END_TEST

/* So much that the ring goes round before the worker reads. */
static void lap(const char *room) {
    for (unsigned i = 0; i < 200; i++) {
        put_padded(room, 8000);
    }
    turn();
    ck_assert_uint_eq(stats_get(worker.stats, STAT_RECORDS_SKIPPED), 200);
}

START_TEST(a_resume_from_before_a_lap_is_too_old_although_the_worker_has_read_nothing_since) {
    lap("orders:bob");
    struct conn *conn = connect_user("bob");
    join(conn, "orders:bob");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":false,\"reason\":\"TOO_OLD\"} ");
}
END_TEST

START_TEST(who_joins_after_a_lap_is_told_a_position_behind_what_was_passed_over) {
    struct conn *conn = connect_user("ann");
    struct span position;
    join(conn, "orders:ann");
    lap("orders:bob");
    ck_assert(conn_position(&worker, conn, &position));
    ck_assert_ptr_nonnull(strstr(position.data, "\"order.updates\":[209]"));
}
END_TEST

START_TEST(after_a_jump_no_position_is_told_until_it_holds_all_that_was_passed_over) {
    struct conn *conn = connect_user("ann");
    struct span position;
    join(conn, "orders:ann");
    put("orders:bob");
    position_jumped(worker.position, worker.reader.cursor); /* to before that record */
    ck_assert(!conn_position(&worker, conn, &position));
    resume_at(conn, "{\"order.updates\":[9]}");
    catchup_turn(&worker);
    ck_assert_str_eq(take(conn), "");
    turn();
    tick(1050);
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":0} ");
    ck_assert(conn_position(&worker, conn, &position));
    ck_assert_ptr_nonnull(strstr(position.data, "\"order.updates\":[10]"));
}
END_TEST

START_TEST(what_was_before_the_window_is_too_old) {
    put("orders:ann");
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    resume_at(conn, "{\"order.updates\":[8]}"); /* 9 was never here */
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":false,\"reason\":\"TOO_OLD\"} ");
    ck_assert_uint_eq(stats_get(worker.stats, STAT_RESUMES_TOO_OLD), 1);
}
END_TEST

START_TEST(offsets_that_fall_within_what_was_missed_can_not_be_put_in_order) {
    put("orders:ann");
    put("orders:ann");
    store_relaxed(&worker.view.segment.positions->partitions[0].next, 10); /* made anew */
    next_offset = 10;
    put("orders:ann");
    put("orders:ann");
    put("orders:ann");
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":false,\"reason\":\"UNKNOWN_POSITION\"} ");
}
END_TEST

START_TEST(a_connection_that_has_had_events_is_not_resumed_in_disorder) {
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    put("orders:ann");
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "10 11 ");
    resume_at(conn, "{\"order.updates\":[9]}");
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":false,\"reason\":\"UNKNOWN_POSITION\"} 12 ");
}
END_TEST

START_TEST(who_came_with_a_token_is_held_a_moment_and_told_a_position) {
    struct conn *conn = connect_user("ann");
    struct span position;
    conn_hold_a_moment(&worker, conn);
    join(conn, "orders:ann");
    ck_assert(conn_position(&worker, conn, &position));
    ck_assert(span_is(position, "{\"epoch\":\"1\",\"topics\":{\"order.updates\":[9]}}"));
    put("orders:ann");
    tick(1100);
    ck_assert_str_eq(take(conn), "");
    ck_assert(conn_position(&worker, conn, &position)); /* it has not been sent that event */
    ck_assert(span_is(position, "{\"epoch\":\"1\",\"topics\":{\"order.updates\":[9]}}"));
    tick(1200);
    ck_assert_str_eq(take(conn), "10 ");
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert(conn_position(&worker, conn, &position));
    ck_assert(span_is(position, "{\"epoch\":\"1\",\"topics\":{\"order.updates\":[10]}}"));
}
END_TEST

START_TEST(who_says_anything_else_is_held_no_longer) {
    struct conn *conn = connect_user("ann");
    struct span position;
    join(conn, "orders:ann");
    conn_hold_a_moment(&worker, conn);
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "");
    conn_moment_over(&worker, conn);
    ck_assert(conn_position(&worker, conn, &position)); /* until that event is sent */
    ck_assert(span_is(position, "{\"epoch\":\"1\",\"topics\":{\"order.updates\":[9]}}"));
    join(conn, "chat:late"); /* not what came before */
    put("chat:late");
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "10 11 12 ");
    ck_assert_int_eq(conn->state, CONN_LIVE);
    conn_moment_over(&worker, conn); /* says nothing new */
    tick(3000);
    ck_assert_str_eq(take(conn), "");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":false,\"reason\":\"UNKNOWN_POSITION\"} ");
}
END_TEST

START_TEST(who_joins_a_room_while_he_is_held_and_resumes_then_gets_each_event_once) {
    for (int i = 0; i < 3; i++) { /* 10 .. 12 */
        put(i == 1 ? "chat:late" : "orders:ann");
    }
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    conn_hold_a_moment(&worker, conn);
    put("orders:ann"); /* 13 */
    turn();
    join(conn, "chat:late");
    put("orders:ann"); /* 14 */
    turn();
    join(conn, "chat:later");
    resume_at(conn, "{\"order.updates\":[9]}");
    put("chat:later"); /* 15 */
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":6} 10 11 12 13 14 15 ");
}
END_TEST

START_TEST(of_a_topic_that_is_not_named_who_is_held_loses_nothing_by_a_join) {
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    conn_hold_a_moment(&worker, conn);
    put("orders:ann"); /* 10 */
    turn();
    join(conn, "chat:late");
    resume_at(conn, "{}");
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":0} 10 ");
}
END_TEST

START_TEST(who_says_something_else_and_resumes_before_an_event_was_sent_gets_what_he_missed) {
    for (int i = 0; i < 3; i++) { /* 10 .. 12 */
        put("orders:ann");
    }
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    conn_hold_a_moment(&worker, conn);
    put("orders:ann"); /* 13 */
    turn();
    conn_moment_over(&worker, conn);
    join(conn, "chat:late");
    resume_at(conn, "{\"order.updates\":[10]}");
    put("chat:late"); /* 14 */
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":4} 11 12 13 14 ");
    ck_assert_int_eq(conn->state, CONN_LIVE);
}
END_TEST

START_TEST(no_message_ends_a_hold_before_the_resume_that_it_is_for) {
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    conn_hold(&worker, conn);
    conn_moment_over(&worker, conn);
    put("orders:ann");
    turn();
    ck_assert_str_eq(take(conn), "");
    resume_at(conn, "{\"order.updates\":[9]}");
    conn_moment_over(&worker, conn); /* while it waits */
    turn();
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":1} 10 ");
}
END_TEST

START_TEST(once_the_events_of_a_hold_go_out_the_position_before_them_is_told_no_more) {
    struct conn *conn = connect_user("ann");
    struct span position;
    join(conn, "orders:ann");
    conn_hold_a_moment(&worker, conn);
    for (unsigned i = 0; i < 40; i++) {
        put_padded("orders:ann", 4000);
        turn();
    }
    tick(1200);
    ck_assert_int_eq(conn->state, CONN_CATCHING); /* its queue is full before the end */
    ck_assert_uint_gt(conn->queue.bytes, 0);
    while (conn->state == CONN_CATCHING) {
        ck_assert(!conn_position(&worker, conn, &position));
        (void)take(conn);
        turn();
    }
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert(conn_position(&worker, conn, &position));
}
END_TEST

START_TEST(who_is_held_while_more_comes_than_is_remembered_is_told_no_position) {
    struct conn *conn = connect_user("ann");
    struct span position;
    join(conn, "orders:ann");
    conn_hold_a_moment(&worker, conn);
    for (unsigned i = 0; i < POSITION_LOG; i++) {
        put("orders:bob");
        turn();
    }
    ck_assert(conn_position(&worker, conn, &position));
    ck_assert(span_is(position, "{\"epoch\":\"1\",\"topics\":{\"order.updates\":[9]}}"));
    put("orders:bob");
    turn();
    ck_assert(!conn_position(&worker, conn, &position));
}
END_TEST

static struct conn *resumed_at(const char *user, int last) {
    char topics[64];
    struct conn *conn = connect_user(user);
    conn_hold(&worker, conn);
    join(conn, "prices");
    snprintf(topics, sizeof topics, "{\"order.updates\":[%d]}", last);
    resume_at(conn, topics);
    turn();
    return conn;
}

START_TEST(a_resume_of_as_many_events_as_a_list_holds_is_given_and_of_one_more_is_too_old) {
    tear_down();
    set_up_ring(64 << 20);
    put("prices"); /* 10 */
    for (unsigned i = 0; i < CATCHUP_MAX_MISSED; i++) {
        put("prices");
        if (i % 1024 == 0) {
            turn();
        }
    }
    turn();
    struct conn *most = resumed_at("ann", 10), *more = resumed_at("bob", 9);
    char end[64];
    snprintf(end, sizeof end, " %lld ", (long long)next_offset - 1);
    ck_assert_str_eq(take(more), "{\"recovered\":false,\"reason\":\"TOO_OLD\"} ");
    ck_assert_int_eq(more->state, CONN_LIVE);
    const char *answer = "{\"recovered\":true,\"count\":262144} 11 ", *got = take(most);
    ck_assert_msg(strncmp(got, answer, strlen(answer)) == 0, "%.100s", got);
    unsigned count = 0;
    for (; *got != '\0'; got = take(most)) {
        count += count_of(got);
        if (most->state == CONN_LIVE) {
            ck_assert_str_eq(got + strlen(got) - strlen(end), end);
        }
        turn();
    }
    ck_assert_uint_eq(count, 1 + CATCHUP_MAX_MISSED);
    ck_assert_int_eq(most->state, CONN_LIVE);
}
END_TEST

START_TEST(a_resume_waits_while_the_lists_of_others_take_all_memory) {
    put("prices"); /* 10 */
    put("prices");
    turn();
    worker.fanout->catchups->listed = UINT32_MAX;
    struct conn *conn = resumed_at("ann", 10);
    tick(5000);
    ck_assert_str_eq(take(conn), "");
    worker.fanout->catchups->listed = 0;
    tick(5050);
    ck_assert_str_eq(take(conn), "{\"recovered\":true,\"count\":1} 11 ");
    ck_assert_int_eq(conn->state, CONN_LIVE);
}
END_TEST

START_TEST(a_resume_of_more_than_a_queue_goes_out_as_it_is_read) {
    for (int i = 0; i < 400; i++) {
        put_padded("orders:ann", 500);
    }
    turn();
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    resume_at(conn, "{\"order.updates\":[9]}");
    unsigned seen = 0;
    turn();
    ck_assert_uint_lt(conn->queue.bytes, 70000);
    while (conn->state == CONN_CATCHING) {
        for (const char *at = take(conn); (at = strchr(at, ' ')) != NULL; at++) {
            seen++;
        }
        turn();
    }
    for (const char *at = take(conn); (at = strchr(at, ' ')) != NULL; at++) {
        seen++;
    }
    ck_assert_uint_eq(seen, 401);
}
END_TEST

START_TEST(a_storm_of_resumes_is_cut_into_turns) {
    enum { MANY = 300 };
    struct conn *conns[MANY];
    for (int i = 0; i < 20; i++) {
        put("trades");
    }
    turn();
    for (unsigned i = 0; i < MANY; i++) {
        conns[i] = connect_user("ann");
        join(conns[i], "trades");
        resume_at(conns[i], "{\"order.updates\":[9]}");
    }
    ck_assert(catchup_turn(&worker)); /* not all of them in one */
    unsigned left = 0;
    for (unsigned i = 0; i < MANY; i++) {
        left += conns[i]->state == CONN_CATCHING;
    }
    ck_assert_uint_gt(left, MANY / 2);
    turn();
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_int_eq(conns[i]->state, CONN_LIVE);
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_RESUMES_RECOVERED), MANY);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_CAUGHT_UP), MANY * 20);
}
END_TEST

static struct conn *resumed_trader(uint16_t flags) {
    struct conn *conn = connect_user("ann");
    conn->flags |= flags;
    join(conn, "trades");
    resume_at(conn, "{\"order.updates\":[9]}");
    turn();
    ck_assert_int_eq(conn->state, CONN_LIVE);
    return conn;
}

START_TEST(who_has_missed_the_same_events_shares_their_frames) {
    options.ws_max_queue_bytes = 65536;
    for (int i = 0; i < 20; i++) {
        put_padded("trades", 300);
    }
    turn();
    for (int i = 0; i < 50; i++) {
        ck_assert_uint_gt(resumed_trader(0)->queue.bytes, 20 * 300);
    }
    /* one set of frames, and fifty answers */
    ck_assert_uint_le(worker.fanout->arena.bytes, 2 * FRAME_BLOCK_BYTES);
    conn_table_free(&worker, worker.conns);
    ck_assert_int_eq(conn_table_new(&worker, &worker.conns), 0);
    tick(5000); /* the frames are let go */
    put("trades");
    struct conn *last = resumed_trader(0);
    ck_assert_uint_eq(count_of(take(last)), 1 + 21);
}
END_TEST

START_TEST(missed_events_are_deflated_from_the_second_client_on) {
    options.ws_max_queue_bytes = 65536;
    ck_assert_int_eq(frame_deflate_new(&worker.fanout->deflater), 0);
    for (int i = 0; i < 20; i++) {
        put_padded("trades", 300);
    }
    turn();
    ck_assert_uint_gt(resumed_trader(CONN_DEFLATE)->queue.bytes, 20 * 300);
    struct conn *second = resumed_trader(CONN_DEFLATE);
    ck_assert_uint_lt(second->queue.bytes, 20 * 60);
    ck_assert_uint_gt(resumed_trader(0)->queue.bytes, 20 * 300); /* it can't read them */
    worker.fanout->stage = OVERLOAD_NO_DEFLATE;
    tick(5000);
    (void)resumed_trader(CONN_DEFLATE);
    ck_assert_uint_gt(resumed_trader(CONN_DEFLATE)->queue.bytes, 20 * 300);
}
END_TEST

START_TEST(an_event_in_very_many_rooms_is_caught_up_as_any_other) {
    enum { ROOMS = 40 };
    struct span key = SPAN_LITERAL("trades");
    size_t names_at = sizeof(struct record) + ROOMS * sizeof(struct record_room);
    size_t length = names_at + key.length + 2;
    struct record *record = ring_append_reserve(&writer, length);
    memset((char *)record + 16, 0, record->length - 16);
    record->kind = RECORD_EVENT;
    record->offset = next_offset++;
    record->room_count = ROOMS;
    for (unsigned i = 0; i < ROOMS; i++) {
        record->rooms[i] = (struct record_room){.hash = i + 1,
                                                .name_at = (uint32_t)names_at,
                                                .name_length = (uint16_t)key.length,
                                                .kind = ROOM_PLAIN};
    }
    record->rooms[ROOMS - 1].hash = room_name_hash(&worker.view.segment.header->hash_key, key);
    memcpy((char *)record + names_at, "trades10", 8);
    record->envelope_at = (uint32_t)(names_at + key.length);
    record->envelope_length = 2;
    ring_append_commit(&writer);
    ring_append_publish(&writer);
    put("trades");
    turn();
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(take(resumed_trader(0)), "{\"recovered\":true,\"count\":2} 10 11 ");
    }
}
END_TEST

START_TEST(one_that_dies_while_it_waits_leaves_nothing_behind) {
    struct conn *conn = connect_user("ann");
    join(conn, "orders:ann");
    resume_at(conn, "{\"order.updates\":[99]}");
    turn();
    conn_kill(&worker, conn);
    conn_reap(&worker);
    tick(5000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_CATCHING), 0);
}
END_TEST

START_TEST(a_rejected_message_moves_the_position_once_the_worker_has_read_so_far) {
    struct position *position = &worker.view.segment.positions->partitions[0];
    put("trades");
    store_relaxed(&position->next, 12); /* 11 gave no record */
    position_note(worker.position, worker.reader.cursor);
    ck_assert_uint_eq(position_next(worker.position, 0), 10); /* 10 is not read yet */
    position_note(worker.position, worker.reader.cursor);
    ck_assert_uint_eq(position_next(worker.position, 0), 10);
    turn();
    ck_assert_uint_eq(position_next(worker.position, 0), 11);
    position_note(worker.position, worker.reader.cursor);
    ck_assert_uint_eq(position_next(worker.position, 0), 12);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("catchup");
    TCase *tests = tcase_create("catchup");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, who_falls_behind_gets_all_in_order_and_is_live_again);
    tcase_add_test(tests, who_was_slow_gets_the_newest_value_of_each_key_and_every_other_event);
    tcase_add_test(tests,
                   a_value_that_was_listed_and_is_old_when_its_turn_comes_gives_way_to_the_newest);
    tcase_add_test(tests, a_resume_gives_as_many_as_it_has_announced_whatever_becomes_of_them);
    tcase_add_test(tests, a_resume_of_a_loud_room_gives_and_costs_its_keys_not_its_values);
    tcase_add_test(tests, who_was_slow_in_a_loud_room_is_told_exactly_what_it_was_spared);
    tcase_add_test(tests, who_was_slow_gets_the_newest_values_though_the_ring_has_gone_round);
    tcase_add_test(tests, values_whose_keys_have_given_way_in_the_table_are_found_in_the_ring);
    tcase_add_test(tests, what_comes_while_the_list_is_read_comes_behind_it);
    tcase_add_test(tests, a_room_joined_meanwhile_begins_where_it_was_joined);
    tcase_add_test(tests, a_room_left_meanwhile_is_silent_though_its_events_were_listed);
    tcase_add_test(tests, an_event_in_two_of_its_rooms_is_caught_up_once);
    tcase_add_test(tests, its_own_and_expired_events_are_left_out);
    tcase_add_test(tests, what_is_past_its_expiry_is_counted_for_each_who_listens);
    tcase_add_test(tests, a_lapped_worker_tells_how_many_and_counts_them_by_topic);
    tcase_add_test(tests, who_is_lapped_while_it_reads_nothing_is_told_to_try_again);
    tcase_add_test(tests, a_resume_gives_what_was_missed_then_what_comes);
    tcase_add_test(tests, a_topic_that_is_not_named_is_live_from_when_it_was_asked);
    tcase_add_test(tests, ephemeral_events_are_never_resumed);
    tcase_add_test(tests, a_host_that_is_behind_waits_two_seconds_for_kafka);
    tcase_add_test(tests, what_was_before_the_window_is_too_old);
    tcase_add_test(tests,
                   who_was_held_through_very_many_values_gets_the_newest_and_is_told_of_the_others);
    tcase_add_test(
        tests, a_resume_from_before_a_lap_is_too_old_although_the_worker_has_read_nothing_since);
    tcase_add_test(tests, who_joins_after_a_lap_is_told_a_position_behind_what_was_passed_over);
    tcase_add_test(tests, after_a_jump_no_position_is_told_until_it_holds_all_that_was_passed_over);
    tcase_add_test(tests, offsets_that_fall_within_what_was_missed_can_not_be_put_in_order);
    tcase_add_test(tests, a_connection_that_has_had_events_is_not_resumed_in_disorder);
    tcase_add_test(tests, who_came_with_a_token_is_held_a_moment_and_told_a_position);
    tcase_add_test(tests, who_says_anything_else_is_held_no_longer);
    tcase_add_test(tests, who_joins_a_room_while_he_is_held_and_resumes_then_gets_each_event_once);
    tcase_add_test(tests, of_a_topic_that_is_not_named_who_is_held_loses_nothing_by_a_join);
    tcase_add_test(
        tests, who_says_something_else_and_resumes_before_an_event_was_sent_gets_what_he_missed);
    tcase_add_test(tests, no_message_ends_a_hold_before_the_resume_that_it_is_for);
    tcase_add_test(tests,
                   once_the_events_of_a_hold_go_out_the_position_before_them_is_told_no_more);
    tcase_add_test(tests, who_is_held_while_more_comes_than_is_remembered_is_told_no_position);
    tcase_add_test(tests,
                   a_resume_of_as_many_events_as_a_list_holds_is_given_and_of_one_more_is_too_old);
    tcase_add_test(tests, a_resume_waits_while_the_lists_of_others_take_all_memory);
    tcase_add_test(tests, a_resume_of_more_than_a_queue_goes_out_as_it_is_read);
    tcase_add_test(tests, a_storm_of_resumes_is_cut_into_turns);
    tcase_add_test(tests, who_has_missed_the_same_events_shares_their_frames);
    tcase_add_test(tests, missed_events_are_deflated_from_the_second_client_on);
    tcase_add_test(tests, an_event_in_very_many_rooms_is_caught_up_as_any_other);
    tcase_add_test(tests, one_that_dies_while_it_waits_leaves_nothing_behind);
    tcase_add_test(tests, a_rejected_message_moves_the_position_once_the_worker_has_read_so_far);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
