/* The shared counters behind the limits: buckets that refill evenly, counts over several workers, entries that are
 * taken over, and processes that are killed while they count. */
#include "shm/limit_table.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 4u
#define NOW     1000000000000ull
#define SECOND  1000000000ull

static struct limit_table table;
static int fd = -1;

static void set_up(void) {
    ck_assert_int_eq(limit_table_create(1, WORKERS, &fd), 0);
    ck_assert_int_eq(limit_table_map(fd, &table), 0);
}

static void tear_down(void) {
    limit_table_unmap(&table);
    close(fd);
}

static bool enter(uint32_t worker, uint64_t key, uint64_t most, uint32_t *index) {
    return limit_table_enter(&table, worker, key, most, NOW, index);
}

START_TEST(a_bucket_gives_its_burst_at_once_and_then_one_each_interval) {
    const struct limit_rate rate = {.burst = 120, .interval_ns = SECOND / 2};
    uint32_t index = limit_table_find(&table, 7, NOW);

    for (int i = 0; i < 120; i++) {
        ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW), 0);
    }
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW), SECOND / 2);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW + SECOND / 2 - 1), 1);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW + SECOND / 2), 0);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW + SECOND / 2), SECOND / 2);
    /* a minute later it is full, however long it has been asked in vain */
    for (int i = 0; i < 120; i++) {
        ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW + 61 * SECOND), 0);
    }
    ck_assert_uint_gt(limit_table_take(&table, index, &rate, 1, NOW + 61 * SECOND), 0);
}
END_TEST

START_TEST(buckets_of_two_keys_and_the_hosts_own_are_apart) {
    const struct limit_rate one = {.burst = 1, .interval_ns = SECOND};
    uint32_t a = limit_table_find(&table, 7, NOW);

    ck_assert_uint_eq(limit_table_take(&table, a, &one, 1, NOW), 0);
    uint32_t b = limit_table_find(&table, 8, NOW);
    ck_assert_uint_ne(a, b);
    ck_assert_uint_eq(limit_table_take(&table, b, &one, 1, NOW), 0);
    ck_assert_uint_gt(limit_table_take(&table, a, &one, 1, NOW), 0);
    ck_assert_uint_eq(limit_table_take_host(&table, &one, NOW), 0);
    ck_assert_uint_eq(limit_table_take_host(&table, &one, NOW), SECOND);
    ck_assert_uint_eq(limit_table_take_host(&table, &one, NOW + SECOND), 0);
}
END_TEST

START_TEST(as_many_as_allowed_get_in_on_all_workers_together) {
    uint32_t index[6];

    for (uint32_t i = 0; i < 5; i++) {
        ck_assert(enter(i % WORKERS, 42, 5, &index[i]));
        ck_assert_uint_ne(index[i], 0);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        ck_assert(!enter(worker, 42, 5, &index[5]));
    }
    ck_assert_uint_eq(limit_table_count(&table, index[0]), 5);
    limit_table_leave(&table, 3, index[3]);
    ck_assert(enter(0, 42, 5, &index[3]));
    ck_assert(!enter(1, 42, 5, &index[5]));
    ck_assert(enter(1, 42, 6, &index[5])); /* a limit may be raised */
}
END_TEST

START_TEST(none_at_all_may_be_allowed_and_a_key_of_zero_is_one_like_any_other) {
    uint32_t index = 99;

    ck_assert(!enter(0, 0, 0, &index));
    ck_assert_uint_eq(index, 99);
    ck_assert(enter(0, 0, 1, &index));
    ck_assert(!enter(1, 0, 1, &index));
    ck_assert_uint_ne(index, 0);
}
END_TEST

