#include "ingest/event_publish.h"

#include "tests/shm_fixture.h"
#include "tests/unit/route_fixture.h"
#include "tests/unit/unit.h"

#include <sys/eventfd.h>

static struct segment segment;
static struct ring_append writer;
static struct ring_read reader;
static struct event_publish publish;
static struct worker_block *worker;
static int worker_fd, bell;

static void setup(void) {
    fixture_open_routes();
    fixture_open(&segment, 1u << 20, 1);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
    ck_assert_int_eq(worker_block_create(&worker_fd), 0);
    ck_assert_int_eq(worker_block_map(worker_fd, true, &worker), 0);
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event_publish_init(&publish, &writer, &worker, &bell, 1);
}

static void teardown(void) {
    ring_read_done(&reader);
    ring_append_done(&writer);
    worker_block_unmap(worker);
    close(worker_fd);
    close(bell);
    fixture_close(&segment);
    fixture_close_routes();
}

static enum event_fault add(const char *topic, const char *value, int64_t offset) {
    struct event_source source = {
        .label = SPAN_LITERAL("t:0"), .offset = offset, .kafka_time_ms = 1700};

    return event_publish_add(&publish, fixture_route(topic), &source, span_of(value));
}

static uint64_t stat(enum stat_id id) {
    return stats_get(publish.stats, id);
}

static const struct record *next(void) {
    const struct record *record = NULL;
    uint64_t skipped;

    return ring_read_next(&reader, &record, &skipped) == RING_OK ? record : NULL;
}

static bool rings(void) {
    uint64_t count;

    return read(bell, &count, sizeof(count)) == sizeof(count);
}

START_TEST(the_last_value_of_a_key_is_in_the_table_before_it_is_published) {
    struct snapshot_put snapshots;
    struct snapshot_value value;
    static _Alignas(8) char buffer[1 << 16];
    const struct record *record;
    uint32_t slot;

    ck_assert_int_eq(snapshot_put_open(&snapshots, &segment), 0);
    publish.snapshots = &snapshots;
    ck_assert_int_eq(add("price.updates", "{\"token\":\"ETH\",\"chainId\":1,\"price\":1}", 1),
                     EVENT_OK);
    ck_assert_int_eq(add("price.updates", "{\"token\":\"ETH\",\"chainId\":1,\"price\":2}", 2),
                     EVENT_OK);
    ck_assert_int_eq(add("price.updates", "{\"token\":\"ETH\",\"price\":2}", 3),
                     EVENT_OK); /* no chain */
    ck_assert_int_eq(add("order.updates", "{\"orderId\":\"9\",\"userId\":\"u\"}", 4), EVENT_OK);
    event_publish_flush(&publish);
    record = next();
    ck_assert_uint_eq(record->flags, RECORD_FLAG_CONFLATED);
    slot = record->snapshot_slot;
    ck_assert_uint_ne(slot, 0);
    ck_assert_int_eq(snapshot_table_read(&segment, slot - 1, reader.cursor, buffer, &value),
                     SNAPSHOT_LATER);
    record = next();
    ck_assert_uint_eq(record->snapshot_slot, slot);
    ck_assert_int_eq(snapshot_table_read(&segment, slot - 1, reader.cursor, buffer, &value),
                     SNAPSHOT_OK);
    ck_assert(span_equal(record_envelope(value.record), record_envelope(record)));
    ck_assert(span_is((struct span){value.key, value.key_length}, "1:ETH"));
    for (unsigned i = 0; i < 2; i++) {
        record = next();
        ck_assert_uint_eq(record->flags, 0);
        ck_assert_uint_eq(record->snapshot_slot, 0);
    }
    snapshot_put_done(&snapshots);
}
END_TEST

