/* Which path answers what to whom; and the two admin pages. */
#include "http_fixture.h"
#include "tests/unit/unit.h"

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
    {200, "GET /debug/handlers", ""},
    {200, "GET /console/session", ""},
    {404, "GET /console", ""},
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

START_TEST(a_peer_without_an_internet_address_is_no_admin_and_without_a_rule_nobody_is) {
    fixture.peer.ss_family = AF_UNIX;
    ck_assert_uint_eq(status_of("GET /connections", ""), 403);
    fixture.context.admin = NULL;
    fixture_peer(&fixture, "127.0.0.1");
    ck_assert_uint_eq(status_of("GET /connections", ""), 403);
}
END_TEST

/* GET /connections with this Host and more headers. */
static unsigned status_with_host(const char *host, const char *headers) {
    char head[512];
    struct head_gate *gate;
    struct http_response response;
    struct address_client client;
    snprintf(head, sizeof head, "GET /connections HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, headers);
    const struct http_request *request = fixture_request(&gate, head);
    address_client_find((struct sockaddr *)&fixture.peer, request, fixture.trusted, &client);
    fixture.context.client = &client;
    struct server_survey survey;
    ck_assert(server_answer(&fixture.context, request, &response, &survey));
    unsigned status = response.status;
    http_response_done(&response);
    head_gate_free(gate);
    return status;
}

static const struct {
    const char *host;
    unsigned status;
} hosts[] = {
    {"localhost", 200},
    {"LocalHost:3008", 200},
    {"localhost.:3008", 200},
    {"127.0.0.1:3008", 200},
    {"127.9.9.9", 200},
    {"10.0.0.5:3008", 200},
    {"[::1]:3008", 200},
    {"[2001:db8::5]", 200},
    {"attacker.example:3008", 403},
    {"127.0.0.1.attacker.example", 403},
    {"localhost.attacker.example", 403},
    {"xlocalhost", 403},
    {"127.1", 403}, /* a browser sends what it has made of it */
    {"2130706433", 403},
    {"0x7f.0.0.1", 403},
    {"[127.0.0.1]", 403},
    {"::1", 403},
    {".", 403},
};

START_TEST(from_loopback_a_page_of_a_foreign_name_is_no_administrator) {
    ck_assert_msg(status_with_host(hosts[_i].host, "") == hosts[_i].status, "%s", hosts[_i].host);
}
END_TEST

START_TEST(from_loopback_the_host_s_own_name_will_do) {
    char own[256], longer[300];
    ck_assert_int_eq(gethostname(own, sizeof own), 0);
    ck_assert_uint_eq(status_with_host(own, ""), 200);
    snprintf(longer, sizeof longer, "%.*s:3008", (int)strcspn(own, "."), own);
    ck_assert_uint_eq(status_with_host(longer, ""), 200);
    snprintf(longer, sizeof longer, "%s.attacker.example", own);
    ck_assert_uint_eq(status_with_host(longer, ""), 403);
}
END_TEST

START_TEST(a_request_that_a_proxy_has_forwarded_is_not_local) {
    static const char *const headers[] = {
        "X-Forwarded-For: 127.0.0.1\r\n", "x-forwarded-for:\r\n",
        "Forwarded: for=127.0.0.1\r\n",   "FORWARDED: a\r\nForwarded: b\r\n",
        "X-Real-IP: 192.0.2.1\r\n",       "via: 1.1 front\r\nVia: 1.1 back\r\n",
        "X-Forwarded-Proto: https\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        ck_assert_msg(status_of("GET /connections", headers[i]) == 403, "%s", headers[i]);
        ck_assert_uint_eq(status_of("GET /health", headers[i]), 200);
    }
    ck_assert_uint_eq(status_of("GET /connections", "X-Forwarded: 1\r\n"), 200);
}
END_TEST

#define TOKEN "correct-horse-battery"

/* The rule anew, with these networks and a token file that holds `token` (NULL: none). */
static int rule(const char *allow, const char *token, char *error, size_t error_size) {
    char path[] = "/tmp/moonx-admin-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    if (token != NULL) {
        ck_assert_int_eq(write(fd, token, strlen(token)), (ssize_t)strlen(token));
    }
    fixture.options.admin_allow = allow;
    fixture.options.admin_token_file = token != NULL ? path : "";
    admin_rule_free(fixture.admin);
    fixture.admin = NULL;
    int result = admin_rule_new(&fixture.options, &fixture.admin, error, error_size);
    fixture.context.admin = fixture.admin;
    close(fd);
    unlink(path);
    return result;
}

