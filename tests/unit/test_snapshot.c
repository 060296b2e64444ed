/* What a joiner's queue holds of a room's current values: each key once, in order, below the worker's cursor, shared
 * with all other joiners. The connections have no socket. */
#include "gateway/delivery/snapshot.h"

#include "gateway/connection/conn_table.h"
#include "gateway/connection/ws_pool.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/position.h"
#include "shm/snapshot_put.h"
#include "tests/shm_fixture.h"

#include <check.h>
#include <fcntl.h>

#define HEARD_BYTES (1u << 20)

static struct worker worker;
static struct options options;
static struct snapshot_put put;
static int block_fd;
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
    memset(&worker, 0, sizeof worker);
    options = (struct options){
        .auto_join_rooms = "", .ws_max_queue_bytes = 4096, .ws_ping_interval = 30000};
    worker.options = &options;
    fixture_open(&worker.view.segment, 4u << 20, 1);
    ck_assert_int_eq(worker_block_create(&block_fd), 0);
    ck_assert_int_eq(worker_block_map(block_fd, true, &worker.block), 0);
    worker.stats = &worker.block->stats;
    ck_assert_int_eq(conn_table_new(&worker, &worker.conns), 0);
    ck_assert_int_eq(position_view_new(&worker.view.segment, 1, &worker.position), 0);
    ck_assert_int_eq(fanout_new(&worker, &worker.fanout), 0);
    worker.fanout->backend_calls = &full_sockets;
    ck_assert_int_eq(ws_pool_new(&worker, &worker.ws_pool), 0);
    ck_assert_int_eq(snapshot_put_open(&put, &worker.view.segment), 0);
}

static void tear_down(void) {
    conn_table_free(&worker, worker.conns);
    ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
    snapshot_put_done(&put);
    fanout_free(worker.fanout);
    position_view_free(worker.position);
    ws_pool_free(worker.ws_pool);
    worker_block_unmap(worker.block);
    fixture_close(&worker.view.segment);
    close(block_fd);
}

static struct conn *joiner(const char *room) {
    uint32_t index = slab_take(&worker.conns->slab);
    struct conn *conn = conn_at(&worker, index);
    struct identity identity = {.expires_ms = INT64_MAX / 4, .user_id = "u"};

    conn->self = index;
    conn->fd = open("/dev/null", O_RDWR);
    conn->id = index * 1000u;
    conn_set_state(&worker, conn, CONN_PENDING);
    ck_assert_int_eq(conn_set_identity(&worker, conn, &identity), 0);
    ck_assert_int_eq(conn_join(&worker, conn, span_of(room)), 1);
    snapshot_send(&worker, conn, span_of(room));
    return conn;
}

/* What ingest does: {"v":VALUE} for the rooms, under the key. */
static uint32_t keep(const char *key, const char *value, const char *const *rooms, unsigned count,
                     uint64_t position) {
    static _Alignas(8) char bytes[4096];
    struct record *record = (struct record *)(void *)bytes;
    uint32_t at = (uint32_t)(sizeof *record + count * sizeof(struct record_room));

    memset(bytes, 0, sizeof bytes);
    for (unsigned i = 0; i < count; i++) {
        struct span name;
        unsigned kind = (unsigned)room_name_kind(span_of(rooms[i]), &name);
        record->rooms[i] = (struct record_room){
            .hash = room_name_hash(&worker.view.segment.header->hash_key, name),
            .name_at = at,
            .name_length = (uint16_t)name.length,
            .kind = (uint16_t)kind};
        memcpy(bytes + at, name.data, name.length);
        at += (uint32_t)name.length;
    }
    record->envelope_at = at;
    record->envelope_length =
        (uint32_t)snprintf(bytes + at, sizeof bytes - at, "{\"v\":%s}", value);
    record->length = (at + record->envelope_length + 7) / 8 * 8;
    record->kind = RECORD_EVENT;
    record->room_count = (uint16_t)count;
    return snapshot_put_value(&put, span_of(key), record, position);
}

