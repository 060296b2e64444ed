/* Which path answers what to whom; and the two admin pages. */
#include "http_fixture.h"

static struct http_fixture fixture;

static void start(void) {
    fixture_start(&fixture);
}

static void stop(void) {
    fixture_stop(&fixture);
}

static unsigned status_of(const char *line, const char *headers) {
    struct http_response response;
    fixture_answer(&fixture, line, headers, &response);
    unsigned status = response.status;
    ck_assert_ptr_nonnull(response.body);
    ck_assert_uint_eq(response.body_length, strlen(response.body));
    http_response_done(&response);
    return status;
}

static const struct {
    unsigned status;
    const char *line, *allow;
} paths[] = {
    {200, "GET /health", ""},
    {200, "HEAD /health", ""},
    {200, "GET /health?verbose=1", ""},
    {200, "GET /ready", ""},
    {200, "HEAD /ready", ""},
    {200, "GET /metrics", ""},
    {200, "GET /connections", ""},
    {200, "HEAD /connections", ""},
    {200, "GET /debug/kafka", ""},
    {404, "GET /", ""},
    {404, "GET /health/", ""},
    {404, "GET /healthy", ""},
    {404, "GET /Health", ""},
    {404, "GET //health", ""},
    {404, "GET /%68ealth", ""},
    {404, "GET /debug", ""},
    {404, "POST /nothing", ""},
    {405, "POST /health", "Allow: GET, HEAD\r\n"},
    {405, "OPTIONS /ready", "Allow: GET, HEAD\r\n"},
    {405, "DELETE /metrics", "Allow: GET, HEAD\r\n"},
    {405, "PUT /connections", "Allow: GET, HEAD\r\n"},
};

START_TEST(each_path_and_method_gets_its_status) {
    struct http_response response;
    fixture_answer(&fixture, paths[_i].line, "", &response);
    ck_assert_msg(response.status == paths[_i].status, "%s: %u", paths[_i].line, response.status);
    ck_assert_str_eq(response.extra_headers, paths[_i].allow);
    if (response.status >= 400) {
        cJSON *json = cJSON_Parse(response.body);
        ck_assert_str_eq(fixture_node(json, "error.code")->valuestring,
                         response.status == 404 ? "NOT_FOUND" : "METHOD_NOT_ALLOWED");
        ck_assert_int_gt((int)strlen(fixture_node(json, "error.message")->valuestring), 0);
        cJSON_Delete(json);
    }
    http_response_done(&response);
}
END_TEST

static const struct {
    const char *peer;
    bool admin;
} peers[] = {
    {"127.0.0.1", true},
    {"127.255.255.254", true},
    {"::1", true},
    {"::ffff:127.0.0.1", true},
    {"::ffff:127.9.9.9", true},
    {"128.0.0.1", false},
    {"10.0.0.1", false},
    {"0.0.0.0", false},
    {"::", false},
    {"::2", false},
    {"::127.0.0.1", false},
    {"::ffff:10.0.0.1", false},
    {"2001:db8::127:1", false},
    {"fe80::1", false},
};

START_TEST(admin_paths_answer_to_loopback_only) {
    fixture_peer(&fixture, peers[_i].peer);
    unsigned wanted = peers[_i].admin ? 200 : 403;
    ck_assert_msg(status_of("GET /connections", "") == wanted, "%s", peers[_i].peer);
    ck_assert_uint_eq(status_of("GET /debug/kafka", ""), wanted);
    ck_assert_uint_eq(status_of("GET /health", ""), 200);
    ck_assert_uint_eq(status_of("GET /metrics", ""), 200);
}
END_TEST

START_TEST(a_stranger_learns_nothing_about_methods_of_admin_paths) {
    fixture_peer(&fixture, "192.0.2.1");
    ck_assert_uint_eq(status_of("POST /connections", ""), 403);
}
END_TEST

START_TEST(a_peer_without_an_internet_address_is_no_admin) {
    fixture.peer.ss_family = AF_UNIX;
    ck_assert_uint_eq(status_of("GET /connections", ""), 403);
    fixture.context.peer = NULL;
    ck_assert_uint_eq(status_of("GET /connections", ""), 403);
}
END_TEST

