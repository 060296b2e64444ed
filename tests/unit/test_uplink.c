/* The uplink's queue from both sides, at its edges: full, wrapped, killed on either side, written by an enemy. */
#include "shm/uplink_put.h"
#include "shm/uplink_take.h"
#include "tests/unit/unit.h"

#include <unistd.h>

static struct uplink_block *block;
static struct uplink_put put;
static struct uplink_take take;
static char bytes[UPLINK_MAX_BYTES];

static unsigned visits;
static uint64_t visited[UPLINK_ENTRIES];
static struct uplink_answer last;

static void setup(void) {
    int fd;

    ck_assert_int_eq(uplink_create(&fd), 0);
    ck_assert_int_eq(uplink_map(fd, &block), 0);
    close(fd);
    uplink_put_init(&put, block, 1000);
    uplink_take_init(&take, block);
    visits = 0;
}

static void teardown(void) {
    uplink_unmap(block);
}

static int add(size_t length) {
    static const struct uplink_once once = {{1, 2, 3}};
    uint64_t number;
    struct uplink_item item = {.key = SPAN_LITERAL("chat:1"),
                               .value = {bytes, length},
                               .sender = 7,
                               .expiry_ms = 8,
                               .flags = UPLINK_EPHEMERAL | UPLINK_AT_ONCE,
                               .once = &once};

    return uplink_put_add(&put, &item, &number);
}

static unsigned take_one(struct uplink_taken *out) {
    ck_assert_int_eq(uplink_take_peek(&take, out), UPLINK_ENTRY);
    uplink_take_next(&take);
    return out->place;
}

static void answer(unsigned place, int64_t offset) {
    uplink_take_answer(&take, place, &(struct uplink_answer){.partition = 3, .offset = offset});
}

static void visit(void *context, uint64_t number, const struct uplink_answer *found) {
    (void)context;
    visited[visits++] = number;
    last = *found;
}

static void answers(void) {
    visits = 0;
    uplink_put_answers(&put, visit, NULL);
}

START_TEST(what_is_handed_in_is_taken_in_order_with_all_that_goes_along) {
    struct uplink_taken out;

    memcpy(bytes, "first", 5);
    ck_assert_int_eq(add(5), 0);
    memcpy(bytes, "other", 5);
    ck_assert_int_eq(add(5), 0);
    take_one(&out);
    ck_assert(span_is(out.key, "chat:1") && span_is(out.value, "first"));
    ck_assert(out.sender == 7 && out.expiry_ms == 8 && out.ephemeral && out.once.bytes[2] == 3);
    ck_assert(out.at_once && !out.again);
    take_one(&out);
    ck_assert(span_is(out.value, "other"));
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_NOTHING);
}
END_TEST

START_TEST(answers_in_any_order_reach_each_its_own_once) {
    struct uplink_taken out;
    unsigned places[3];

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(add(10), 0);
        places[i] = take_one(&out);
    }
    answer(places[2], 52);
    ck_assert(uplink_put_answered(&put));
    answers();
    ck_assert(visits == 1 && visited[0] == 2 && last.partition == 3 && last.offset == 52);
    ck_assert_uint_eq(put.head, 0);
    ck_assert(!uplink_put_answered(&put));
    answer(places[0], 50);
    answer(places[1], 51);
    answers();
    ck_assert(visits == 2 && visited[0] == 0 && visited[1] == 1);
    ck_assert_uint_eq(put.head, 3);
}
END_TEST

START_TEST(a_full_queue_says_so_and_has_space_once_the_first_is_answered) {
    struct uplink_taken out;
    unsigned first;

    for (unsigned i = 0; i < UPLINK_ENTRIES; i++) {
        ck_assert_int_eq(add(1), 0);
    }
    ck_assert_int_eq(add(1), -EAGAIN);
    first = take_one(&out);
    answer(take_one(&out), 1);
    answers();
    ck_assert_int_eq(add(1), -EAGAIN);
    answer(first, 0);
    answers();
    ck_assert_int_eq(add(1), 0);
    ck_assert_int_eq(add(1), 0);
    ck_assert_int_eq(add(1), -EAGAIN);
}
END_TEST

