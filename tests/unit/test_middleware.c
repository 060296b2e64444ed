/* The chains of checks: in their order, each counted by its own counter, and what a connection counts for given back
 * exactly once. A worker without sockets; its connection is a struct alone. */
#include "common/clock.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"
#include "gateway/http/head_gate.h"
#include "gateway/message/message.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

static struct worker worker;
static struct options options;
static struct stats stats;
static struct conn conn;
static int host_fd, segment_fd, limit_fd;

static void set_up(void) {
    char error[512] = "";

    clock_set_fake(1000 * 1000000000ull, 1700000000000);
    memset(&worker, 0, sizeof(worker));
    memset(&stats, 0, sizeof(stats));
    memset(&conn, 0, sizeof(conn));
    options = (struct options){.ws_max_connections = 10,
                               .allowed_origins = "https://a.example",
                               .address_allow = "",
                               .address_deny = "192.0.2.66",
                               .trusted_proxies = "10.0.0.0/8",
                               .messages_denied = "",
                               .rate_limit_enabled = true,
                               .rate_limit_max_connections_per_ip = 1,
                               .rate_limit_max_connections_per_user = 1,
                               .rate_limit_max_handshakes_per_second = 5,
                               .rate_limit_max_messages_per_minute = "120"};
    worker.options = &options;
    worker.stats = &stats;
    ck_assert_int_eq(host_block_create(&host_fd), 0);
    ck_assert_int_eq(host_block_map(host_fd, true, &worker.view.host), 0);
    ck_assert_int_eq(segment_create(4096, 0, &segment_fd), 0);
    ck_assert_int_eq(segment_map(segment_fd, true, &worker.view.segment), 0);
    ck_assert_int_eq(limit_table_create(10, 1, &limit_fd), 0);
    worker.heritage.limit_fd = limit_fd;
    ck_assert_msg(middleware_new(&options, &worker.middleware, error, sizeof(error)) == 0, "%s",
                  error);
    ck_assert_int_eq(middleware_attach(&worker, worker.middleware), 0);
}

static void tear_down(void) {
    middleware_free(worker.middleware);
    segment_unmap(&worker.view.segment);
    host_block_unmap(worker.view.host);
    close(host_fd);
    close(segment_fd);
    close(limit_fd);
    clock_set_real();
}

/* 101, or the refusal's status. */
static unsigned handshake(struct conn *by, const char *from, const char *headers,
                          struct middleware_refusal *refusal) {
    struct sockaddr_in peer = {.sin_family = AF_INET};
    char head[512];
    struct head_gate *gate;
    size_t consumed;

    *refusal = (struct middleware_refusal){0};
    ck_assert_int_eq(inet_pton(AF_INET, from, &peer.sin_addr), 1);
    snprintf(head, sizeof(head), "GET /ws HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_int_eq(head_gate_feed(gate, head, strlen(head), &consumed), HEAD_DONE);
    struct middleware_handshake handshake = {.request = head_gate_request(gate)};
    enum middleware_verdict verdict =
        middleware_handshake(&worker, by, (struct sockaddr *)&peer, &handshake, refusal);
    head_gate_free(gate);
    return verdict == MIDDLEWARE_ALLOW ? 101 : refusal->status;
}

static unsigned status_of(const char *from, const char *headers) {
    struct middleware_refusal refusal;
    struct conn other = {0};
    unsigned status = handshake(&other, from, headers, &refusal);

    middleware_leave(&worker, &other);
    return status;
}

static uint64_t refused_in_all(void) {
    uint64_t sum = 0;

    for (const struct middleware_handshake_row *row = middleware_handshake_table;
         row->check != NULL; row++) {
        sum += stats_get(&stats, row->label.refused);
    }
    return sum;
}

#define EVIL "Origin: https://evil.example\r\n"

START_TEST(the_first_check_that_refuses_is_the_answer_and_the_one_that_counts) {
    struct middleware_refusal refusal;
    struct conn holder = {0};

    ck_assert_uint_eq(handshake(&holder, "192.0.2.66", "", &refusal), 403);
    ck_assert_uint_eq(status_of("192.0.2.66", EVIL), 403);
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_ADDRESS), 2);
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_ORIGIN), 0);
    ck_assert_uint_eq(handshake(&holder, "192.0.2.1", "", &refusal), 101);
    ck_assert_uint_eq(status_of("192.0.2.1", EVIL), 403);
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_ORIGIN), 1);
    ck_assert_uint_eq(status_of("192.0.2.1", ""), 429);
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_PER_ADDRESS), 1);
    ck_assert_uint_eq(status_of("192.0.2.66", EVIL), 503); /* the sixth in this second */
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_RATE), 1);
    worker.draining = true;
    ck_assert_uint_eq(handshake(&conn, "192.0.2.66", EVIL, &refusal), 503);
    ck_assert_str_eq(refusal.reason, "The server is draining");
    ck_assert_uint_gt(refusal.retry_after_s, 0);
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_FULL), 1);
    ck_assert_uint_eq(refused_in_all(), 6);
    middleware_leave(&worker, &holder);
}
END_TEST

START_TEST(what_a_connection_counts_for_is_given_back_once_and_a_refused_one_counts_for_nothing) {
    struct middleware_refusal refusal;

    ck_assert_uint_eq(handshake(&conn, "192.0.2.1", "", &refusal), 101);
    ck_assert_uint_eq(status_of("192.0.2.1", ""), 429); /* which leaves, too */
    ck_assert_uint_eq(status_of("192.0.2.1", ""), 429);
    middleware_leave(&worker, &conn);
    middleware_leave(&worker, &conn);
    ck_assert_uint_eq(handshake(&conn, "192.0.2.1", "", &refusal), 101);
    ck_assert_uint_eq(status_of("192.0.2.1", ""), 429);
}
END_TEST

