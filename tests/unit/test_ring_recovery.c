/* What a killed producer leaves, and what damage looks like: every state is made by hand, as a kill between
 * two stores would leave it. */
#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

#include <signal.h>

#define CAPACITY 4096u

static struct segment segment;
static struct ring_append writer;
static struct ring_words *words;

static void start(void) {
    fixture_open(&segment, CAPACITY, 3);
    words = segment.words;
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
}

static void stop(void) {
    ring_append_done(&writer);
    fixture_close(&segment);
}

static void successor(void) {
    ring_append_done(&writer);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
}

static uint64_t next_of(unsigned partition) {
    return load_relaxed(&segment.positions->partitions[partition].next);
}

static void set_next(unsigned partition, uint64_t next) {
    store_relaxed(&segment.positions->partitions[partition].next, next);
}

static void append_kind(enum record_kind kind, uint32_t partition, int64_t offset) {
    fixture_fill(ring_append_reserve(&writer, 160), kind, partition, offset);
    ring_append_commit(&writer);
}

START_TEST(a_successor_continues_at_published_with_the_next_sequence) {
    start();
    fixture_append(&writer, 160, 0, 0);
    ring_append_publish(&writer);
    fixture_append(&writer, 160, 0, 1); /* committed only: gone */
    successor();
    ck_assert_uint_eq(writer.head, 160);
    ck_assert_uint_eq(writer.sequence, 1);
    ck_assert_uint_eq(next_of(0), 1);
    stop();
}
END_TEST

START_TEST(intent_never_goes_back_over_a_restart) {
    start();
    ck_assert_ptr_nonnull(ring_append_reserve(&writer, 512));
    successor();
    ck_assert_uint_eq(load_relaxed(&words->intent), 512);
    fixture_append(&writer, 160, 0, 0);
    ck_assert_uint_eq(load_relaxed(&words->intent), 512);
    ring_append_publish(&writer);
    ck_assert_uint_eq(load_relaxed(&words->published), 160);
    fixture_append(&writer, 400, 0, 1);
    ck_assert_uint_eq(load_relaxed(&words->intent), 560);
    stop();
}
END_TEST

START_TEST(what_a_dead_producer_may_have_half_written_counts_as_overwritten) {
    start();
    struct ring_read reader;
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
    for (int i = 0; i < 8; i++) {
        fixture_append(&writer, 512, 0, i);
        ring_append_publish(&writer);
    }
    ck_assert_ptr_nonnull(ring_append_reserve(&writer, 512));
    successor();
    const struct record *record;
    uint64_t skipped;
    ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_LAPPED);
    ck_assert_uint_eq(skipped, 8);
    ring_read_done(&reader);
    stop();
}
END_TEST

START_TEST(killed_between_published_and_indexed_next_is_redone) {
    start();
    for (int i = 0; i < 3; i++)
        fixture_append(&writer, 160, (uint32_t)i, 100 + i);
    ring_append_publish(&writer);
    for (uint64_t done = 0; done <= 3; done++) { /* killed after the next of that many was stored */
        for (unsigned i = 0; i < 3; i++)
            set_next(i, i < done ? 101 + i : 5);
        store_relaxed(&words->indexed, 0);
        successor();
        for (unsigned i = 0; i < 3; i++)
            ck_assert_uint_eq(next_of(i), 101 + i);
        ck_assert_uint_eq(load_relaxed(&words->indexed), 480);
    }
    stop();
}
END_TEST

START_TEST(redoing_twice_or_from_the_middle_ends_the_same) {
    start();
    for (int i = 0; i < 6; i++)
        fixture_append(&writer, 160, 0, 10 + i);
    ring_append_publish(&writer);
    for (uint64_t from = 0; from <= 6; from++) {
        store_relaxed(&words->indexed, from * 160);
        successor();
        ck_assert_uint_eq(next_of(0), 16);
    }
    stop();
}
END_TEST

START_TEST(offsets_that_went_back_stay_back_after_a_redo) {
    start();
    fixture_append(&writer, 160, 0, 10);
    fixture_append(&writer, 160, 0, 11);
    ring_append_publish(&writer);
    set_next(0, 0); /* the topic was made anew */
    fixture_append(&writer, 160, 0, 0);
    fixture_append(&writer, 160, 0, 1);
    ring_append_publish(&writer);
    ck_assert_uint_eq(next_of(0), 2);
    store_relaxed(&words->indexed, 320);
    set_next(0, 0);
    successor();
    ck_assert_uint_eq(next_of(0), 2);
    stop();
}
END_TEST

START_TEST(a_pad_in_what_is_redone_is_passed) {
    start();
    ring_append_done(&writer);
    fixture_preset(&segment, CAPACITY - 168, 9);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    fixture_append(&writer, 160, 0, 1);
    fixture_append(&writer, 160, 0, 2);
    ring_append_publish(&writer);
    store_relaxed(&words->indexed, CAPACITY - 168);
    set_next(0, 0);
    successor();
    ck_assert_uint_eq(next_of(0), 3);
    ck_assert_uint_eq(writer.sequence, 11);
    stop();
}
END_TEST

