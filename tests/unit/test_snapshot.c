/* What a joiner's queue holds of a room's current values: each key once, in order, below the worker's cursor, shared
 * with all other joiners. The connections have no socket. */
#include "gateway/delivery/snapshot.h"

#include "shm/ring_append.h"
#include "shm/snapshot_put.h"
#include "tests/unit/unit.h"
#include "tests/unit/worker_fixture.h"

#include <stdio.h>

#define HEARD_BYTES (1u << 20)

static struct snapshot_put put;
static struct ring_append writer;
static char heard[HEARD_BYTES];

static void stalled(struct flush_backend *backend, struct flush_item *items, unsigned count) {
    (void)backend;
    for (unsigned i = 0; i < count; i++) {
        items[i].result = -EAGAIN;
    }
}

static void destroy_nothing(struct flush_backend *backend) {
    (void)backend;
}

static const struct flush_backend_calls full_sockets = {
    .name = "full sockets", .destroy = destroy_nothing, .send = stalled};

static void set_up(void) {
    options = (struct options){
        .auto_join_rooms = "", .ws_max_queue_bytes = 4096, .ws_ping_interval = 30000};
    worker_open_memory(4u << 20);
    ck_assert_int_eq(positions_intern(worker.view.segment.positions, SPAN_LITERAL("trades"), 0), 0);
    store_relaxed(&worker.view.segment.positions->partitions[0].next, 0);
    worker_open_parts();
    worker.fanout->backend_calls = &full_sockets;
    ck_assert_int_eq(ring_append_open(&writer, &worker.view.segment), 0);
    ck_assert_int_eq(snapshot_put_open(&put, &worker.view.segment), 0);
}

static void tear_down(void) {
    snapshot_put_done(&put);
    ring_append_done(&writer);
    worker_close();
}

static struct conn *joiner(const char *room) {
    struct conn *conn = worker_connect("u", worker_null_socket());

    ck_assert_int_eq(conn_join(&worker, conn, span_of(room)), 1);
    snapshot_send(&worker, conn, span_of(room));
    return conn;
}

/* What ingest does: {"v":VALUE} for the rooms, under the key. Not published yet. Returns the record's position. */
static uint64_t keep(const char *key, const char *value, const char *const *rooms, unsigned count) {
    char text[4096];
    uint32_t at = (uint32_t)(sizeof(struct record) + count * sizeof(struct record_room));
    int length = snprintf(text, sizeof text, "{\"v\":%s}", value);
    struct record *record =
        ring_append_reserve(&writer, at + count * ROOM_NAME_MAX_BYTES + (size_t)length);

    ck_assert_ptr_nonnull(record);
    memset((char *)record + offsetof(struct record, offset), 0,
           record->length - offsetof(struct record, offset));
    record->kind = RECORD_EVENT;
    record->flags = 0;
    record->room_count = (uint16_t)count;
    for (unsigned i = 0; i < count; i++) {
        struct span name;
        unsigned kind = (unsigned)room_name_kind(span_of(rooms[i]), &name);
        record->rooms[i] = (struct record_room){
            .hash = room_name_hash(&worker.view.segment.header->hash_key, name),
            .name_at = at,
            .name_length = (uint16_t)name.length,
            .kind = (uint16_t)kind};
        memcpy((char *)record + at, name.data, name.length);
        at += (uint32_t)name.length;
    }
    record->envelope_at = at;
    record->envelope_length = (uint32_t)length;
    memcpy((char *)record + at, text, (size_t)length);
    ck_assert_uint_ne(snapshot_put_value(&put, span_of(key), record, writer.reserved), 0);
    uint64_t position = writer.reserved;
    ring_append_commit(&writer);
    return position;
}

static uint64_t keep_price(const char *key, const char *value) {
    static const char *const rooms[] = {"prices"};
    return keep(key, value, rooms, 1);
}

/* This worker has read all that there is. */
static void read_all(void) {
    (void)ring_append_publish(&writer);
    worker.reader.cursor = writer.head;
}

/* The payloads that wait in its queue, one after the other. */
static const char *waiting(const struct conn *conn) {
    struct iovec iov[64];
    unsigned count = outq_gather(&worker.fanout->queues, &conn->queue, iov, 64);
    size_t length = 0;

    for (unsigned i = 0; i < count; i++) {
        const unsigned char *at = iov[i].iov_base, *end = at + iov[i].iov_len;
        while (at < end) {
            uint32_t whole = frame_length_at(at), header = at[1] < 126 ? 2 : 4;
            ck_assert_uint_lt(length + whole, HEARD_BYTES);
            memcpy(heard + length, at + header, whole - header);
            length += whole - header;
            at += whole;
        }
    }
    heard[length] = '\0';
    return heard;
}

#define VALUE(v) "{\"v\":" v ",\"snapshot\":true}"