START_TEST(what_a_dead_worker_held_is_given_back_and_nothing_else) {
    uint32_t index;

    for (int i = 0; i < 3; i++) {
        ck_assert(enter(1, 42, 10, &index));
        ck_assert(enter(2, 42, 10, &index));
        ck_assert(enter(1, 43 + (uint64_t)i, 10, &index));
    }
    ck_assert(enter(2, 42, 10, &index));
    limit_table_clear_worker(&table, 1);
    ck_assert_uint_eq(limit_table_count(&table, index), 4);
    for (uint32_t i = 1; i < table.slots; i++) {
        ck_assert_uint_eq(limit_table_count(&table, i), i == index ? 4 : 0);
    }
    ck_assert(enter(1, 42, 5, &index));
    ck_assert_uint_eq(limit_table_count(&table, index), 5);
}
END_TEST

/* Keys that share a set: the set is chosen by the key's upper half. */
static uint64_t mate(uint64_t set, uint64_t number) {
    return set << 32 | number;
}

START_TEST(an_idle_entry_goes_to_the_next_newcomer_a_busy_one_stays) {
    const struct limit_rate slow = {.burst = 10, .interval_ns = SECOND};
    uint32_t held, drained, found;

    ck_assert(enter(0, mate(5, 1), 9, &held));
    drained = limit_table_find(&table, mate(5, 2), NOW);
    ck_assert_uint_eq(limit_table_take(&table, drained, &slow, 1, NOW), 0);
    for (uint64_t i = 3; i < 1000; i++) {
        found = limit_table_find(&table, mate(5, i), NOW);
        ck_assert_uint_ne(found, 0);
        ck_assert_uint_ne(found, held);
        ck_assert_uint_ne(found, drained);
    }
    ck_assert_uint_eq(limit_table_find(&table, mate(5, 1), NOW), held);
    ck_assert_uint_eq(limit_table_find(&table, mate(5, 2), NOW), drained);
    limit_table_leave(&table, 0, held);
    for (uint64_t i = 1000; i < 1016; i++) {
        ck_assert(limit_table_enter(&table, 0, mate(5, i), 9, NOW + SECOND, &found));
        ck_assert_uint_ne(found, 0);
    }
}
END_TEST

START_TEST(what_is_owed_is_told_once_and_never_more_than_the_bucket_lacks) {
    const struct limit_rate rate = {.burst = 10, .interval_ns = SECOND};
    uint64_t key = mate(5, 1);
    uint32_t index = limit_table_find(&table, key, NOW);

    ck_assert_uint_eq(limit_table_key(&table, index), key);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 4, NOW), 0);
    limit_table_owe(&table, index, 4 * SECOND);
    ck_assert_uint_eq(limit_table_take_owed(&table, index, key, NOW), 4 * SECOND);
    ck_assert_uint_eq(limit_table_take_owed(&table, index, key, NOW), 0);
    limit_table_owe(&table, index, 4 * SECOND);
    ck_assert_uint_eq(limit_table_take_owed(&table, index, key + 1, NOW), 0);
    ck_assert_uint_eq(limit_table_take_owed(&table, index, key, NOW + 3 * SECOND), SECOND);
    limit_table_owe(&table, index, 4 * SECOND);
    ck_assert_uint_eq(limit_table_take_owed(&table, index, key, NOW + 9 * SECOND), 0);
}
END_TEST

START_TEST(what_other_hosts_say_replaces_the_bucket_but_for_what_was_taken_since) {
    const struct limit_rate rate = {.burst = 10, .interval_ns = SECOND};
    uint64_t key = mate(5, 1);
    uint32_t index = limit_table_find(&table, key, NOW);

    limit_table_settle(&table, index, key, 10 * SECOND, NOW); /* the others have used it up */
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW), SECOND);
    limit_table_settle(&table, index, key, 30 * SECOND, NOW); /* and more than that */
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW), 21 * SECOND);
    limit_table_settle(&table, index, key + 1, 0, NOW); /* about somebody who has gone */
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW), 21 * SECOND);
    limit_table_owe(&table, index, 3 * SECOND);
    limit_table_settle(&table, index, key, 0, NOW); /* the key was deleted */
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 8, NOW), SECOND);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 7, NOW), 0);
}
END_TEST

