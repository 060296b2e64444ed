/* From a record to the queues of its listeners: once each, in order, to nobody else. The connections here have
 * no socket; what would be written stands in their queues. */
#include "tests/unit/unit.h"
#include "tests/unit/worker_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* A back end whose sockets take everything. */
static size_t written;

static void write_all(struct flush_backend *backend, struct flush_item *items, unsigned count) {
    (void)backend;
    for (unsigned i = 0; i < count; i++) {
        items[i].result = 0;
        for (unsigned k = 0; k < items[i].iov_count; k++) {
            items[i].result += (long)items[i].iov[k].iov_len;
        }
        written += (size_t)items[i].result;
    }
}

static void destroy_nothing(struct flush_backend *backend) {
    (void)backend;
}

static const struct flush_backend_calls willing_sockets = {
    .name = "willing sockets", .destroy = destroy_nothing, .send = write_all};

static void set_up(void) {
    written = 0;
    options = (struct options){.auto_join_rooms = "prices",
                               .ws_max_queue_bytes = 4096,
                               .worker_queue_bytes = 256 << 20,
                               .ws_max_message_bytes = 65536,
                               .ws_ping_interval = 30000};
    worker_open(1 << 20);
    worker.fanout->backend_calls = &willing_sockets;
}

static struct conn *connect_user(const char *user) {
    return worker_connect(user, worker_null_socket());
}

static void join(struct conn *conn, const char *room) {
    ck_assert_int_eq(conn_join(&worker, conn, span_of(room)), 1);
}

/* A record with these rooms, the way ingest writes it. */
static const struct record *record_to(const char *const *rooms, unsigned count,
                                      const char *envelope) {
    static _Alignas(8) unsigned char bytes[8192];
    struct record *record = (struct record *)bytes;
    memset(bytes, 0, sizeof bytes);
    uint32_t at = (uint32_t)(sizeof *record + count * sizeof(struct record_room));
    for (unsigned i = 0; i < count; i++) {
        struct span key;
        enum room_kind kind = room_name_kind(span_of(rooms[i]), &key);
        record->rooms[i] =
            (struct record_room){.hash = room_name_hash(&worker.view.segment.header->hash_key, key),
                                 .name_at = at,
                                 .name_length = (uint16_t)key.length,
                                 .kind = (uint16_t)kind};
        memcpy(bytes + at, key.data, key.length);
        at += (uint32_t)key.length;
    }
    record->kind = RECORD_EVENT;
    record->room_count = (uint16_t)count;
    record->envelope_at = at;
    record->envelope_length = (uint32_t)strlen(envelope);
    memcpy(bytes + at, envelope, strlen(envelope));
    record->length = (at + record->envelope_length + 7) & ~7u;
    ck_assert(record_valid(record, sizeof bytes));
    return record;
}

static long send_to(const char *room, const char *envelope) {
    return fanout_record(&worker, record_to(&room, 1, envelope));
}

/* What waits for the connection, as text without frame headers (all payloads are short here). */
static const char *queued(const struct conn *conn) {
    static char text[16384];
    struct iovec iov[64];
    char *out = text;
    unsigned pieces = outq_gather(&worker.fanout->queues, &conn->queue, iov, 64);
    for (unsigned i = 0; i < pieces; i++) {
        const unsigned char *at = iov[i].iov_base, *end = at + iov[i].iov_len;
        while (at < end) {
            memcpy(out, at + 2, at[1]);
            out += at[1];
            *out++ = ' ';
            at += 2 + at[1];
        }
    }
    *out = '\0';
    return text;
}

START_TEST(a_room_gets_its_events_in_order_and_nobody_else) {
    struct conn *in = connect_user("ann"), *out = connect_user("bob");
    join(in, "prices");
    join(out, "trades");
    ck_assert_int_eq(send_to("prices", "one"), 1);
    ck_assert_int_eq(send_to("prices", "two"), 1);
    ck_assert_int_eq(send_to("prices:1:ETH", "three"), 0);
    ck_assert_str_eq(queued(in), "one two ");
    ck_assert_str_eq(queued(out), "");
}
END_TEST

START_TEST(an_event_in_several_of_a_connections_rooms_comes_once) {
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    join(conn, "prices:1:ETH");
    join(conn, "orders:ann");
    static const char *const rooms[] = {"prices", "prices:1:ETH", "orders:ann", "prices:1:BTC"};
    ck_assert_int_eq(fanout_record(&worker, record_to(rooms, 4, "x")), 1);
    ck_assert_str_eq(queued(conn), "x ");
}
END_TEST