START_TEST(bytes_run_out_before_entries_and_an_entry_lies_in_one_piece) {
    struct uplink_taken out;
    const size_t length = UPLINK_MAX_BYTES - 6;

    ck_assert_int_eq(add(UPLINK_MAX_BYTES - 5), -EMSGSIZE);
    ck_assert_int_eq(add(0), -EINVAL);
    for (unsigned round = 0; round < 20; round++) {
        ck_assert_int_eq(add(100 + round), 0);
        while (add(length) == 0) {
        }
        for (uint64_t n = put.head, end = put.tail; n < end; n++) {
            take_one(&out);
            ck_assert(out.value.data + out.value.length <= block->data + UPLINK_DATA_BYTES);
            answer(out.place, 1);
        }
        answers();
        ck_assert_uint_eq(put.data_head, put.data_tail);
    }
}
END_TEST

/* Found by torture_uplink.c: the successor took the distance for nonsense and left out what lay there, for ever. */
START_TEST(a_successor_of_ingest_follows_a_worker_who_goes_on_over_what_was_answered) {
    struct uplink_taken out;
    struct uplink_take successor;

    for (unsigned i = 0; i < UPLINK_ENTRIES; i++) {
        ck_assert_int_eq(add(1), 0);
        answer(take_one(&out), i);
    }
    uplink_take_init(&successor, block);
    answers();
    for (unsigned i = 0; i < UPLINK_ENTRIES; i++) {
        bytes[0] = (char)(i % 128);
        ck_assert_int_eq(add(1), 0);
    }
    for (unsigned i = 0; i < UPLINK_ENTRIES; i++) {
        ck_assert_int_eq(uplink_take_peek(&successor, &out), UPLINK_ENTRY);
        ck_assert_int_eq(out.value.data[0], (char)(i % 128));
        uplink_take_next(&successor);
    }
    ck_assert_int_eq(uplink_take_peek(&successor, &out), UPLINK_NOTHING);
}
END_TEST

START_TEST(a_successor_of_ingest_takes_again_what_has_no_answer) {
    struct uplink_taken out;

    for (unsigned i = 0; i < 3; i++) {
        bytes[0] = (char)('a' + i);
        ck_assert_int_eq(add(1), 0);
    }
    take_one(&out);
    answer(take_one(&out), 1);
    uplink_take_init(&take, block);
    take_one(&out);
    ck_assert(span_is(out.value, "a") && out.again);
    take_one(&out);
    ck_assert(span_is(out.value, "c") && out.again);
    ck_assert_int_eq(add(1), 0);
    take_one(&out);
    ck_assert(!out.again);
}
END_TEST

/* Killed between the answer and the word that says there is one. */
START_TEST(an_answer_that_a_killed_ingest_did_not_tell_is_told_by_its_successor) {
    struct uplink_taken out;

    answers(); /* none: this ingest has begun */
    ck_assert_int_eq(add(1), 0);
    answer(take_one(&out), 77);
    store_relaxed(&block->answers, load_relaxed(&block->answers) - 1);
    ck_assert(!uplink_put_answered(&put));
    uplink_take_init(&take, block);
    ck_assert(uplink_put_answered(&put));
    answers();
    ck_assert(visits == 1 && last.offset == 77);
}
END_TEST

START_TEST(a_successor_of_a_worker_hears_nothing_of_its_predecessor) {
    struct uplink_taken out;
    unsigned places[2];

    ck_assert_int_eq(add(5), 0);
    places[0] = take_one(&out);
    ck_assert_int_eq(add(5), 0);
    uplink_put_init(&put, block, 900000);
    ck_assert_int_eq(add(5), 0);
    places[1] = take_one(&out);
    answer(places[0], 1);
    answer(places[1], 2);
    answer(take_one(&out), 77);
    answers();
    ck_assert(visits == 1 && last.offset == 77);
    ck_assert(put.head == put.tail && put.data_head == put.data_tail);
}
END_TEST

START_TEST(an_answer_without_its_entry_s_id_is_none) {
    struct uplink_taken out;
    unsigned place;

    ck_assert_int_eq(add(5), 0);
    place = take_one(&out);
    store_relaxed(&block->entries[place].answered, 999);
    store_relaxed(&block->answers, 1);
    answers();
    ck_assert_uint_eq(visits, 0);
    uplink_take_answer(&take, place, &(struct uplink_answer){.partition = -1, .offset = 5});
    answers();
    ck_assert(visits == 1 && last.error == -EPROTO);
    uplink_take_answer(&take, place, &(struct uplink_answer){.error = -EIO});
    answers();
    ck_assert_uint_eq(visits, 0);
}
END_TEST