START_TEST(history_moves_next_as_events_do_and_records_of_no_partition_move_nothing) {
    start();
    set_next(0, 7);
    append_kind(RECORD_HISTORY, 0, 7);
    append_kind(RECORD_EVENT, RECORD_NO_PARTITION, 9);
    ring_append_publish(&writer);
    ck_assert_uint_eq(next_of(0), 8);
    store_relaxed(&words->indexed, 0);
    set_next(0, 7);
    successor();
    ck_assert_uint_eq(next_of(0), 8);
    append_kind(RECORD_CONTROL, 0, 60);
    ring_append_publish(&writer);
    ck_assert_uint_eq(next_of(0), 61);
    stop();
}
END_TEST

START_TEST(killed_between_a_head_and_published_the_old_head_counts) {
    start();
    for (int i = 0; i < 5; i++) {
        fixture_append(&writer, 160, 0, i);
        fixture_append(&writer, 160, 0, i);
        ring_append_publish(&writer);
        unsigned other =
            load_relaxed(&words->heads[0].position) == load_relaxed(&words->published) ? 1 : 0;
        store_relaxed(&words->heads[other].position, writer.head + 320);
        if (i % 2) /* with and without the second store */
            store_relaxed(&words->heads[other].sequence, writer.sequence + 2);
        uint64_t position, sequence;
        ck_assert_int_eq(ring_read_head(&segment, &position, &sequence), 0);
        ck_assert_uint_eq(position, (uint64_t)(i + 1) * 320);
        ck_assert_uint_eq(sequence, (uint64_t)(i + 1) * 2);
        successor();
        ck_assert_uint_eq(writer.sequence, (uint64_t)(i + 1) * 2);
    }
    stop();
}
END_TEST

START_TEST(a_ring_without_a_head_for_published_is_damaged) {
    start();
    fixture_append(&writer, 160, 0, 0);
    ring_append_publish(&writer);
    store_relaxed(&words->heads[0].position, 8);
    store_relaxed(&words->heads[1].position, 16);
    uint64_t position = 3, sequence = 4;
    ck_assert_int_eq(ring_read_head(&segment, &position, &sequence), -EBADMSG);
    ck_assert_uint_eq(position, 3);
    ck_assert_uint_eq(sequence, 4);
    struct ring_append other;
    struct ring_read reader;
    ck_assert_int_eq(ring_append_open(&other, &segment), -EBADMSG);
    ck_assert_int_eq(ring_read_init(&reader, &segment), -EBADMSG);
    stop();
}
END_TEST

struct words_case {
    uint64_t indexed, published, intent;
    bool sane;
};
static const struct words_case words_cases[] = {
    {4096, 4096, 4096, true},      {4096, 4096, 5120, true},  {4096, 4096, 5128, false},
    {4104, 4096, 4104, false},     {4096, 4096, 4088, false}, {4096, 5128, 5128, false},
    {4092, 4096, 4096, false},     {4096, 4096, 4100, false}, {4096, 4100, 4104, false},
    {0, UINT64_MAX - 7, 0, false}, {0, 4096, 4096, false},    {UINT64_MAX, 8, 8, false},
};

START_TEST(words_that_contradict_each_other_are_refused) {
    const struct words_case *c = &words_cases[_i];
    start();
    fixture_preset(&segment, c->published, 9);
    store_relaxed(&words->indexed, c->indexed);
    store_relaxed(&words->intent, c->intent);
    struct ring_append other;
    int result = ring_append_open(&other, &segment);
    ck_assert_int_eq(result, c->sane ? 0 : -EBADMSG);
    if (result == 0)
        ring_append_done(&other);
    stop();
}
END_TEST

/* One field of the second of three records, made wrong. */
struct damage {
    size_t at;
    unsigned size;
    uint64_t value;
    bool reader_sees, successor_sees;
};
static const struct damage damages[] = {
    {0, 4, 0, true, true},
    {0, 4, 4, true, true},
    {0, 4, 80, true, true},
    {0, 4, 161, true, true},
    {0, 4, 520, true, true},
    {0, 4, 328, true, true}, /* beyond published */
    {0, 4, UINT32_MAX, true, true},
    {0, 4, 0xfffffff8u, true, true},
    {4, 2, RECORD_PAD, true, true}, /* not up to the ring's end */
    {4, 2, 0, true, true},
    {4, 2, 5, true, true},
    {8, 8, 3, true, false},  /* the sequence: a successor goes by the head's */
    {24, 4, 3, false, true}, /* a partition that is none: positions are the producer's */
    {28, 2, RECORD_MAX_ROOMS + 1, true, true},
    {72, 4, 161, true, true},
    {76, 4, UINT32_MAX, true, true},
    {104, 4, UINT32_MAX, true, true}, /* a room name's place */
};

