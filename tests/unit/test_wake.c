/* Who is woken and who is not, one step at a time; that no wake-up is lost between processes is shown by
 * tests/torture/torture_wake.c. */
#include "shm/wake.h"
#include "tests/unit/unit.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WORKERS 3

static struct worker_block *blocks[WORKERS];
static int bells[WORKERS];
static struct wake_set set;
static shm_u64 published;

static const uint64_t hash_a = 0x1230000000000000ull, hash_b = 0x4560000000000000ull;

static void setup(void) {
    for (int i = 0; i < WORKERS; i++) {
        blocks[i] = aligned_alloc(CACHE_LINE, sizeof(struct worker_block));
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], 0, sizeof(struct worker_block));
        bells[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        ck_assert_int_ge(bells[i], 0);
    }
    wake_set_clear(&set);
    store_relaxed(&published, 800);
}

static void teardown(void) {
    for (int i = 0; i < WORKERS; i++) {
        free(blocks[i]);
        if (bells[i] >= 0)
            close(bells[i]);
    }
}

static void listens(int worker, uint64_t hash) {
    unsigned bucket = worker_interest_bucket(hash);
    store_relaxed(&blocks[worker]->interest[bucket / 64], 1ull << bucket % 64);
}

static void sleeps(int worker) {
    ck_assert(wake_prepare_sleep(blocks[worker], &published, 800));
}

static bool rung(int worker) {
    struct pollfd fd = {.fd = bells[worker], .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static unsigned wake(void) {
    return wake_sleepers(&set, blocks, bells, WORKERS);
}

START_TEST(a_sleeper_with_a_listener_is_woken) {
    listens(1, hash_a);
    sleeps(1);
    wake_set_add(&set, hash_a);
    ck_assert_uint_eq(wake(), 1);
    ck_assert(rung(1));
    ck_assert(!rung(0) && !rung(2));
    ck_assert_uint_eq(load_relaxed(&blocks[1]->sleeping), 0);
}
END_TEST

START_TEST(a_sleeper_without_a_listener_sleeps_on) {
    listens(1, hash_b);
    sleeps(1);
    wake_set_add(&set, hash_a);
    ck_assert_uint_eq(wake(), 0);
    ck_assert(!rung(1));
    ck_assert_uint_eq(load_relaxed(&blocks[1]->sleeping), 1);
}
END_TEST

START_TEST(who_is_awake_costs_no_system_call) {
    listens(0, hash_a);
    wake_set_add(&set, hash_a);
    ck_assert_uint_eq(wake(), 0);
    ck_assert(!rung(0));
}
END_TEST

START_TEST(one_sleep_gets_one_bell_however_many_batches_come) {
    listens(0, hash_a);
    sleeps(0);
    wake_set_add(&set, hash_a);
    ck_assert_uint_eq(wake(), 1);
    ck_assert_uint_eq(wake(), 0);
    uint64_t count = 0;
    ck_assert_int_eq(read(bells[0], &count, sizeof(count)), sizeof(count));
    ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(a_control_record_wakes_every_sleeper) {
    sleeps(0);
    sleeps(2);
    set.everyone = true;
    ck_assert_uint_eq(wake(), 2);
    ck_assert(rung(0) && !rung(1) && rung(2));
}
END_TEST

START_TEST(a_batch_without_rooms_wakes_nobody) {
    memset((void *)blocks[0]->interest, 0xff, sizeof(blocks[0]->interest));
    sleeps(0);
    ck_assert_uint_eq(wake(), 0);
    ck_assert_uint_eq(load_relaxed(&blocks[0]->sleeping), 1);
}
END_TEST

START_TEST(a_slot_without_a_block_or_a_bell_is_passed_over) {
    for (int i = 0; i < WORKERS; i++)
        sleeps(i);
    struct worker_block *absent = blocks[0];
    blocks[0] = NULL;
    close(bells[1]);
    bells[1] = -1;
    set.everyone = true;
    ck_assert_uint_eq(wake(), 1);
    ck_assert(rung(2));
    ck_assert_uint_eq(load_relaxed(&blocks[1]->sleeping), 1);
    blocks[0] = absent;
}
END_TEST

START_TEST(nobody_goes_to_sleep_over_unread_records) {
    ck_assert(!wake_prepare_sleep(blocks[0], &published, 640));
    ck_assert_uint_eq(load_relaxed(&blocks[0]->sleeping), 0);
    ck_assert(wake_prepare_sleep(blocks[0], &published, 800));
    ck_assert_uint_eq(load_relaxed(&blocks[0]->sleeping), 1);
    wake_awake(blocks[0]);
    ck_assert_uint_eq(load_relaxed(&blocks[0]->sleeping), 0);
}
END_TEST

START_TEST(draining_empties_the_bell_and_does_not_block_on_an_empty_one) {
    sleeps(0);
    set.everyone = true;
    ck_assert_uint_eq(wake(), 1);
    wake_drain(bells[0]);
    ck_assert(!rung(0));
    wake_drain(bells[0]);
}
END_TEST

START_TEST(a_full_bell_is_rung_already) {
    const uint64_t full = UINT64_MAX - 1;
    ck_assert_int_eq(write(bells[0], &full, sizeof(full)), sizeof(full));
    sleeps(0);
    set.everyone = true;
    ck_assert_uint_eq(wake(), 1);
    ck_assert(rung(0));
    wake_drain(bells[0]);
    ck_assert(!rung(0));
}
END_TEST

START_TEST(every_bucket_is_reached_and_only_that_one) {
    for (unsigned bucket = 0; bucket < WORKER_INTEREST_BITS; bucket++) {
        uint64_t hash = (uint64_t)bucket << 52 | 0xfffffffffffffull;
        ck_assert_uint_eq(worker_interest_bucket(hash), bucket);
        wake_set_clear(&set);
        wake_set_add(&set, hash);
        ck_assert(set.any);
        for (unsigned i = 0; i < ARRAY_LENGTH(set.buckets); i++)
            ck_assert_uint_eq(set.buckets[i], i == bucket / 64 ? 1ull << bucket % 64 : 0);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("wake");
    TCase *tests = tcase_create("sleepers");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_sleeper_with_a_listener_is_woken);
    tcase_add_test(tests, a_sleeper_without_a_listener_sleeps_on);
    tcase_add_test(tests, who_is_awake_costs_no_system_call);
    tcase_add_test(tests, one_sleep_gets_one_bell_however_many_batches_come);
    tcase_add_test(tests, a_control_record_wakes_every_sleeper);
    tcase_add_test(tests, a_batch_without_rooms_wakes_nobody);
    tcase_add_test(tests, a_slot_without_a_block_or_a_bell_is_passed_over);
    tcase_add_test(tests, nobody_goes_to_sleep_over_unread_records);
    tcase_add_test(tests, draining_empties_the_bell_and_does_not_block_on_an_empty_one);
    tcase_add_test(tests, a_full_bell_is_rung_already);
    tcase_add_test(tests, every_bucket_is_reached_and_only_that_one);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
