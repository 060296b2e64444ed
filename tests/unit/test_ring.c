/* The ring in one process: what goes in comes out, and every edge of wrap, lap and limit. */
#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

#define CAPACITY 4096u
#define LIMIT    (CAPACITY / 8)
#define HALFWAY  (1ull << 63)

static struct segment segment;
static struct ring_append writer;
static struct ring_read reader;

static void start_at(uint64_t position, uint64_t sequence) {
    fixture_open(&segment, CAPACITY, 2);
    fixture_preset(&segment, position, sequence);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
}

static void start(void) {
    start_at(0, 0);
}

static void stop(void) {
    ring_read_done(&reader);
    ring_append_done(&writer);
    fixture_close(&segment);
}

static void append_one(size_t length) {
    fixture_append(&writer, length, 0, 7);
    ck_assert_uint_gt(ring_append_publish(&writer), 0);
}

static const struct record *expect_record(uint64_t sequence) {
    const struct record *record = NULL;
    uint64_t skipped = 99;
    ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_OK);
    ck_assert_uint_eq(skipped, 99);
    ck_assert_uint_eq(record->sequence, sequence);
    ck_assert(fixture_intact(record));
    return record;
}

static void expect_empty(void) {
    const struct record *record = NULL;
    uint64_t skipped = 99;
    ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_EMPTY);
    ck_assert_ptr_null(record);
    ck_assert_uint_eq(skipped, 99);
}

static void expect_lapped(uint64_t count) {
    const struct record *record = NULL;
    uint64_t skipped = 99;
    ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_LAPPED);
    ck_assert_ptr_null(record);
    ck_assert_uint_eq(skipped, count);
}

START_TEST(a_record_comes_out_as_it_went_in) {
    start();
    struct record *put = ring_append_reserve(&writer, 200);
    fixture_fill(put, RECORD_EVENT, 1, 42);
    put->former = 77;
    put->checksum = fixture_checksum(put);
    ring_append_commit(&writer);
    ck_assert_uint_eq(ring_append_publish(&writer), 200);

    const struct record *got = expect_record(1);
    ck_assert_uint_eq(got->length, 200);
    ck_assert_uint_eq(got->partition, 1);
    ck_assert_int_eq(got->offset, 42);
    ck_assert_uint_eq(got->former, 77);
    ck_assert(span_is(record_room_key(got, 0), "trades"));
    ck_assert_uint_eq(record_envelope(got).length, 200 - FIXTURE_LEAST);
    expect_empty();
    stop();
}
END_TEST

START_TEST(nothing_is_visible_before_publish_and_all_of_it_after) {
    start();
    for (int i = 0; i < 3; i++)
        fixture_append(&writer, 160, 0, i);
    expect_empty();
    ck_assert_uint_eq(ring_read_lag(&reader), 0);
    ck_assert_uint_eq(ring_append_publish(&writer), 480);
    ck_assert_uint_eq(ring_read_lag(&reader), 480);
    for (uint64_t i = 1; i <= 3; i++)
        expect_record(i);
    expect_empty();
    ck_assert_uint_eq(ring_read_lag(&reader), 0);
    stop();
}
END_TEST

START_TEST(publishing_nothing_does_nothing) {
    start();
    ck_assert_uint_eq(ring_append_publish(&writer), 0);
    ck_assert_ptr_nonnull(ring_append_reserve(&writer, 200)); /* reserved is not committed */
    ck_assert_uint_eq(ring_append_publish(&writer), 0);
    expect_empty();
    stop();
}
END_TEST

START_TEST(a_reservation_that_is_not_committed_is_dropped_by_the_next) {
    start();
    ck_assert_ptr_nonnull(ring_append_reserve(&writer, 300));
    append_one(160);
    ck_assert_uint_eq(expect_record(1)->length, 160);
    expect_empty();
    stop();
}
END_TEST

START_TEST(a_length_is_rounded_up_and_its_tail_is_zero) {
    start();
    memset(segment.ring, 0xee, CAPACITY);
    struct record *put = ring_append_reserve(&writer, FIXTURE_LEAST + 3);
    size_t whole = put->length;
    fixture_fill(put, RECORD_EVENT, 0, 0);
    put =
        ring_append_reserve(&writer, FIXTURE_LEAST + 3); /* the same place, filled with bytes now */
    memset((char *)put + FIXTURE_LEAST, 0, 3);
    put->envelope_length = 3;
    put->checksum = fixture_checksum(put);
    ring_append_commit(&writer);
    ring_append_publish(&writer);

    const struct record *got = expect_record(1);
    ck_assert_uint_eq(whole, FIXTURE_LEAST + 8);
    ck_assert_uint_eq(got->length, FIXTURE_LEAST + 8);
    ck_assert_mem_eq((const char *)got + FIXTURE_LEAST, "\0\0\0\0\0\0\0\0", 8);
    stop();
}
END_TEST