START_TEST(history_is_kept_in_the_ring_and_wakes_nobody) {
    struct event_source source = {
        .label = SPAN_LITERAL("t:0"), .offset = 4, .kafka_time_ms = 1700, .history = true};
    const struct record *record;

    store_release(&worker->sleeping, 1);
    ck_assert_int_eq(
        event_publish_add(&publish, fixture_route("price.updates"), &source,
                          SPAN_LITERAL("{\"token\":\"ETH\",\"price\":1,\"chainId\":1}")),
        EVENT_OK);
    event_publish_flush(&publish);
    ck_assert(!rings());
    record = next();
    ck_assert_ptr_nonnull(record);
    ck_assert_int_eq(record->kind, RECORD_HISTORY);
    ck_assert_uint_eq(stat(STAT_HISTORY_RECORDS), 1);
}
END_TEST

START_TEST(an_event_becomes_a_record_that_is_visible_only_after_the_flush) {
    const struct record *record;

    ck_assert_int_eq(add("order.updates", "{\"orderId\":\"9\",\"userId\":\"u\"}", 5), EVENT_OK);
    ck_assert_ptr_null(next());
    event_publish_flush(&publish);
    record = next();
    ck_assert_ptr_nonnull(record);
    ck_assert_int_eq(record->kind, RECORD_EVENT);
    ck_assert_int_eq(record->offset, 5);
    ck_assert_int_eq(record->kafka_time_ms, 1700);
    ck_assert_uint_eq(record->room_count, 2);
    ck_assert_int_eq(record->rooms[0].kind, ROOM_ORDERS);
    ck_assert(span_is(record_room_key(record, 0), "u"));
    ck_assert(span_is(record_room_key(record, 1), "order:9"));
    ck_assert_uint_eq(record->rooms[1].hash,
                      room_name_hash(&segment.header->hash_key, SPAN_LITERAL("order:9")));
    ck_assert(span_is(record_envelope(record),
                      "{\"id\":\"t:0:5\",\"type\":\"order_update\",\"timestamp\":1700,"
                      "\"data\":{\"orderId\":\"9\",\"userId\":\"u\"}}"));
    ck_assert_uint_eq(load_relaxed(&segment.positions->partitions[0].next), 6);
    ck_assert_uint_eq(stat(STAT_RING_RECORDS), 1);
    ck_assert_uint_eq(stat(STAT_RING_PUBLISHES), 1);
    ck_assert_uint_eq(stat(STAT_RING_BYTES), load_relaxed(&segment.words->published));
}
END_TEST

START_TEST(a_bad_value_leaves_nothing_but_a_counter) {
    ck_assert_int_eq(add("order.updates", "{\"orderId\":\"9\"}", 5), EVENT_FIELD);
    event_publish_flush(&publish);
    ck_assert_ptr_null(next());
    ck_assert_uint_eq(stat(STAT_EVENTS_REJECTED), 1);
    ck_assert_uint_eq(stat(STAT_RING_PUBLISHES), 0);
    ck_assert_uint_eq(load_relaxed(&segment.positions->partitions[0].next), 0);
}
END_TEST

START_TEST(what_is_longer_than_a_record_may_be_is_refused_and_what_just_fits_is_not) {
    size_t limit = ring_append_limit(&writer), most = 0;
    char *value = malloc(limit + 64);
    const struct record *record;

    ck_assert_ptr_nonnull(value);
    for (size_t length = limit - 256; length < limit + 32; length++) {
        memset(value, ' ', length);
        memcpy(value, "{\"tradeId\":1", 12);
        value[length - 1] = '}';
        value[length] = '\0';
        enum event_fault fault = add("trade.updates", value, (int64_t)length);
        ck_assert(fault == EVENT_OK || fault == EVENT_SIZE);
        ck_assert_msg(fault == EVENT_SIZE || most == 0 || most + 1 == length, "no way back");
        if (fault == EVENT_OK) {
            most = length;
            event_publish_flush(&publish);
            record = next();
            ck_assert_ptr_nonnull(record);
            ck_assert_uint_le(record->length, limit);
        }
    }
    ck_assert_uint_gt(most, limit - 256);
    ck_assert_uint_lt(most, limit);
    ck_assert_uint_gt(stat(STAT_EVENTS_REJECTED), 0);
    free(value);
}
END_TEST