START_TEST(administrators_come_from_the_networks_that_were_named) {
    char error[256];
    ck_assert_int_eq(rule("192.0.2.0/24,2001:db8::/32", NULL, error, sizeof(error)), 0);
    ck_assert_uint_eq(status_of("GET /connections", ""), 403); /* loopback is not among them */
    fixture_peer(&fixture, "192.0.2.77");
    ck_assert_uint_eq(status_of("GET /connections", ""), 200);
    ck_assert_uint_eq(status_of("GET /connections", "X-Forwarded-For: 192.0.2.1\r\n"), 403);
    fixture_peer(&fixture, "2001:db8:1::9");
    ck_assert_uint_eq(status_of("GET /connections", ""), 200);
    fixture_peer(&fixture, "192.0.3.1");
    ck_assert_uint_eq(status_of("GET /connections", ""), 403);
    ck_assert_int_eq(rule("", NULL, error, sizeof(error)), 0);
    fixture_peer(&fixture, "127.0.0.1");
    ck_assert_uint_eq(status_of("GET /connections", ""), 403);
}
END_TEST

START_TEST(a_trusted_proxy_says_whether_an_administrator_asks) {
    char error[256];
    ck_assert_int_eq(rule("127.0.0.0/8,192.0.2.0/24", NULL, error, sizeof(error)), 0);
    ck_assert_int_eq(address_list_new("X", "127.0.0.1", &fixture.trusted, error, sizeof(error)), 0);
    static const struct {
        const char *headers;
        unsigned status;
    } rows[] = {
        {"", 200},
        {"X-Forwarded-For: 192.0.2.7\r\n", 200},
        {"X-Forwarded-For: 203.0.113.7\r\n", 403},
        {"X-Forwarded-For: 192.0.2.7, 203.0.113.7\r\n", 403},
        {"X-Forwarded-For: 127.0.0.1\r\n", 403},
        {"X-Forwarded-For: 127.0.0.5\r\n", 403},
        {"X-Forwarded-For: unknown\r\n", 403},
        {"Forwarded: for=192.0.2.7\r\n", 200},
        {"Forwarded: for=192.0.2.7\r\nX-Forwarded-For: 203.0.113.7\r\n", 403},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert_msg(status_of("GET /connections", rows[i].headers) == rows[i].status, "%s",
                      rows[i].headers);
    }
}
END_TEST

START_TEST(the_bearer_of_the_token_is_an_administrator_from_anywhere) {
    static const struct {
        const char *headers;
        unsigned status;
    } rows[] = {
        {"Authorization: Bearer " TOKEN "\r\n", 200},
        {"authorization: bearer " TOKEN "\r\n", 200},
        {"Authorization: Bearer " TOKEN "\r\nX-Forwarded-For: unknown\r\n", 200},
        {"Authorization: Bearer " TOKEN "x\r\n", 403},
        {"Authorization: Bearer correct-horse-batter\r\n", 403},
        {"Authorization: Bearer Correct-horse-battery\r\n", 403},
        {"Authorization: Bearer  " TOKEN "\r\n", 403},
        {"Authorization: Bearer\r\n", 403},
        {"Authorization: Bearer \r\n", 403},
        {"Authorization: Basic " TOKEN "\r\n", 403},
        {"Authorization: " TOKEN "\r\n", 403},
        {"Authorization: Bearer " TOKEN "\r\nAuthorization: Bearer " TOKEN "\r\n", 403},
        {"", 403},
    };
    char error[256];
    ck_assert_int_eq(rule("", TOKEN "\n", error, sizeof(error)), 0);
    fixture_peer(&fixture, "203.0.113.9");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert_msg(status_of("GET /connections", rows[i].headers) == rows[i].status, "%s",
                      rows[i].headers);
    }
    ck_assert_int_eq(rule("", NULL, error, sizeof(error)), 0);
    ck_assert_uint_eq(status_of("GET /connections", rows[0].headers), 403);
}
END_TEST

START_TEST(with_the_token_or_from_another_network_any_host_will_do) {
    char error[256];
    ck_assert_int_eq(rule("127.0.0.0/8,192.0.2.0/24", TOKEN, error, sizeof(error)), 0);
    ck_assert_uint_eq(status_with_host("moonx.example", ""), 403);
    ck_assert_uint_eq(status_with_host("moonx.example", "Authorization: Bearer " TOKEN "\r\n"),
                      200);
    fixture_peer(&fixture, "192.0.2.7");
    ck_assert_uint_eq(status_with_host("moonx.example", ""), 200);
}
END_TEST