START_TEST(a_request_that_a_proxy_has_forwarded_is_not_local) {
    static const char *const headers[] = {"X-Forwarded-For: 127.0.0.1\r\n", "x-forwarded-for:\r\n",
                                          "Forwarded: for=127.0.0.1\r\n",
                                          "FORWARDED: a\r\nForwarded: b\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        ck_assert_msg(status_of("GET /connections", headers[i]) == 403, "%s", headers[i]);
        ck_assert_uint_eq(status_of("GET /health", headers[i]), 200);
    }
    ck_assert_uint_eq(status_of("GET /connections", "X-Forwarded: 1\r\n"), 200);
}
END_TEST

START_TEST(the_websocket_path_is_told_apart) {
    static const struct {
        const char *line;
        bool websocket;
    } lines[] = {{"GET /ws", true},   {"GET /ws?token=x", true}, {"POST /ws", true},
                 {"GET /ws/", false}, {"GET /wss", false},       {"GET /", false}};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        char head[128];
        struct head_gate *gate;
        snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\n\r\n", lines[i].line);
        ck_assert_msg(server_is_websocket_path(fixture_request(&gate, head)) == lines[i].websocket,
                      "%s", lines[i].line);
        head_gate_free(gate);
    }
}
END_TEST

START_TEST(connections_are_told_in_total_and_per_worker) {
    stats_set(&fixture.view.workers[0]->stats, STAT_CONNECTIONS, 5);
    stats_set(&fixture.view.workers[0]->stats, STAT_AUTHENTICATED, 3);
    stats_set(&fixture.view.workers[1]->stats, STAT_CONNECTIONS, 7);
    stats_set(&fixture.view.workers[1]->stats, STAT_AUTHENTICATED, 6);
    struct http_response response;
    fixture_answer(&fixture, "GET /connections", "", &response);
    ck_assert_str_eq(response.body,
                     "{\"total\":12,\"authenticated\":9,\"workers\":["
                     "{\"pid\":1000,\"index\":0,\"connections\":5,\"authenticated\":3},"
                     "{\"pid\":1001,\"index\":1,\"connections\":7,\"authenticated\":6}]}");
    http_response_done(&response);
}
END_TEST

START_TEST(connections_of_a_lost_worker_are_not_counted) {
    stats_set(&fixture.view.workers[0]->stats, STAT_CONNECTIONS, 5);
    stats_set(&fixture.view.workers[1]->stats, STAT_CONNECTIONS, 7);
    store_relaxed(&fixture.view.workers[1]->heartbeat_ns, FIXTURE_NOW_NS - 5000000000);
    cJSON *json = fixture_json(&fixture, "GET /connections", 200);
    fixture_check_number(json, "total", 5);
    fixture_check_number(json, "workers.1.connections", 0);
    cJSON_Delete(json);
}
END_TEST

static struct position *add_position(const char *topic, int32_t number) {
    int index = positions_intern(fixture.view.segment.positions, span_of(topic), number);
    ck_assert_int_ge(index, 0);
    return &fixture.view.segment.positions->partitions[index];
}

START_TEST(kafka_positions_are_told_per_partition_and_keep_every_digit) {
    struct position *first = add_position("price.updates", 0);
    store_relaxed(&first->next, INT64_MAX - 1);
    store_relaxed(&first->live_from, (1ull << 53) + 1);
    store_relaxed(&first->high_watermark, INT64_MAX);
    store_relaxed(&first->errors, 1000000000000000);
    store_relaxed(&first->gaps, 2);
    store_relaxed(&first->restarts, 1);
    store_relaxed(&first->state, POSITION_ASSIGNED);
    add_position("order.updates", 11);
    struct position *gone = add_position("order.updates", 12);
    store_relaxed(&gone->next, 10);
    store_relaxed(&gone->high_watermark, 9);
    store_relaxed(&gone->state, POSITION_GONE);
    store_relaxed(&fixture.view.segment.ingest->flags, INGEST_KAFKA_UP | INGEST_PACED);
    struct http_response response;
    fixture_answer(&fixture, "GET /debug/kafka", "", &response);
    ck_assert_str_eq(
        response.body,
        "{\"kafka\":true,\"caughtUp\":false,\"paced\":true,\"partitions\":["
        "{\"topic\":\"price.updates\",\"partition\":0,\"position\":9223372036854775806,"
        "\"liveFrom\":9007199254740993,\"highWatermark\":9223372036854775807,\"lag\":1,"
        "\"errors\":1000000000000000,\"gaps\":2,\"restarts\":1,\"state\":\"assigned\"},"
        "{\"topic\":\"order.updates\",\"partition\":11,\"position\":null,\"liveFrom\":null,"
        "\"highWatermark\":0,\"lag\":null,\"errors\":0,\"gaps\":0,\"restarts\":0,\"state\":"
        "\"idle\"},"
        "{\"topic\":\"order.updates\",\"partition\":12,\"position\":10,\"liveFrom\":null,"
        "\"highWatermark\":9,\"lag\":0,\"errors\":0,\"gaps\":0,\"restarts\":0,\"state\":\"gone\"}]"
        "}");
    http_response_done(&response);
}
END_TEST