START_TEST(more_than_a_bucket_takes_a_whole_one) {
    const struct limit_rate rate = {.burst = 10, .interval_ns = SECOND};
    uint32_t index = limit_table_find(&table, mate(5, 1), NOW);

    ck_assert_uint_eq(limit_table_take(&table, index, &rate, UINT64_MAX, NOW), 0);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 11, NOW + SECOND), 9 * SECOND);
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW + SECOND), 0);
}
END_TEST

START_TEST(a_set_full_of_busy_ones_refuses_nobody) {
    const struct limit_rate one = {.burst = 1, .interval_ns = SECOND};
    uint32_t index;

    for (uint64_t i = 1; i <= LIMIT_TABLE_WAYS; i++) {
        ck_assert(enter(0, mate(9, i), 1, &index));
        ck_assert_uint_ne(index, 0);
    }
    ck_assert(enter(0, mate(9, 100), 1, &index));
    ck_assert_uint_eq(index, 0);
    ck_assert(enter(0, mate(9, 100), 1, &index));
    ck_assert_uint_eq(limit_table_take(&table, 0, &one, 1, NOW), 0);
    ck_assert_uint_eq(limit_table_take(&table, 0, &one, 1, NOW), 0);
    limit_table_leave(&table, 0, 0); /* counts nothing */
    ck_assert(!enter(0, mate(9, 1), 1, &index));
    /* the set that has the slot which is never given out holds one less */
    for (uint64_t i = 1; i < LIMIT_TABLE_WAYS; i++) {
        ck_assert(enter(0, mate(0, i), 1, &index));
        ck_assert_uint_ne(index, 0);
    }
    ck_assert(enter(0, mate(0, 100), 1, &index));
    ck_assert_uint_eq(index, 0);
}
END_TEST

/* Two thirds of what the table is made for: many sets of the first levels are full. */
START_TEST(keys_go_to_further_levels_as_sets_fill_and_are_found_there) {
    enum { KEYS = 20000 };
    static uint32_t indices[KEYS];
    struct limit_table large;
    int large_fd;
    ck_assert_int_eq(limit_table_create(30000, 1, &large_fd), 0);
    ck_assert_int_eq(limit_table_map(large_fd, &large), 0);
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t key = (i + 1) * 0x9e3779b97f4a7c15ull;
        ck_assert(limit_table_enter(&large, 0, key, 1, NOW, &indices[i]));
        ck_assert_uint_ne(indices[i], 0);
        if (i == 500) { /* few keys, few pages */
            ck_assert_uint_eq(load_relaxed(&large.header->levels), 0);
        }
    }
    ck_assert_uint_gt(load_relaxed(&large.header->levels), 1);
    ck_assert_uint_lt(load_relaxed(&large.header->levels), 5);
    /* those of the first level go: the others are found all the same, and nobody gets a second entry */
    for (uint64_t i = 0; i < KEYS; i++) {
        if (indices[i] < 4096) {
            limit_table_leave(&large, 0, indices[i]);
        }
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        if (indices[i] >= 4096) {
            uint64_t key = (i + 1) * 0x9e3779b97f4a7c15ull;
            ck_assert_uint_eq(limit_table_find(&large, key, NOW), indices[i]);
            ck_assert_uint_eq(limit_table_look(&large, key), indices[i]);
        }
    }
    limit_table_unmap(&large);
    close(large_fd);
}
END_TEST