/* Every length and position that an enemy could write, one at a time. */
START_TEST(what_no_worker_writes_is_refused_and_never_followed) {
    struct uplink_taken out;
    struct uplink_entry *entry = &block->entries[_i];

    for (int i = 0; i <= _i; i++) {
        ck_assert_int_eq(add(5), 0);
        if (i < _i) {
            take_one(&out);
        }
    }
    switch (_i) {
    case 0:
        entry->key_length = 0;
        break;
    case 1:
        entry->key_length = UPLINK_KEY_MAX_BYTES + 1;
        break;
    case 2:
        entry->value_length = 0;
        break;
    case 3:
        entry->value_length = UINT32_MAX;
        break;
    case 4:
        entry->at = UPLINK_DATA_BYTES - 3;
        break;
    case 5:
        entry->at = UINT64_MAX;
        break;
    case 6:
        entry->target = UPLINK_TARGET_COUNT;
        break;
    case 7:
        entry->flags = UPLINK_FLAGS + 1;
        break;
    case 8:
        entry->expiry_ms = -1;
        break;
    case 9:
        entry->id = 0;
        break;
    default:
        ck_abort();
    }
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_BAD);
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_NOTHING);
    ck_assert_int_eq(add(5), 0);
    take_one(&out);
}
END_TEST

START_TEST(a_tail_that_jumps_is_refused_and_places_under_way_are_not_taken_twice) {
    struct uplink_taken out;

    store_relaxed(&block->tail, UPLINK_ENTRIES + 1);
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_BAD);
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_NOTHING);
    uplink_take_init(&take, block);
    store_relaxed(&block->tail, 0);
    uplink_take_init(&take, block);
    ck_assert_int_eq(add(5), 0);
    take_one(&out);
    store_relaxed(&block->tail,
                  UPLINK_ENTRIES + 1); /* round to the place that waits for its answer */
    take.taken = UPLINK_ENTRIES;
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_NOTHING);
}
END_TEST

/* Found by fuzz_uplink_take.c: from one word to the other and back, without an end. */
START_TEST(words_that_contradict_each_other_are_refused_once) {
    struct uplink_taken out;

    store_relaxed(&block->tail, UINT64_MAX - 255);
    store_relaxed(&block->head_at, 0);
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_BAD);
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_NOTHING);
    store_relaxed(&block->head_at, UINT64_MAX - 250);
    ck_assert_int_eq(uplink_take_peek(&take, &out), UPLINK_NOTHING);
    ck_assert(uplink_take_sleep(&take, false));
}
END_TEST

START_TEST(who_sleeps_is_woken_once) {
    struct uplink_taken out;

    ck_assert(uplink_take_sleep(&take, false));
    ck_assert_int_eq(add(1), 0);
    ck_assert(uplink_put_must_wake(&put));
    ck_assert(!uplink_put_must_wake(&put));
    ck_assert(!uplink_take_sleep(&take, false));
    ck_assert(uplink_take_sleep(&take, true));
    take_one(&out);
    ck_assert(uplink_take_sleep(&take, false));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("uplink");
    TCase *tests = tcase_create("uplink");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_handed_in_is_taken_in_order_with_all_that_goes_along);
    tcase_add_test(tests, answers_in_any_order_reach_each_its_own_once);
    tcase_add_test(tests, a_full_queue_says_so_and_has_space_once_the_first_is_answered);
    tcase_add_test(tests, bytes_run_out_before_entries_and_an_entry_lies_in_one_piece);
    tcase_add_test(tests, a_successor_of_ingest_takes_again_what_has_no_answer);
    tcase_add_test(tests,
                   a_successor_of_ingest_follows_a_worker_who_goes_on_over_what_was_answered);
    tcase_add_test(tests, an_answer_that_a_killed_ingest_did_not_tell_is_told_by_its_successor);
    tcase_add_test(tests, a_successor_of_a_worker_hears_nothing_of_its_predecessor);
    tcase_add_test(tests, an_answer_without_its_entry_s_id_is_none);
    tcase_add_loop_test(tests, what_no_worker_writes_is_refused_and_never_followed, 0, 10);
    tcase_add_test(tests, a_tail_that_jumps_is_refused_and_places_under_way_are_not_taken_twice);
    tcase_add_test(tests, words_that_contradict_each_other_are_refused_once);
    tcase_add_test(tests, who_sleeps_is_woken_once);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