START_TEST(a_record_of_exactly_the_limit_passes_and_one_byte_more_does_not) {
    start();
    ck_assert_uint_eq(ring_append_limit(&writer), LIMIT);
    ck_assert_ptr_null(ring_append_reserve(&writer, LIMIT + 1));
    ck_assert_ptr_null(ring_append_reserve(&writer, SIZE_MAX));
    ck_assert_ptr_null(ring_append_reserve(&writer, sizeof(struct record) - 1));
    ck_assert_ptr_null(ring_append_reserve(&writer, 0));
    ck_assert_uint_eq(load_relaxed(&segment.words->intent), 0);
    append_one(LIMIT);
    ck_assert_uint_eq(expect_record(1)->length, LIMIT);
    stop();
}
END_TEST

/* The limit's record at every distance from the end, so every length of pad from 8 to the limit - 8. */
START_TEST(a_record_that_does_not_fit_before_the_end_is_preceded_by_a_pad) {
    uint64_t left = (uint64_t)_i * 8;
    start_at(CAPACITY - left, 1000);
    append_one(LIMIT);
    ck_assert_uint_eq(writer.head, left == LIMIT ? CAPACITY : CAPACITY + LIMIT);
    ck_assert_uint_eq(expect_record(1001)->length, LIMIT);
    ck_assert_uint_eq(reader.cursor, writer.head);
    expect_empty();
    stop();
}
END_TEST

START_TEST(a_pad_of_8_bytes_has_only_its_length_and_kind) {
    start_at(CAPACITY - 8, 5);
    memset(segment.ring, 0xee, CAPACITY);
    append_one(160);
    const struct record *pad = (const void *)(segment.ring + CAPACITY - 8);
    ck_assert_uint_eq(pad->length, 8);
    ck_assert_uint_eq(pad->kind, RECORD_PAD);
    expect_record(6);
    stop();
}
END_TEST

START_TEST(a_record_that_fills_the_ring_exactly_to_its_end_needs_no_pad) {
    start_at(CAPACITY - 160, 5);
    ck_assert_ptr_nonnull(ring_append_reserve(&writer, 160));
    ck_assert_uint_eq(load_relaxed(&segment.words->intent), CAPACITY);
    append_one(160);
    ck_assert_uint_eq(writer.head, CAPACITY);
    expect_record(6);
    append_one(160);
    ck_assert_uint_eq(expect_record(7)->length, 160);
    ck_assert_uint_eq(reader.cursor, CAPACITY + 160);
    stop();
}
END_TEST

START_TEST(a_record_is_read_until_the_producer_announces_its_first_byte) {
    start();
    append_one(160);
    for (unsigned i = 0; i < CAPACITY / 512 - 1; i++)
        append_one(512);
    struct ring_read late = reader;
    ck_assert_ptr_nonnull(ring_append_reserve(&writer, CAPACITY - writer.head)); /* up to its end */
    ck_assert_uint_eq(load_relaxed(&segment.words->intent), CAPACITY);
    late.buffer = malloc(CAPACITY);
    late.buffer_size = CAPACITY;
    const struct record *record;
    uint64_t skipped;
    ck_assert_int_eq(ring_read_next(&late, &record, &skipped), RING_OK);
    ck_assert_uint_eq(record->sequence, 1);
    ring_read_done(&late);

    fixture_append(&writer, CAPACITY - writer.head, 0, 0);
    ck_assert_ptr_nonnull(
        ring_append_reserve(&writer, 136)); /* announced, not written, not published */
    expect_lapped(8);
    expect_empty();
    stop();
}
END_TEST

START_TEST(eight_announced_bytes_of_a_record_are_enough_to_lose_it) {
    start();
    append_one(160);
    store_relaxed(&segment.words->intent, CAPACITY + 8);
    expect_lapped(1);
    stop();
}
END_TEST

START_TEST(a_reader_that_is_lapped_skips_exactly_the_lost_records) {
    start_at(HALFWAY - 1600, 1u << 20);
    for (unsigned i = 0; i < 5; i++)
        append_one(160);
    for (uint64_t i = 1; i <= 2; i++)
        expect_record((1u << 20) + i);
    for (unsigned i = 0; i < 100; i++)
        append_one(FIXTURE_LEAST + 8 * (i % 17));
    expect_lapped(103);
    expect_empty();
    append_one(160);
    expect_record((1u << 20) + 106);
    stop();
}
END_TEST

START_TEST(committed_records_do_not_count_as_skipped_before_they_are_published) {
    start();
    for (unsigned i = 0; i < 40; i++)
        append_one(160);
    fixture_append(&writer, 160, 0, 0);
    fixture_append(&writer, 160, 0, 0);
    expect_lapped(40);
    expect_empty();
    ring_append_publish(&writer);
    expect_record(41);
    expect_record(42);
    stop();
}
END_TEST

START_TEST(a_batch_is_published_before_it_passes_a_quarter_of_the_ring) {
    start();
    for (unsigned i = 0; i < 8; i++) {
        fixture_append(&writer, LIMIT, 0, i);
        uint64_t published = load_relaxed(&segment.words->published);
        ck_assert_uint_le(load_relaxed(&segment.words->intent) - published, CAPACITY / 4);
    }
    ck_assert_uint_eq(load_relaxed(&segment.words->published), 6 * LIMIT);
    ck_assert_uint_eq(load_relaxed(&segment.positions->partitions[0].next), 6);
    stop();
}
END_TEST