START_TEST(a_damaged_record_is_refused_by_readers_and_successors) {
    const struct damage *damage = &damages[_i];
    start();
    struct ring_read reader;
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
    for (int i = 0; i < 3; i++)
        fixture_append(&writer, 160, 0, i);
    ring_append_publish(&writer);
    memcpy(segment.ring + 160 + damage->at, &damage->value, damage->size);

    const struct record *record = NULL;
    uint64_t skipped = 99;
    ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_OK);
    int result = ring_read_next(&reader, &record, &skipped);
    ck_assert_int_eq(result, damage->reader_sees ? -EBADMSG : RING_OK);
    ck_assert_uint_eq(skipped, 99);
    if (damage->reader_sees) { /* it stands at the head and goes on from there */
        ck_assert_uint_eq(reader.cursor, 480);
        ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_EMPTY);
        fixture_append(&writer, 160, 0, 3);
        ring_append_publish(&writer);
        ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), RING_OK);
        ck_assert_uint_eq(record->sequence, 4);
    }
    store_relaxed(&words->indexed, 0);
    struct ring_append other;
    result = ring_append_open(&other, &segment);
    ck_assert_int_eq(result, damage->successor_sees ? -EBADMSG : 0);
    if (result == 0)
        ring_append_done(&other);
    ring_read_done(&reader);
    stop();
}
END_TEST

START_TEST(a_published_that_goes_back_is_damage_not_a_lap) {
    start();
    for (int i = 0; i < 3; i++)
        fixture_append(&writer, 160, 0, i);
    ring_append_publish(&writer);
    struct ring_read reader;
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
    fixture_preset(&segment, 160, 1);
    const struct record *record;
    uint64_t skipped = 99;
    ck_assert_int_eq(ring_read_next(&reader, &record, &skipped), -EBADMSG);
    ck_assert_uint_eq(skipped, 99);
    ring_read_done(&reader);
    stop();
}
END_TEST

/* Random words and ring bytes, half of them plausible: nothing is read outside, nothing runs for ever, and
 * what is handed out is a valid record. Run under the address sanitizer too. */
START_TEST(a_reader_survives_arbitrary_memory) {
    start();
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        uint64_t at = fixture_random(&random) % 65536 * (fixture_random(&random) % 8 ? 8 : 1);
        struct ring_read reader;
        fixture_preset(&segment, at, fixture_random(&random) % 100);
        if (ring_read_init(&reader, &segment) < 0)
            continue;
        for (size_t i = 0; i < CAPACITY / 8; i++) {
            uint64_t word = fixture_random(&random);
            word = word % 4 ? (word >> 32 & 0x1f8) | (word >> 20 & 7) << 32 : word;
            memcpy(segment.ring + i * 8, &word, 8);
        }
        fixture_preset(&segment, at + fixture_random(&random) % 8192,
                       fixture_random(&random) % 100);
        for (int i = 0; i < 8; i++) {
            const struct record *record = NULL;
            uint64_t skipped;
            int result = ring_read_next(&reader, &record, &skipped);
            if (result == RING_OK)
                ck_assert(record_valid(record, reader.buffer_size));
        }
        ring_read_done(&reader);
    }
    stop();
}
END_TEST

START_TEST(committing_a_record_that_readers_would_refuse_aborts) {
    start();
    struct record *record = ring_append_reserve(&writer, 160);
    fixture_fill(record, RECORD_EVENT, _i ? 3 : 0, 0);
    if (!_i)
        record->envelope_length = UINT32_MAX;
    ring_append_commit(&writer);
    stop();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ring_recovery");
    TCase *tests = tcase_create("kills and damage");
    tcase_add_test(tests, a_successor_continues_at_published_with_the_next_sequence);
    tcase_add_test(tests, intent_never_goes_back_over_a_restart);
    tcase_add_test(tests, what_a_dead_producer_may_have_half_written_counts_as_overwritten);
    tcase_add_test(tests, killed_between_published_and_indexed_next_is_redone);
    tcase_add_test(tests, redoing_twice_or_from_the_middle_ends_the_same);
    tcase_add_test(tests, offsets_that_went_back_stay_back_after_a_redo);
    tcase_add_test(tests, a_pad_in_what_is_redone_is_passed);
    tcase_add_test(tests, history_moves_next_as_events_do_and_records_of_no_partition_move_nothing);
    tcase_add_test(tests, killed_between_a_head_and_published_the_old_head_counts);
    tcase_add_test(tests, a_ring_without_a_head_for_published_is_damaged);
    tcase_add_loop_test(tests, words_that_contradict_each_other_are_refused, 0,
                        (int)ARRAY_LENGTH(words_cases));
    tcase_add_loop_test(tests, a_damaged_record_is_refused_by_readers_and_successors, 0,
                        (int)ARRAY_LENGTH(damages));
    tcase_add_test(tests, a_published_that_goes_back_is_damage_not_a_lap);
    tcase_add_test(tests, a_reader_survives_arbitrary_memory);
    tcase_add_loop_test_raise_signal(tests, committing_a_record_that_readers_would_refuse_aborts,
                                     SIGABRT, 0, 2);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