START_TEST(a_joiner_gets_each_key_of_the_room_once_in_the_order_of_keys) {
    static const char *const both[] = {"prices", "prices:1:B"}, *const own[] = {"orders:u"};

    (void)keep("c", "3", both, 1);
    (void)keep("b", "1", both, 2);
    (void)keep("a", "1", both, 1);
    (void)keep("b", "2", both, 2);
    (void)keep("o", "9", own, 1);
    read_all();
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("2") VALUE("3"));
    ck_assert_str_eq(waiting(joiner("prices:1:B")), VALUE("2"));
    ck_assert_str_eq(waiting(joiner("orders:u")), VALUE("9"));
    ck_assert_str_eq(waiting(joiner("portfolio:u")), "");
    ck_assert_str_eq(waiting(joiner("trades")), "");
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SNAPSHOT_VALUES), 5);
}
END_TEST

START_TEST(what_this_worker_has_not_read_yet_is_left_for_the_ring) {
    (void)keep_price("a", "1");
    read_all();
    (void)keep_price("b", "1");
    (void)ring_append_publish(&writer);
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1"));
    read_all();
    (void)keep_price("a", "2");
    /* a's value before it is still the current one here, published or not */
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("1"));
    (void)ring_append_publish(&writer);
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("1"));
    read_all();
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("2") VALUE("1"));
}
END_TEST

/* However the values lie in publishes, and wherever this worker's cursor stands among them. */
START_TEST(a_joiner_gets_the_newest_value_below_the_cursor_whatever_the_table_holds) {
    enum { VALUES = 12 };

    for (unsigned published_each = 1; published_each <= VALUES; published_each++) {
        for (unsigned shown_first = 0; shown_first <= VALUES; shown_first++) {
            uint64_t at[VALUES + 1], start = writer.head;
            char key[16], value[8], expected[64];
            snprintf(key, sizeof key, "%02u-%02u", published_each, shown_first);
            const char *rooms[] = {key};

            for (unsigned i = 1; i <= VALUES; i++) {
                snprintf(value, sizeof value, "%u", i);
                at[i] = keep(key, value, rooms, 1);
                if (i == shown_first) { /* what is mirrored then grows old */
                    read_all();
                    (void)joiner(key);
                }
                if (i % published_each == 0) {
                    (void)ring_append_publish(&writer);
                }
            }
            uint64_t published = load_relaxed(&worker.view.segment.words->published);
            worker.reader.cursor = start > worker.reader.cursor ? start : worker.reader.cursor;
            for (unsigned i = 1; i <= VALUES && at[i] <= published; i++) {
                if (at[i] < worker.reader.cursor) {
                    continue;
                }
                worker.reader.cursor = at[i];
                snprintf(expected, sizeof expected, "{\"v\":%u,\"snapshot\":true}", i - 1);
                ck_assert_str_eq(waiting(joiner(key)), i == 1 ? "" : expected);
                ck_assert_str_eq(waiting(joiner(key)), i == 1 ? "" : expected);
            }
            read_all();
            ck_assert_str_eq(waiting(joiner(key)), VALUE("12"));
        }
    }
}
END_TEST

START_TEST(a_value_that_the_ring_has_lost_is_not_replaced_by_an_older_one) {
    static const char *const far[] = {"far"};
    char value[1000];

    memset(value, '1', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    (void)keep_price("a", "1");
    read_all();
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1"));
    (void)keep_price("a", "2");
    read_all();
    for (unsigned i = 0; i < 5000; i++) {
        (void)keep("far", value, far, 1);
        (void)ring_append_publish(&writer);
    }
    worker.reader.cursor = writer.head;
    (void)keep_price("a", "3");
    ck_assert_str_eq(waiting(joiner("prices")), "");
    read_all();
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("3"));
}
END_TEST

START_TEST(a_joiner_pays_for_a_bounded_part_of_what_the_worker_is_behind) {
    static const char *const cold[] = {"cold"};
    const char *hot[] = {"prices"};

    (void)keep("cold", "1", cold, 1);
    (void)keep("hot", "0", hot, 1);
    read_all();
    for (unsigned i = 0; i < 6000; i++) {
        (void)keep("hot", "1", hot, 1);
        (void)ring_append_publish(&writer);
    }
    ck_assert_str_eq(waiting(joiner("prices")), ""); /* too far: its next value comes live */
    ck_assert_str_eq(waiting(joiner("cold")), VALUE("1"));
    read_all();
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1"));
}
END_TEST

START_TEST(a_key_that_moves_to_another_room_leaves_the_old_one) {
    static const char *const one[] = {"prices:1"}, *const two[] = {"prices:2"};

    (void)keep("k", "1", one, 1);
    read_all();
    ck_assert_str_eq(waiting(joiner("prices:1")), VALUE("1"));
    (void)keep("k", "2", two, 1);
    read_all();
    ck_assert_str_eq(waiting(joiner("prices:1")), "");
    ck_assert_str_eq(waiting(joiner("prices:2")), VALUE("2"));
}
END_TEST