START_TEST(a_region_that_is_not_a_table_is_refused) {
    struct limit_table other;
    int pipe_ends[2];

    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_lt(limit_table_map(pipe_ends[0], &other), 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    table.header->slots = 12345;
    ck_assert_int_eq(limit_table_map(fd, &other), -EPROTO);
    table.header->slots = table.slots;
    table.header->workers = 65;
    ck_assert_int_eq(limit_table_map(fd, &other), -EPROTO);
    table.header->workers = WORKERS + 1;
    ck_assert_int_eq(limit_table_map(fd, &other), -EPROTO);
    table.header->workers = WORKERS;
    table.header->version++;
    ck_assert_int_eq(limit_table_map(fd, &other), -EPROTO);
}
END_TEST

START_TEST(a_table_grows_with_its_clients_within_bounds) {
    static const struct {
        uint64_t keys, slots;
    } rows[] = {{1, 4096}, {2048, 4096}, {2049, 8192}, {1000000, 1 << 21}, {UINT64_MAX, 1 << 21}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct limit_table other;
        int other_fd;
        ck_assert_int_eq(limit_table_create(rows[i].keys, 64, &other_fd), 0);
        ck_assert_int_eq(limit_table_map(other_fd, &other), 0);
        ck_assert_uint_eq(other.slots, rows[i].slots);
        limit_table_unmap(&other);
        close(other_fd);
    }
}
END_TEST

/* --- several processes --- */

#define KEYS 24u
#define MOST 3u

/* Comes and goes for ever, at random; keeps what it knows to hold in `held`. */
static void churn(uint32_t worker) {
    uint32_t index[KEYS * MOST];
    unsigned count = 0;

    srandom(worker);
    for (;;) {
        if (count < ARRAY_LENGTH(index) && random() % 2 == 0) {
            if (enter(worker, mate((uint64_t)random() % 2 + 3, (uint64_t)random() % KEYS / 2 + 1),
                      MOST, &index[count])) {
                count++;
            }
        } else if (count > 0) {
            limit_table_leave(&table, worker, index[--count]);
        }
    }
}

START_TEST(never_too_many_are_in_and_a_kill_at_any_moment_leaves_nothing_behind) {
    pid_t children[WORKERS];

    for (uint32_t i = 0; i < WORKERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            churn(i);
        }
    }
    for (int round = 0; round < 60; round++) {
        uint32_t victim = (uint32_t)round % WORKERS;
        usleep(2000);
        ck_assert_int_eq(kill(children[victim], SIGKILL), 0);
        ck_assert_int_eq(waitpid(children[victim], NULL, 0), children[victim]);
        limit_table_clear_worker(&table, victim);
        children[victim] = fork();
        if (children[victim] == 0) {
            churn(victim);
        }
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        kill(children[i], SIGSTOP);
    }
    for (uint32_t i = 1; i < table.slots; i++) {
        /* who is just looking whether there is room counts for that moment */
        ck_assert_uint_le(limit_table_count(&table, i), MOST + WORKERS);
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        kill(children[i], SIGKILL);
        ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
        limit_table_clear_worker(&table, i);
    }
    for (uint32_t i = 1; i < table.slots; i++) {
        ck_assert_uint_eq(limit_table_count(&table, i), 0);
    }
}
END_TEST

START_TEST(tokens_taken_by_several_processes_add_up_exactly) {
    const struct limit_rate rate = {.burst = 50000, .interval_ns = SECOND};
    uint32_t index = limit_table_find(&table, 77, NOW);
    pid_t children[WORKERS];
    int results[2];
    unsigned total = 0;

    ck_assert_int_eq(pipe(results), 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            unsigned taken = 0;
            for (int j = 0; j < 20000; j++) {
                taken += limit_table_take(&table, index, &rate, 1, NOW) == 0;
            }
            _exit(write(results[1], &taken, sizeof(taken)) == (ssize_t)sizeof(taken) ? 0 : 1);
        }
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        unsigned taken;
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(read(results[0], &taken, sizeof(taken)), (ssize_t)sizeof(taken));
        total += taken;
    }
    ck_assert_uint_eq(total, 50000);
    close(results[0]);
    close(results[1]);
}
END_TEST