START_TEST(a_new_reader_starts_at_the_head) {
    start();
    append_one(160);
    append_one(160);
    struct ring_read late;
    ck_assert_int_eq(ring_read_init(&late, &segment), 0);
    ck_assert_uint_eq(late.cursor, 320);
    ck_assert_uint_eq(late.sequence, 2);
    ck_assert_uint_eq(ring_read_lag(&late), 0);
    ring_read_done(&late);
    stop();
}
END_TEST

START_TEST(a_reader_grows_its_buffer_to_the_longest_record) {
    fixture_open(&segment, 1u << 20, 1);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
    append_one(160);
    append_one(1u << 17);
    append_one(4096);
    expect_record(1);
    ck_assert_uint_eq(expect_record(2)->length, 1u << 17);
    expect_record(3);
    ck_assert_uint_ge(reader.buffer_size, 1u << 17);
    ck_assert_uint_le(reader.buffer_size, 1u << 17);
    stop();
}
END_TEST

/* Random lengths, batches and reading pauses, from presets at and around every wrap: whatever happens,
 * records read and records skipped add up to records published, and what is read is intact. */
START_TEST(read_and_skipped_add_up_to_published) {
    static const uint64_t starts[] = {0,           CAPACITY - 8, 10 * CAPACITY - 136,
                                      HALFWAY - 8, HALFWAY,      UINT64_MAX - 7 - (1ull << 30)};
    uint64_t random = (uint64_t)_i + 1, sequence = (uint64_t)_i << 40;
    start_at(starts[_i], sequence);
    uint64_t put = 0, got = 0, lost = 0;
    for (unsigned round = 0; round < 20000; round++) {
        for (uint64_t n = fixture_random(&random) % 5; n > 0; n--, put++)
            fixture_append(&writer,
                           FIXTURE_LEAST + fixture_random(&random) % (LIMIT - FIXTURE_LEAST), 0,
                           (int64_t)put);
        ring_append_publish(&writer);
        for (uint64_t n = fixture_random(&random) % 6; n > 0; n--) {
            const struct record *record;
            uint64_t skipped;
            int result = ring_read_next(&reader, &record, &skipped);
            ck_assert_int_ge(result, 0);
            if (result == RING_LAPPED)
                lost += skipped;
            if (result == RING_OK) {
                got++;
                ck_assert(fixture_intact(record));
                ck_assert_uint_eq(record->sequence, sequence + got + lost);
                ck_assert_int_eq(record->offset, (int64_t)(got + lost - 1));
            }
        }
    }
    const struct record *record;
    uint64_t skipped;
    int result;
    while ((result = ring_read_next(&reader, &record, &skipped)) != RING_EMPTY) {
        ck_assert_int_ge(result, 0);
        if (result == RING_LAPPED)
            lost += skipped;
        else
            got++;
    }
    ck_assert_uint_eq(got + lost, put);
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_gt(got, 0);
    stop();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ring");
    TCase *plain = tcase_create("edges");
    tcase_add_test(plain, a_record_comes_out_as_it_went_in);
    tcase_add_test(plain, nothing_is_visible_before_publish_and_all_of_it_after);
    tcase_add_test(plain, publishing_nothing_does_nothing);
    tcase_add_test(plain, a_reservation_that_is_not_committed_is_dropped_by_the_next);
    tcase_add_test(plain, a_length_is_rounded_up_and_its_tail_is_zero);
    tcase_add_test(plain, a_record_of_exactly_the_limit_passes_and_one_byte_more_does_not);
    tcase_add_loop_test(plain, a_record_that_does_not_fit_before_the_end_is_preceded_by_a_pad, 1,
                        LIMIT / 8 + 1);
    tcase_add_test(plain, a_pad_of_8_bytes_has_only_its_length_and_kind);
    tcase_add_test(plain, a_record_that_fills_the_ring_exactly_to_its_end_needs_no_pad);
    tcase_add_test(plain, a_record_is_read_until_the_producer_announces_its_first_byte);
    tcase_add_test(plain, eight_announced_bytes_of_a_record_are_enough_to_lose_it);
    tcase_add_test(plain, a_reader_that_is_lapped_skips_exactly_the_lost_records);
    tcase_add_test(plain, committed_records_do_not_count_as_skipped_before_they_are_published);
    tcase_add_test(plain, a_batch_is_published_before_it_passes_a_quarter_of_the_ring);
    tcase_add_test(plain, a_new_reader_starts_at_the_head);
    tcase_add_test(plain, a_reader_grows_its_buffer_to_the_longest_record);
    tcase_add_loop_test(plain, read_and_skipped_add_up_to_published, 0, 6);
    suite_add_tcase(suite, plain);
    tcase_set_timeout(plain, 60);
    return unit_run(suite);
}