static uint32_t keep_price(const char *key, const char *value, uint64_t position) {
    static const char *const rooms[] = {"prices"};
    return keep(key, value, rooms, 1, position);
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

    (void)keep("c", "3", both, 1, 100);
    (void)keep("b", "1", both, 2, 200);
    (void)keep("a", "1", both, 1, 300);
    (void)keep("b", "2", both, 2, 400);
    (void)keep("o", "9", own, 1, 500);
    worker.reader.cursor = 600;
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("2") VALUE("3"));
    ck_assert_str_eq(waiting(joiner("prices:1:B")), VALUE("2"));
    ck_assert_str_eq(waiting(joiner("orders:u")), VALUE("9"));
    ck_assert_str_eq(waiting(joiner("portfolio:u")), "");
    ck_assert_str_eq(waiting(joiner("trades")), "");
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SNAPSHOT_VALUES), 5);
}
END_TEST

START_TEST(what_this_worker_has_not_read_yet_is_left_for_the_ring) {
    (void)keep_price("a", "1", 100);
    (void)keep_price("b", "1", 200);
    worker.reader.cursor = 200;
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1"));
    (void)keep_price("a", "2", 300);
    worker.reader.cursor = 300;
    /* a's value before it is still the current one here */
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("1") VALUE("1"));
    worker.reader.cursor = 301;
    ck_assert_str_eq(waiting(joiner("prices")), VALUE("2") VALUE("1"));
}
END_TEST

START_TEST(a_key_that_moves_to_another_room_leaves_the_old_one_and_one_that_is_dropped_both) {
    static const char *const one[] = {"prices:1"}, *const two[] = {"prices:2"};

    (void)keep("k", "1", one, 1, 100);
    worker.reader.cursor = 1000;
    ck_assert_str_eq(waiting(joiner("prices:1")), VALUE("1"));
    (void)keep("k", "2", two, 1, 200);
    ck_assert_str_eq(waiting(joiner("prices:1")), "");
    ck_assert_str_eq(waiting(joiner("prices:2")), VALUE("2"));
    snapshot_put_done(&put);
    store_relaxed(&worker.view.segment.words->published, 200);
    ck_assert_int_eq(snapshot_put_open(&put, &worker.view.segment), 0); /* it was never published */
    ck_assert_str_eq(waiting(joiner("prices:2")), "");
}
END_TEST

START_TEST(joiners_share_one_run_of_frames) {
    char key[16];
    uint64_t bytes;

    options.ws_max_queue_bytes = 100; /* a snapshot may be longer */
    for (unsigned i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "k%03u", i);
        (void)keep_price(key, "\"0123456789\"", 8 * (i + 1));
    }
    worker.reader.cursor = 1 << 20;
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
    uint64_t position = 8;

    for (unsigned i = 0; i < KEYS; i++, position += 8) {
        snprintf(key, sizeof key, "k%03u", i * 149 % KEYS);
        (void)keep_price(key, "\"0123456789\"", position);
    }
    for (unsigned i = 0; i < JOINERS; i++) {
        worker.reader.cursor = position;
        struct conn *conn = joiner("prices");
        ck_assert_int_eq(conn->state, CONN_LIVE);
        ck_assert_uint_eq(conn->queue.bytes, KEYS * FRAME);
        if (i % 10 == 9) {
            snprintf(key, sizeof key, "k%03u", i * 7 % KEYS);
            (void)keep_price(key, "\"0123456789\"", position);
            position += 8;
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
        (void)keep_price(key, value, 8ull * i);
        worker.reader.cursor = 8ull * i + 1;
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
    (void)keep_price("a", value, 100);
    (void)keep_price("b", value, 200);
    worker.reader.cursor = 1000;
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
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_joiner_gets_each_key_of_the_room_once_in_the_order_of_keys);
    tcase_add_test(tests, what_this_worker_has_not_read_yet_is_left_for_the_ring);
    tcase_add_test(
        tests, a_key_that_moves_to_another_room_leaves_the_old_one_and_one_that_is_dropped_both);
    tcase_add_test(tests, joiners_share_one_run_of_frames);
    tcase_add_test(tests, ten_thousand_joiners_cost_one_set_of_frames_and_few_references_each);
    tcase_add_test(tests, frames_of_values_that_keep_changing_hold_a_bounded_memory);
    tcase_add_test(tests, who_does_not_read_gets_no_second_one);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