START_TEST(a_client_behind_a_trusted_proxy_counts_for_itself) {
    struct middleware_refusal refusal;

    ck_assert_uint_eq(handshake(&conn, "10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n", &refusal),
                      101);
    ck_assert_uint_eq(status_of("192.0.2.1", ""), 429);
    ck_assert_uint_eq(status_of("10.0.0.1", "X-Forwarded-For: 192.0.2.2\r\n"), 101);
    ck_assert_uint_eq(status_of("10.0.0.1", "X-Forwarded-For: 192.0.2.66\r\n"), 403);
    ck_assert_uint_eq(status_of("10.0.0.1", "X-Forwarded-For: x\r\n"), 400);
}
END_TEST

START_TEST(an_identity_that_is_tried_again_counts_once) {
    struct conn other = {0};

    ck_assert(middleware_identity(&worker, &conn, SPAN_LITERAL("ann")));
    ck_assert(middleware_identity(&worker, &conn, SPAN_LITERAL("ann")));
    ck_assert(!middleware_identity(&worker, &other, SPAN_LITERAL("ann")));
    ck_assert_uint_eq(stats_get(&stats, STAT_REFUSED_PER_USER), 1);
    ck_assert(middleware_identity(&worker, &conn, SPAN_LITERAL("bob")));
    ck_assert(middleware_identity(&worker, &other, SPAN_LITERAL("ann")));
    middleware_leave(&worker, &conn);
    middleware_leave(&worker, &other);
    ck_assert_uint_eq(conn.limit_user | other.limit_user, 0);
    ck_assert(middleware_identity(&worker, &other, SPAN_LITERAL("bob")));
}
END_TEST

START_TEST(who_has_not_authenticated_has_few_messages_in_all) {
    unsigned passed = 0;

    conn.state = CONN_HEAD; /* nothing is sent to it */
    while (middleware_message(&worker, &conn, message_row_of(span_of("ping")), 10, NULL)) {
        passed++;
    }
    ck_assert_uint_eq(passed, 30);
    for (int i = 0; i < 100; i++) {
        ck_assert(!middleware_message(&worker, &conn, NULL, 10, NULL));
    }
    ck_assert_uint_eq(stats_get(&stats, STAT_MESSAGES_LIMITED), 101);
    ck_assert_uint_eq(stats_get(&stats, STAT_ABUSERS_CLOSED), 1);
}
END_TEST

START_TEST(types_that_are_denied_are_refused_and_no_others) {
    char error[512];

    conn.state = CONN_HEAD; /* nothing is sent to it */
    ck_assert_int_eq(
        middleware_types_read("typing, publish", &worker.middleware->denied, error, sizeof(error)),
        0);
    for (const struct message_row *row = message_table; row->type != NULL; row++) {
        bool denied = strcmp(row->type, "typing") == 0 || strcmp(row->type, "publish") == 0;
        ck_assert(middleware_message(&worker, &conn, row, 10, NULL) == !denied);
    }
    ck_assert_uint_eq(stats_get(&stats, STAT_MESSAGES_DENIED), 2);
}
END_TEST

START_TEST(nothing_configured_refuses_nothing_but_a_full_host) {
    struct middleware *middleware = worker.middleware;

    worker.middleware = NULL;
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_eq(status_of("192.0.2.66", EVIL), 101);
        ck_assert(middleware_identity(&worker, &conn, SPAN_LITERAL("ann")));
        ck_assert(middleware_message(&worker, &conn, message_row_of(span_of("ping")), 10, NULL));
    }
    options.ws_max_connections = 0;
    ck_assert_uint_eq(status_of("192.0.2.66", EVIL), 503);
    worker.middleware = middleware;
}
END_TEST

START_TEST(limits_without_their_table_do_not_start) {
    struct middleware *middleware = worker.middleware;
    char error[512];

    ck_assert_int_eq(middleware_new(&options, &worker.middleware, error, sizeof(error)), 0);
    worker.heritage.limit_fd = -1;
    ck_assert_int_lt(middleware_attach(&worker, worker.middleware), 0);
    middleware_free(worker.middleware);
    options.rate_limit_enabled = false;
    ck_assert_int_eq(middleware_new(&options, &worker.middleware, error, sizeof(error)), 0);
    ck_assert_int_eq(middleware_attach(&worker, worker.middleware), 0);
    middleware_free(worker.middleware);
    worker.middleware = middleware;
}
END_TEST

int main(void) {
    Suite *suite = suite_create("middleware");
    TCase *tests = tcase_create("middleware");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_first_check_that_refuses_is_the_answer_and_the_one_that_counts);
    tcase_add_test(
        tests,
        what_a_connection_counts_for_is_given_back_once_and_a_refused_one_counts_for_nothing);
    tcase_add_test(tests, a_client_behind_a_trusted_proxy_counts_for_itself);
    tcase_add_test(tests, an_identity_that_is_tried_again_counts_once);
    tcase_add_test(tests, who_has_not_authenticated_has_few_messages_in_all);
    tcase_add_test(tests, types_that_are_denied_are_refused_and_no_others);
    tcase_add_test(tests, nothing_configured_refuses_nothing_but_a_full_host);
    tcase_add_test(tests, limits_without_their_table_do_not_start);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
