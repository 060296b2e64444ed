/* What each role sees of the host, and with which rights. */
#include "shm/host_view.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define WORKERS 3

static struct heritage heritage;

/* As the supervisor would: everything O_RDWR for ingest; own block O_RDWR, the rest O_RDONLY for a worker. */
static void inherit(uint32_t role, uint32_t index) {
    int segment, host, worker[WORKERS];
    memset(&heritage, 0, sizeof(heritage));
    ck_assert_int_eq(segment_create(4096, 0, &segment), 0);
    ck_assert_int_eq(host_block_create(&host), 0);
    heritage.revocation_fd = -1;
    heritage.role = role;
    heritage.index = index;
    heritage.worker_count = WORKERS;
    bool ingest = role == HERITAGE_INGEST;
    heritage.segment_fd = segment_reopen(segment, ingest ? O_RDWR : O_RDONLY);
    heritage.host_fd = segment_reopen(host, O_RDONLY);
    for (uint32_t i = 0; i < HERITAGE_MAX_WORKERS; i++)
        heritage.worker_fd[i] = heritage.uplink_fd[i] = -1;
    for (uint32_t i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(worker_block_create(&worker[i]), 0);
        heritage.worker_fd[i] = segment_reopen(worker[i], ingest || i == index ? O_RDWR : O_RDONLY);
        close(worker[i]);
    }
    close(segment);
    close(host);
}

static void disinherit(void) {
    close(heritage.segment_fd);
    close(heritage.host_fd);
    for (uint32_t i = 0; i < HERITAGE_MAX_WORKERS; i++)
        if (heritage.worker_fd[i] >= 0)
            close(heritage.worker_fd[i]);
}

START_TEST(ingest_may_write_the_segment_and_the_sleeping_flags) {
    inherit(HERITAGE_INGEST, 0);
    struct host_view view;
    ck_assert_int_eq(host_view_open(&heritage, &view), 0);
    store_relaxed(&view.segment.words->intent, 8);
    for (uint32_t i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(exchange_full(&view.workers[i]->sleeping, 0), 0);
    host_view_close(&view);
    ck_assert_ptr_null(view.segment.header);
    disinherit();
}
END_TEST

START_TEST(a_worker_may_write_its_own_block) {
    inherit(HERITAGE_WORKER, 1);
    struct host_view view;
    ck_assert_int_eq(host_view_open(&heritage, &view), 0);
    store_relaxed(&view.workers[1]->cursor, 8);
    ck_assert_uint_eq(load_relaxed(&view.workers[0]->cursor), 0);
    host_view_close(&view);
    disinherit();
}
END_TEST

/* 0: the segment, 1: another worker's block, 2: the host block. */
START_TEST(a_worker_that_writes_elsewhere_is_killed) {
    inherit(HERITAGE_WORKER, 1);
    struct host_view view;
    ck_assert_int_eq(host_view_open(&heritage, &view), 0);
    signal(SIGSEGV, SIG_DFL);
    if (_i == 0)
        store_relaxed(&view.segment.words->intent, 8);
    else if (_i == 1)
        store_relaxed(&view.workers[0]->sleeping, 1);
    else
        store_relaxed(&view.host->draining, 1);
}
END_TEST

START_TEST(counters_are_summed_over_workers_and_taken_from_ingest) {
    inherit(HERITAGE_INGEST, 0);
    close(heritage.worker_fd[2]);
    heritage.worker_fd[2] = -1; /* a slot whose block is not there counts nothing */
    struct host_view view;
    ck_assert_int_eq(host_view_open(&heritage, &view), 0);
    ck_assert_ptr_null(view.workers[2]);
    stats_set(&view.workers[0]->stats, STAT_CONNECTIONS, 3);
    stats_set(&view.workers[1]->stats, STAT_CONNECTIONS, 4);
    stats_set(&view.segment.ingest->stats, STAT_CONNECTIONS, 100);
    stats_set(&view.segment.ingest->stats, STAT_RING_RECORDS, 9);
    stats_set(&view.workers[0]->stats, STAT_RING_RECORDS, 100);
    ck_assert_uint_eq(host_view_sum(&view, STAT_CONNECTIONS), 7);
    ck_assert_uint_eq(host_view_sum(&view, STAT_RING_RECORDS), 9);
    host_view_close(&view);
    disinherit();
}
END_TEST

START_TEST(a_block_of_the_wrong_kind_is_refused_and_nothing_stays_mapped) {
    inherit(HERITAGE_INGEST, 0);
    struct host_view view, untouched;
    memset(&untouched, 0x55, sizeof(untouched));
    view = untouched;
    int *const places[] = {&heritage.segment_fd, &heritage.host_fd, &heritage.worker_fd[1]};
    int *const wrong[] = {&heritage.host_fd, &heritage.worker_fd[0], &heritage.segment_fd};
    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++) {
        int right = *places[i];
        *places[i] = *wrong[i];
        ck_assert_int_eq(host_view_open(&heritage, &view), -EPROTO);
        *places[i] = right;
    }
    heritage.worker_count = HERITAGE_MAX_WORKERS + 1;
    ck_assert_int_eq(host_view_open(&heritage, &view), -EINVAL);
    ck_assert_mem_eq(&view, &untouched, sizeof(view));
    disinherit();
}
END_TEST

START_TEST(a_block_of_another_version_is_refused) {
    int fd;
    struct worker_block *block, *again = NULL;
    ck_assert_int_eq(worker_block_create(&fd), 0);
    ck_assert_int_eq(worker_block_map(fd, true, &block), 0);
    block->head.version++;
    ck_assert_int_eq(worker_block_map(fd, false, &again), -EPROTO);
    block->head.version--;
    block->head.size--;
    ck_assert_int_eq(worker_block_map(fd, false, &again), -EPROTO);
    block->head.size++;
    block->head.magic++;
    ck_assert_int_eq(worker_block_map(fd, false, &again), -EPROTO);
    ck_assert_ptr_null(again);
    worker_block_unmap(block);
    worker_block_unmap(NULL);
    host_block_unmap(NULL);
    close(fd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("host_view");
    TCase *tests = tcase_create("roles");
    tcase_add_test(tests, ingest_may_write_the_segment_and_the_sleeping_flags);
    tcase_add_test(tests, a_worker_may_write_its_own_block);
    tcase_add_loop_test_raise_signal(tests, a_worker_that_writes_elsewhere_is_killed, SIGSEGV, 0,
                                     3);
    tcase_add_test(tests, counters_are_summed_over_workers_and_taken_from_ingest);
    tcase_add_test(tests, a_block_of_the_wrong_kind_is_refused_and_nothing_stays_mapped);
    tcase_add_test(tests, a_block_of_another_version_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