START_TEST(kafka_is_not_called_up_by_an_ingest_that_is_dead) {
    store_relaxed(&fixture.view.segment.ingest->flags,
                  INGEST_KAFKA_UP | INGEST_CAUGHT_UP | INGEST_PACED);
    store_relaxed(&fixture.view.segment.ingest->pid, 0);
    cJSON *json = fixture_json(&fixture, "GET /debug/kafka", 200);
    fixture_check_bool(json, "kafka", false);
    fixture_check_bool(json, "caughtUp", true);
    fixture_check_bool(json, "paced", false);
    cJSON_Delete(json);
}
END_TEST

START_TEST(a_state_that_is_not_known_here_has_a_name_all_the_same) {
    store_relaxed(&add_position("t", 0)->state, 77);
    cJSON *json = fixture_json(&fixture, "GET /debug/kafka", 200);
    fixture_check_text(json, "partitions.0.state", "unknown");
    cJSON_Delete(json);
}
END_TEST

static unsigned mallocs_left;

static void *failing_malloc(size_t size) {
    return mallocs_left > 0 && mallocs_left-- > 0 ? malloc(size) : NULL;
}

START_TEST(memory_that_runs_out_at_any_moment_makes_a_500_without_a_body) {
    static const char *const lines[] = {"GET /health", "GET /ready", "GET /connections",
                                        "GET /debug/kafka"};
    cJSON_Hooks hooks = {failing_malloc, free};
    add_position("t", 0);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        unsigned status = 500;
        unsigned mallocs = 0;
        for (; status == 500; mallocs++) {
            struct http_response response;
            ck_assert_uint_lt(mallocs, 1000);
            mallocs_left = mallocs;
            cJSON_InitHooks(&hooks);
            fixture_answer(&fixture, lines[i], "", &response);
            cJSON_InitHooks(NULL);
            status = response.status;
            ck_assert(status == 200 || (response.body == NULL && response.body_length == 0));
            http_response_done(&response);
        }
        ck_assert_uint_eq(status, 200);
        ck_assert_uint_gt(mallocs, 3);
    }
}
END_TEST

START_TEST(an_error_keeps_its_status_when_memory_runs_out) {
    cJSON_Hooks hooks = {failing_malloc, free};
    for (mallocs_left = 0; mallocs_left < 5;) {
        unsigned mallocs = mallocs_left;
        struct http_response response;
        cJSON_InitHooks(&hooks);
        fixture_answer(&fixture, "GET /nothing", "", &response);
        cJSON_InitHooks(NULL);
        ck_assert_uint_eq(response.status, 404);
        ck_assert_uint_eq(response.body_length, response.body ? strlen(response.body) : 0);
        http_response_done(&response);
        mallocs_left = mallocs + 1;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("server");
    TCase *tests = tcase_create("server");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_loop_test(tests, each_path_and_method_gets_its_status, 0, (int)ARRAY_LENGTH(paths));
    tcase_add_loop_test(tests, admin_paths_answer_to_loopback_only, 0, (int)ARRAY_LENGTH(peers));
    tcase_add_test(tests, a_stranger_learns_nothing_about_methods_of_admin_paths);
    tcase_add_test(tests, a_peer_without_an_internet_address_is_no_admin);
    tcase_add_test(tests, a_request_that_a_proxy_has_forwarded_is_not_local);
    tcase_add_test(tests, the_websocket_path_is_told_apart);
    tcase_add_test(tests, connections_are_told_in_total_and_per_worker);
    tcase_add_test(tests, connections_of_a_lost_worker_are_not_counted);
    tcase_add_test(tests, kafka_positions_are_told_per_partition_and_keep_every_digit);
    tcase_add_test(tests, kafka_is_not_called_up_by_an_ingest_that_is_dead);
    tcase_add_test(tests, a_state_that_is_not_known_here_has_a_name_all_the_same);
    tcase_add_test(tests, memory_that_runs_out_at_any_moment_makes_a_500_without_a_body);
    tcase_add_test(tests, an_error_keeps_its_status_when_memory_runs_out);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