START_TEST(a_personal_room_reaches_all_of_its_owners_connections_that_joined_it) {
    struct conn *first = connect_user("ann"), *second = connect_user("ann"),
                *other = connect_user("bob");
    join(first, "orders:ann");
    join(second, "orders:ann");
    join(second, "portfolio:ann");
    join(other, "orders:bob");
    ck_assert_int_eq(send_to("orders:ann", "order"), 2);
    ck_assert_int_eq(send_to("portfolio:ann", "portfolio"), 1);
    ck_assert_str_eq(queued(first), "order ");
    ck_assert_str_eq(queued(second), "order portfolio ");
    ck_assert_str_eq(queued(other), "");
    ck_assert_int_eq(conn_join(&worker, other, span_of("orders:ann")), -EPERM);
    ck_assert_int_eq(conn_leave(&worker, first, span_of("orders:ann")), 1);
    ck_assert_int_eq(send_to("orders:ann", "again"), 1);
    ck_assert_str_eq(queued(first), "order ");
}
END_TEST

START_TEST(the_sender_does_not_get_its_own_event) {
    struct conn *sender = connect_user("ann"), *other = connect_user("bob");
    join(sender, "chat:1");
    join(other, "chat:1");
    static const char *const room = "chat:1";
    struct record *record = (struct record *)(uintptr_t)record_to(&room, 1, "hi");
    record->sender = sender->id;
    ck_assert_int_eq(fanout_record(&worker, record), 1);
    ck_assert_str_eq(queued(sender), "");
    ck_assert_str_eq(queued(other), "hi ");
}
END_TEST

START_TEST(a_full_queue_makes_its_connection_read_on_from_the_ring_and_spares_the_others) {
    struct conn *slow = connect_user("ann"), *fast = connect_user("bob");
    join(slow, "prices");
    join(fast, "prices");
    slow->flags |= CONN_BLOCKED;
    char envelope[101] = {0};
    memset(envelope, 'e', 100);
    for (int i = 0; i < 100; i++) {
        send_to("prices", envelope);
        outq_clear(&worker.fanout->queues, &fast->queue); /* it reads everything */
        ck_assert_uint_le(slow->queue.bytes, 4096);
    }
    ck_assert_int_eq(slow->state, CONN_CATCHING);
    ck_assert_int_eq(fast->state, CONN_LIVE);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_FELL_BEHIND), 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SLOW_CLOSED), 0);
}
END_TEST

START_TEST(who_falls_behind_in_mid_fan_out_does_not_touch_the_others_frame) {
    /* the slow one comes first in the room */
    struct conn *slow = connect_user("ann"), *other = connect_user("bob");
    join(slow, "prices");
    slow->flags |= CONN_BLOCKED;
    char envelope[101] = {0};
    memset(envelope, 'e', 100);
    while (slow->queue.bytes + 102 <= 4096) {
        send_to("prices", envelope);
    }
    join(other, "prices");
    send_to("prices", "the event");
    while (slow->state == CONN_LIVE) {
        outq_clear(&worker.fanout->queues, &other->queue);
        send_to("prices", "the event");
    }
    ck_assert_str_eq(queued(other), "the event ");
}
END_TEST

START_TEST(a_burst_longer_than_the_limit_is_written_at_once_where_the_socket_takes_it) {
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    char envelope[101] = {0};
    memset(envelope, 'e', 100);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(send_to("prices", envelope), 1);
        ck_assert_uint_le(conn->queue.bytes, 4096);
        ck_assert_uint_eq(written + conn->queue.bytes, (size_t)(i + 1) * 102);
    }
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert_uint_gt(written, 0);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SLOW_CLOSED), 0);
}
END_TEST

START_TEST(an_event_longer_than_the_limit_reaches_a_client_that_has_read_all) {
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    static char envelope[5000];
    memset(envelope, 'e', sizeof envelope - 1);
    ck_assert_int_eq(send_to("prices", envelope), 1);
    ck_assert_int_eq(conn->state, CONN_LIVE);
}
END_TEST

START_TEST(an_event_for_few_is_written_before_a_large_fan_out) {
    struct conn *last = NULL;
    for (int i = 0; i < 200; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        last = connect_user(user);
        join(last, "prices");
    }
    join(last, "orders:u199");
    send_to("prices", "flood");
    send_to("orders:u199", "mine");
    struct conn *slice[FLUSH_SLICE];
    ck_assert_uint_eq(flush_schedule_take(&worker.fanout->schedule, slice), FLUSH_SLICE);
    ck_assert_ptr_eq(slice[0], last);
    ck_assert_str_eq(queued(last), "flood mine ");
}
END_TEST

START_TEST(urgent_connections_leave_a_quarter_of_each_slice_to_the_rest) {
    for (int i = 0; i < 300; i++) {
        char user[16], room[32];
        snprintf(user, sizeof user, "u%d", i);
        snprintf(room, sizeof room, "orders:u%d", i);
        struct conn *conn = connect_user(user);
        join(conn, "prices");
        join(conn, room);
        if (i >= 150) {
            send_to(room, "mine");
        }
    }
    send_to("prices", "flood");
    struct conn *slice[FLUSH_SLICE];
    unsigned flooded = 0;
    flush_schedule_take(&worker.fanout->schedule, slice);
    for (unsigned i = 0; i < FLUSH_SLICE; i++) {
        flooded += strcmp(queued(slice[i]), "flood ") == 0;
    }
    ck_assert_uint_eq(flooded, FLUSH_SLICE / 4);
}
END_TEST