START_TEST(what_is_looked_for_is_found_without_being_made_and_its_mark_goes_with_it) {
    uint32_t index;
    ck_assert_uint_eq(limit_table_look(&table, mate(5, 1)), 0);
    ck_assert(limit_table_enter(&table, 1, mate(5, 1), 9, NOW, &index));
    ck_assert_uint_eq(limit_table_look(&table, mate(5, 1)), index);
    ck_assert_uint_eq(limit_table_look(&table, mate(5, 2)), 0);
    ck_assert_uint_eq(limit_table_count_of(&table, 1, index), 1);
    ck_assert_uint_eq(limit_table_count_of(&table, 0, index), 0);
    ck_assert(!limit_table_mark(&table, index, true));
    ck_assert(limit_table_mark(&table, index, true));
    ck_assert(limit_table_mark(&table, index, false));
    ck_assert(!limit_table_mark(&table, index, true));
    limit_table_leave(&table, 1, index);
    for (uint32_t i = 2; i < 2 + LIMIT_TABLE_WAYS; i++) { /* the whole set goes to others */
        uint32_t other = limit_table_find(&table, mate(5, i), NOW);
        ck_assert(other == 0 || limit_table_enter(&table, 0, mate(5, i), 9, NOW, &other));
    }
    ck_assert_uint_eq(limit_table_look(&table, mate(5, 1)), 0);
    ck_assert(!limit_table_mark(&table, index, false));
}
END_TEST

START_TEST(what_is_elsewhere_holds_for_its_time_and_for_its_key) {
    const uint64_t most = (1u << LIMIT_TABLE_ELSEWHERE_BITS) - 1;
    uint32_t index = limit_table_find(&table, mate(5, 1), NOW);
    ck_assert_uint_eq(limit_table_elsewhere(&table, index, 0), 0);
    limit_table_set_elsewhere(&table, index, mate(5, 1), 7, 1000);
    ck_assert_uint_eq(limit_table_elsewhere(&table, index, 999), 7);
    ck_assert_uint_eq(limit_table_elsewhere(&table, index, 1000), 0);
    limit_table_set_elsewhere(&table, index, mate(5, 2), 9, 5000); /* about somebody who has gone */
    ck_assert_uint_eq(limit_table_elsewhere(&table, index, 999), 7);
    limit_table_set_elsewhere(&table, index, mate(5, 1), most, (1ull << 40) - 1);
    ck_assert_uint_eq(limit_table_elsewhere(&table, index, (1ull << 40) - 2), most);
    for (uint32_t i = 2; limit_table_look(&table, mate(5, 1)) != 0; i++) {
        uint32_t other = limit_table_find(&table, mate(5, i), NOW); /* takes idle ones over */
        ck_assert(limit_table_enter(&table, 0, mate(5, i), 9, NOW, &other));
    }
    ck_assert_uint_eq(limit_table_elsewhere(&table, index, 0), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("limit_table");
    TCase *tests = tcase_create("limit_table");

    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_bucket_gives_its_burst_at_once_and_then_one_each_interval);
    tcase_add_test(tests, buckets_of_two_keys_and_the_hosts_own_are_apart);
    tcase_add_test(tests, as_many_as_allowed_get_in_on_all_workers_together);
    tcase_add_test(tests, none_at_all_may_be_allowed_and_a_key_of_zero_is_one_like_any_other);
    tcase_add_test(tests, what_a_dead_worker_held_is_given_back_and_nothing_else);
    tcase_add_test(tests, an_idle_entry_goes_to_the_next_newcomer_a_busy_one_stays);
    tcase_add_test(tests, a_set_full_of_busy_ones_refuses_nobody);
    tcase_add_test(tests, keys_go_to_further_levels_as_sets_fill_and_are_found_there);
    tcase_add_test(tests, what_is_owed_is_told_once_and_never_more_than_the_bucket_lacks);
    tcase_add_test(tests, what_other_hosts_say_replaces_the_bucket_but_for_what_was_taken_since);
    tcase_add_test(tests, more_than_a_bucket_takes_a_whole_one);
    tcase_add_test(tests, a_region_that_is_not_a_table_is_refused);
    tcase_add_test(tests, a_table_grows_with_its_clients_within_bounds);
    tcase_add_test(tests, never_too_many_are_in_and_a_kill_at_any_moment_leaves_nothing_behind);
    tcase_add_test(tests, what_is_looked_for_is_found_without_being_made_and_its_mark_goes_with_it);
    tcase_add_test(tests, what_is_elsewhere_holds_for_its_time_and_for_its_key);
    tcase_add_test(tests, tokens_taken_by_several_processes_add_up_exactly);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