START_TEST(a_token_file_without_a_good_token_is_refused) {
    static const char *const texts[] = {"", "\n", "short-token-15b", "has blanks in it, alas",
                                        "two-lines-of-text\nof-tokens-here\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        char error[256] = "";
        ck_assert_int_eq(rule("", texts[i], error, sizeof(error)), -EINVAL);
        ck_assert_msg(strncmp(error, "ADMIN_TOKEN_FILE: \"/tmp/", 24) == 0, "%s", error);
    }
    char error[256] = "";
    fixture.options.admin_token_file = "/nonexistent";
    ck_assert_int_eq(admin_rule_new(&fixture.options, &fixture.admin, error, sizeof(error)),
                     -ENOENT);
    ck_assert_str_eq(
        error, "ADMIN_TOKEN_FILE: \"/nonexistent\": cannot be read: No such file or directory");
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
    store_relaxed(&first->whole_from, 0);
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
        "\"liveFrom\":9007199254740993,\"wholeFrom\":0,\"highWatermark\":9223372036854775807,"
        "\"lag\":1,"
        "\"errors\":1000000000000000,\"gaps\":2,\"restarts\":1,\"state\":\"assigned\"},"
        "{\"topic\":\"order.updates\",\"partition\":11,\"position\":null,\"liveFrom\":null,"
        "\"wholeFrom\":null,"
        "\"highWatermark\":0,\"lag\":null,\"errors\":0,\"gaps\":0,\"restarts\":0,\"state\":"
        "\"idle\"},"
        "{\"topic\":\"order.updates\",\"partition\":12,\"position\":10,\"liveFrom\":null,"
        "\"wholeFrom\":null,"
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

START_TEST(the_chains_of_checks_and_the_messages_are_told_in_their_order) {
    stats_set(&fixture.view.workers[0]->stats, STAT_REFUSED_ORIGIN, 2);
    stats_set(&fixture.view.workers[1]->stats, STAT_REFUSED_ORIGIN, 3);
    cJSON *json = fixture_json(&fixture, "GET /debug/handlers", 200);
    static const char *const handshake[] = {"capacity", "handshakes",  "address",
                                            "origin",   "connections", "token"};
    for (size_t i = 0; i < ARRAY_LENGTH(handshake); i++) {
        char path[64];
        snprintf(path, sizeof(path), "chains.handshake.%zu.name", i);
        fixture_check_text(json, path, handshake[i]);
    }
    ck_assert_int_eq(cJSON_GetArraySize(fixture_node(json, "chains.handshake")),
                     (int)ARRAY_LENGTH(handshake));
    fixture_check_text(json, "chains.handshake.3.refuses", "403");
    fixture_check_text(json, "chains.handshake.3.counter", "moonx_refused_origin_total");
    fixture_check_number(json, "chains.handshake.3.refused", 5);
    fixture_check_bool(json, "chains.handshake.3.asynchronous", false);
    fixture_check_bool(json, "chains.handshake.5.asynchronous", true);
    fixture_check_text(json, "chains.handshake.5.deadline", "AUTH_SERVICE_TIMEOUT");
    fixture_check_text(json, "chains.identity.0.name", "user");
    fixture_check_text(json, "chains.message.0.name", "messages");
    fixture_check_number(json, "chains.message.0.refused", 0);
    fixture_check_text(json, "messages.0.type", "authenticate");
    fixture_check_bool(json, "messages.0.beforeAuthentication", true);
    fixture_check_text(json, "messages.1.type", "subscribe");
    fixture_check_bool(json, "messages.1.beforeAuthentication", false);
    cJSON_Delete(json);
}
END_TEST

static unsigned mallocs_left;

static void *failing_malloc(size_t size) {
    return mallocs_left > 0 && mallocs_left-- > 0 ? malloc(size) : NULL;
}

START_TEST(memory_that_runs_out_at_any_moment_makes_a_500_without_a_body) {
    static const char *const lines[] = {"GET /health", "GET /ready", "GET /connections",
                                        "GET /debug/kafka", "GET /debug/handlers"};
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
    tcase_add_test(tests,
                   a_peer_without_an_internet_address_is_no_admin_and_without_a_rule_nobody_is);
    tcase_add_loop_test(tests, from_loopback_a_page_of_a_foreign_name_is_no_administrator, 0,
                        (int)ARRAY_LENGTH(hosts));
    tcase_add_test(tests, from_loopback_the_host_s_own_name_will_do);
    tcase_add_test(tests, with_the_token_or_from_another_network_any_host_will_do);
    tcase_add_test(tests, a_request_that_a_proxy_has_forwarded_is_not_local);
    tcase_add_test(tests, administrators_come_from_the_networks_that_were_named);
    tcase_add_test(tests, a_trusted_proxy_says_whether_an_administrator_asks);
    tcase_add_test(tests, the_bearer_of_the_token_is_an_administrator_from_anywhere);
    tcase_add_test(tests, a_token_file_without_a_good_token_is_refused);
    tcase_add_test(tests, the_websocket_path_is_told_apart);
    tcase_add_test(tests, connections_are_told_in_total_and_per_worker);
    tcase_add_test(tests, connections_of_a_lost_worker_are_not_counted);
    tcase_add_test(tests, kafka_positions_are_told_per_partition_and_keep_every_digit);
    tcase_add_test(tests, kafka_is_not_called_up_by_an_ingest_that_is_dead);
    tcase_add_test(tests, a_state_that_is_not_known_here_has_a_name_all_the_same);
    tcase_add_test(tests, the_chains_of_checks_and_the_messages_are_told_in_their_order);
    tcase_add_test(tests, memory_that_runs_out_at_any_moment_makes_a_500_without_a_body);
    tcase_add_test(tests, an_error_keeps_its_status_when_memory_runs_out);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