START_TEST(invalid_rooms_are_counted_and_the_others_reached) {
    ck_assert_int_eq(add("order.updates", "{\"orderId\":\"9\",\"userId\":\"a b\"}", 5), EVENT_OK);
    ck_assert_uint_eq(stat(STAT_ROOMS_INVALID), 1);
    ck_assert_int_eq(add("portfolio.updates", "{\"userId\":\"a b\"}", 6), EVENT_NO_ROOM);
    ck_assert_uint_eq(stat(STAT_ROOMS_INVALID), 2);
}
END_TEST

START_TEST(only_a_sleeper_who_listens_is_woken_once_a_batch) {
    unsigned bucket =
        worker_interest_bucket(room_name_hash(&segment.header->hash_key, SPAN_LITERAL("trades")));

    ck_assert(wake_prepare_sleep(worker, &segment.words->published, 0));
    ck_assert_int_eq(add("trade.updates", "{\"tradeId\":1}", 0), EVENT_OK);
    event_publish_flush(&publish);
    ck_assert(!rings());
    store_relaxed(&worker->interest[bucket / 64], 1ull << (bucket % 64));
    ck_assert_int_eq(add("trade.updates", "{\"tradeId\":1}", 1), EVENT_OK);
    ck_assert_int_eq(add("trade.updates", "{\"tradeId\":1}", 2), EVENT_OK);
    event_publish_flush(&publish);
    ck_assert(rings());
    ck_assert_uint_eq(stat(STAT_WAKES), 1);
    store_release(&worker->sleeping, 1);
    event_publish_flush(&publish);
    ck_assert(!rings());
}
END_TEST

START_TEST(a_control_message_wakes_everyone_and_has_no_rooms) {
    const struct record *record;

    ck_assert(wake_prepare_sleep(worker, &segment.words->published, 0));
    ck_assert_int_eq(add("gateway.control", "{\"type\":\"revoke\",\"data\":{}}", 0), EVENT_OK);
    event_publish_flush(&publish);
    ck_assert(rings());
    record = next();
    ck_assert_int_eq(record->kind, RECORD_CONTROL);
    ck_assert_uint_eq(record->room_count, 0);
}
END_TEST

START_TEST(a_batch_larger_than_a_quarter_of_the_ring_is_counted_whole) {
    static char value[60000];

    memset(value, ' ', sizeof(value) - 1);
    memcpy(value, "{\"tradeId\":1", 12);
    value[sizeof(value) - 2] = '}';
    for (int64_t i = 0; i < 8; i++) {
        ck_assert_int_eq(add("trade.updates", value, i), EVENT_OK);
    }
    event_publish_flush(&publish);
    ck_assert_uint_eq(stat(STAT_RING_BYTES), load_relaxed(&segment.words->published));
    for (int64_t i = 0; i < 8; i++) {
        const struct record *record = next();
        ck_assert_ptr_nonnull(record);
        ck_assert_int_eq(record->offset, i);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("event_publish");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_event_becomes_a_record_that_is_visible_only_after_the_flush);
    tcase_add_test(tests, the_last_value_of_a_key_is_in_the_table_before_it_is_published);
    tcase_add_test(tests, history_is_kept_in_the_ring_and_wakes_nobody);
    tcase_add_test(tests, a_bad_value_leaves_nothing_but_a_counter);
    tcase_add_test(tests, what_is_longer_than_a_record_may_be_is_refused_and_what_just_fits_is_not);
    tcase_add_test(tests, invalid_rooms_are_counted_and_the_others_reached);
    tcase_add_test(tests, only_a_sleeper_who_listens_is_woken_once_a_batch);
    tcase_add_test(tests, a_control_message_wakes_everyone_and_has_no_rooms);
    tcase_add_test(tests, a_batch_larger_than_a_quarter_of_the_ring_is_counted_whole);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