START_TEST(stamps_that_wrap_do_not_hide_an_event) {
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    send_to("prices", "one"); /* stamp 1 */
    worker.fanout->stamp = UINT32_MAX - 1;
    ck_assert_int_eq(send_to("prices", "two"),
                     1); /* would be the one that stands for old, then 1 again */
    ck_assert_int_eq(send_to("prices", "three"), 1);
    ck_assert_str_eq(queued(conn), "one two three ");
}
END_TEST

/* Rooms against a matrix of who is in what, through random joins, leaves and disconnects. */
START_TEST(memberships_stay_right_through_random_joins_leaves_and_closes) {
    enum { USERS = 60, ROOMS = 9 };
    static struct conn *conns[USERS];
    static bool in[USERS][ROOMS];
    char name[32];
    memset(in, 0, sizeof in);
    srand(7);
    for (int u = 0; u < USERS; u++) {
        snprintf(name, sizeof name, "u%d", u);
        conns[u] = connect_user(name);
    }
    for (int step = 0; step < 20000; step++) {
        int u = rand() % USERS, r = rand() % ROOMS;
        snprintf(name, sizeof name, "room:%d", r);
        if (rand() % 100 == 0) {
            conn_kill(&worker, conns[u]);
            conn_reap(&worker);
            memset(in[u], 0, sizeof in[u]);
            char user[16];
            snprintf(user, sizeof user, "u%d", u);
            conns[u] = connect_user(user);
        } else if (rand() % 2 == 0) {
            ck_assert_int_eq(conn_join(&worker, conns[u], span_of(name)), !in[u][r]);
            in[u][r] = true;
        } else {
            ck_assert_int_eq(conn_leave(&worker, conns[u], span_of(name)), in[u][r]);
            in[u][r] = false;
        }
        if (step % 50 == 0) {
            long wanted = 0;
            for (int i = 0; i < USERS; i++) {
                wanted += in[i][r];
            }
            ck_assert_int_eq(send_to(name, "x"), wanted);
            for (int i = 0; i < USERS; i++) {
                ck_assert_str_eq(queued(conns[i]), in[i][r] ? "x " : "");
                flush_schedule_remove(&worker.fanout->schedule, conns[i]);
                outq_clear(&worker.fanout->queues, &conns[i]->queue);
            }
        }
    }
}
END_TEST

START_TEST(interest_shows_exactly_the_buckets_with_a_listener) {
    struct conn *conn = connect_user("ann");
    join(conn, "prices");
    const struct siphash_key *key = &worker.view.segment.header->hash_key;
    unsigned prices = worker_interest_bucket(room_name_hash(key, span_of("prices")));
    unsigned ann = worker_interest_bucket(room_name_hash(key, span_of("ann")));
    ck_assert(load_relaxed(&worker.block->interest[prices / 64]) >> (prices % 64) & 1);
    ck_assert(load_relaxed(&worker.block->interest[ann / 64]) >> (ann % 64) & 1);
    ck_assert_int_eq(conn_leave(&worker, conn, span_of("prices")), 1);
    ck_assert(prices == ann ||
              !(load_relaxed(&worker.block->interest[prices / 64]) >> (prices % 64) & 1));
}
END_TEST

START_TEST(another_users_token_does_not_take_a_connection_over) {
    struct conn *conn = connect_user("ann");
    struct identity other = {.user_id = "bob", .expires_ms = INT64_MAX / 4};
    ck_assert_int_eq(conn_set_identity(&worker, conn, &other), -EPERM);
    ck_assert(span_is(conn_user_id(&worker, conn), "ann"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("fanout");
    TCase *tests = tcase_create("fanout");
    tcase_add_checked_fixture(tests, set_up, worker_close);
    tcase_add_test(tests, a_room_gets_its_events_in_order_and_nobody_else);
    tcase_add_test(tests, an_event_in_several_of_a_connections_rooms_comes_once);
    tcase_add_test(tests, a_personal_room_reaches_all_of_its_owners_connections_that_joined_it);
    tcase_add_test(tests, the_sender_does_not_get_its_own_event);
    tcase_add_test(tests,
                   a_full_queue_makes_its_connection_read_on_from_the_ring_and_spares_the_others);
    tcase_add_test(tests, who_falls_behind_in_mid_fan_out_does_not_touch_the_others_frame);
    tcase_add_test(tests,
                   a_burst_longer_than_the_limit_is_written_at_once_where_the_socket_takes_it);
    tcase_add_test(tests, an_event_longer_than_the_limit_reaches_a_client_that_has_read_all);
    tcase_add_test(tests, an_event_for_few_is_written_before_a_large_fan_out);
    tcase_add_test(tests, urgent_connections_leave_a_quarter_of_each_slice_to_the_rest);
    tcase_add_test(tests, stamps_that_wrap_do_not_hide_an_event);
    tcase_add_test(tests, memberships_stay_right_through_random_joins_leaves_and_closes);
    tcase_add_test(tests, interest_shows_exactly_the_buckets_with_a_listener);
    tcase_add_test(tests, another_users_token_does_not_take_a_connection_over);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
