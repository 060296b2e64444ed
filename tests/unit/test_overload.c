/* The stages of overload: when each begins and ends, and what it does to clients. */
#include "tests/unit/conn_fixture.h"

#include "gateway/delivery/overload.h"
#include "tests/unit/unit.h"

#define LIMIT 8000u

START_TEST(stages_begin_at_their_shares_and_end_a_fifth_below) {
    static const struct {
        enum overload_stage now;
        uint64_t bytes;
        enum overload_stage next;
    } cases[] = {
        {OVERLOAD_NONE, 0, OVERLOAD_NONE},
        {OVERLOAD_NONE, 1999, OVERLOAD_NONE},
        {OVERLOAD_NONE, 2000, OVERLOAD_NO_DEFLATE},
        {OVERLOAD_NO_DEFLATE, 1600, OVERLOAD_NO_DEFLATE},
        {OVERLOAD_NO_DEFLATE, 1599, OVERLOAD_NONE},
        {OVERLOAD_NO_DEFLATE, 4000, OVERLOAD_SHORT_QUEUES},
        {OVERLOAD_SHORT_QUEUES, 3200, OVERLOAD_SHORT_QUEUES},
        {OVERLOAD_SHORT_QUEUES, 3199, OVERLOAD_NO_DEFLATE},
        {OVERLOAD_NONE, 6000, OVERLOAD_REFUSE},
        {OVERLOAD_NONE, 7000, OVERLOAD_SHED},
        {OVERLOAD_SHED, 5600, OVERLOAD_SHED},
        {OVERLOAD_SHED, 5599, OVERLOAD_REFUSE},
        {OVERLOAD_SHED, 0, OVERLOAD_NONE},
        {OVERLOAD_NONE, UINT64_MAX, OVERLOAD_SHED},
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_int_eq(overload_next(cases[i].now, cases[i].bytes, LIMIT), cases[i].next);
    }
}
END_TEST

static const enum stat_id gauges[] = {STAT_OVERLOAD_NO_DEFLATE, STAT_OVERLOAD_SHORT_QUEUES,
                                      STAT_OVERLOAD_REFUSING, STAT_OVERLOAD_SHEDDING};

static unsigned gauges_on(void) {
    unsigned on = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(gauges); i++) {
        on += (unsigned)stats_get(worker.stats, gauges[i]);
    }
    return on;
}

START_TEST(each_stage_does_its_part_and_is_seen) {
    struct conn *conn = accept_one();
    conn_set_state(&worker, conn, CONN_PENDING);
    options.ws_max_queue_bytes = 80000;
    options.worker_queue_bytes = 1 << 20;
    char big[40000];
    memset(big, 'x', sizeof big);
    conn->flags |= CONN_BLOCKED;
    ck_assert_uint_eq(overload_queue_limit(&worker), 80000);
    for (unsigned stage = OVERLOAD_NO_DEFLATE; stage < OVERLOAD_STAGE_COUNT; stage++) {
        while (worker.fanout->stage < stage) {
            ck_assert_int_eq(conn_queue_bytes(&worker, conn, (struct span){big, sizeof big}), 0);
            overload_look(&worker);
        }
        ck_assert_uint_eq(gauges_on(), stage);
        ck_assert_uint_eq(overload_queue_limit(&worker),
                          stage >= OVERLOAD_SHORT_QUEUES ? 10000 : 80000);
        ck_assert_int_eq(worker.refusing, stage >= OVERLOAD_REFUSE);
    }
    overload_shed(&worker);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_OVERLOAD_SHED), 1);
    conn_kill(&worker, conn);
    conn_reap(&worker);
    overload_look(&worker);
    ck_assert_int_eq(worker.fanout->stage, OVERLOAD_NONE);
    ck_assert_uint_eq(gauges_on(), 0);
    ck_assert(!worker.refusing);
}
END_TEST

START_TEST(who_reads_is_never_shed) {
    struct conn *conn = accept_one();
    conn_set_state(&worker, conn, CONN_PENDING);
    worker.fanout->stage = OVERLOAD_SHED;
    ck_assert_int_eq(conn_queue_bytes(&worker, conn, SPAN_LITERAL("words")), 0);
    overload_shed(&worker);
    ck_assert_int_eq(conn->state, CONN_PENDING);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("overload");
    TCase *tests = tcase_create("overload");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, stages_begin_at_their_shares_and_end_a_fifth_below);
    tcase_add_test(tests, each_stage_does_its_part_and_is_seen);
    tcase_add_test(tests, who_reads_is_never_shed);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