/* The successor's records may lie where the dead one's were not published. */
START_TEST(what_a_killed_ingest_never_published_leaves_the_value_before_it) {
    (void)keep_price("a", "1");
    (void)keep_price("b", "1");
    read_all();
    (void)keep_price("a", "2");
    (void)keep_price("c", "1");
    snapshot_put_done(&put);
    ring_append_done(&writer);
    ck_assert_int_eq(ring_append_open(&writer, &worker.view.segment), 0);
    ck_assert_int_eq(snapshot_put_open(&put, &worker.view.segment), 0);
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("1"));
    (void)keep_price("c", "7");
    (void)keep_price("a", "3");
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("1"));
    read_all();
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("3") VALUE("1") VALUE("7"));
}
END_TEST

START_TEST(joiners_share_one_run_of_frames) {
    char key[16];
    uint64_t bytes;

    options.ws_max_queue_bytes = 100; /* a snapshot may be longer */
    for (unsigned i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "k%03u", i);
        (void)keep_price(key, "\"0123456789\"");
    }
    read_all();
    (void)joiner("prices");
    bytes = worker.fanout->arena.bytes;
    for (unsigned i = 0; i < 1000; i++) {
        struct conn *conn = joiner("prices");
        struct iovec iov[64];
        ck_assert_uint_le(outq_gather(&worker.fanout->queues, &conn->queue, iov, 64), 2);
        ck_assert_uint_eq(conn->queue.bytes, 500 * (sizeof(VALUE("\"0123456789\"")) - 1 + 2));
    }
    ck_assert_uint_eq(worker.fanout->arena.bytes, bytes);
}
END_TEST

/* As many as come back at once after a host has died; keys come and change in any order meanwhile. */
START_TEST(ten_thousand_joiners_cost_one_set_of_frames_and_few_references_each) {
    enum { JOINERS = 10000, KEYS = 400, FRAME = sizeof(VALUE("\"0123456789\"")) - 1 + 2 };
    char key[16];

    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%03u", i * 149 % KEYS);
        (void)keep_price(key, "\"0123456789\"");
    }
    for (unsigned i = 0; i < JOINERS; i++) {
        read_all();
        struct conn *conn = joiner("prices");
        ck_assert_int_eq(conn->state, CONN_LIVE);
        ck_assert_uint_eq(conn->queue.bytes, KEYS * FRAME);
        if (i % 10 == 9) {
            snprintf(key, sizeof key, "k%03u", i * 7 % KEYS);
            (void)keep_price(key, "\"0123456789\"");
        }
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SNAPSHOT_VALUES), (uint64_t)JOINERS * KEYS);
    /* 144 MB wait to be written: 1 % of it is there, and a tenth of the references */
    ck_assert_uint_eq(worker.fanout->queues.bytes, (uint64_t)JOINERS * KEYS * FRAME);
    ck_assert_uint_lt(worker.fanout->arena.bytes, (uint64_t)JOINERS * KEYS * FRAME / 20);
    ck_assert_uint_lt(worker.fanout->queues.nodes.used, JOINERS * 20);
}
END_TEST

START_TEST(frames_of_values_that_keep_changing_hold_a_bounded_memory) {
    char value[600];
    struct conn *conn = NULL;

    memset(value, '1', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (unsigned i = 1; i < 20000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i % 200);
        (void)keep_price(key, value);
        read_all();
        if (conn == NULL) {
            conn = joiner("prices");
            outq_clear(&worker.fanout->queues, &conn->queue);
        } else if (i % 10 == 0) {
            snapshot_send(&worker, conn, SPAN_LITERAL("prices"));
            outq_clear(&worker.fanout->queues, &conn->queue);
        }
    }
    ck_assert_uint_lt(worker.fanout->arena.bytes,
                      2u << 20); /* 200 of 600 bytes, and what may be replaced */
}
END_TEST

START_TEST(who_does_not_read_gets_no_second_one) {
    char value[3000];
    struct conn *conn;

    memset(value, '1', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    (void)keep_price("a", value);
    (void)keep_price("b", value);
    read_all();
    conn = joiner("prices");
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert_uint_gt(conn->queue.bytes, 4096);
    snapshot_send(&worker, conn, SPAN_LITERAL("prices"));
    ck_assert_int_ne(conn->state, CONN_LIVE);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("snapshot");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_joiner_gets_each_key_of_the_room_once_in_the_order_of_keys);
    tcase_add_test(tests, what_this_worker_has_not_read_yet_is_left_for_the_ring);
    tcase_add_test(tests, a_joiner_gets_the_newest_value_below_the_cursor_whatever_the_table_holds);
    tcase_add_test(tests, a_value_that_the_ring_has_lost_is_not_replaced_by_an_older_one);
    tcase_add_test(tests, a_joiner_pays_for_a_bounded_part_of_what_the_worker_is_behind);
    tcase_add_test(tests, a_key_that_moves_to_another_room_leaves_the_old_one);
    tcase_add_test(tests, what_a_killed_ingest_never_published_leaves_the_value_before_it);
    tcase_add_test(tests, joiners_share_one_run_of_frames);
    tcase_add_test(tests, ten_thousand_joiners_cost_one_set_of_frames_and_few_references_each);
    tcase_add_test(tests, frames_of_values_that_keep_changing_hold_a_bounded_memory);
    tcase_add_test(tests, who_does_not_read_gets_no_second_one);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
