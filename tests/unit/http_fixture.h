/* For the tests of the HTTP pages: a host of two workers in this process' own memory, and requests read by
 * the real gate. Header-only, since each unit test is one file. */
#ifndef MOONX_TESTS_UNIT_HTTP_FIXTURE_H
#define MOONX_TESTS_UNIT_HTTP_FIXTURE_H

#include "common/clock.h"
#include "gateway/http/head_gate.h"
#include "gateway/http/server.h"
#include "gateway/http/subscriptions.h"
#include "shm/positions.h"

#include <arpa/inet.h>
#include <check.h>
#include <cjson/cJSON.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXTURE_WORKERS 2
#define FIXTURE_NOW_NS  (100 * 1000000000ull)
#define FIXTURE_WALL_MS 1700000000123

struct http_fixture {
    struct host_view view;
    struct sockaddr_storage peer;
    struct address_list *trusted; /* a test's own, or NULL */
    struct options options;
    struct admin_rule *admin;
    struct server_context context;
    uint64_t survey_number; /* under which a test has put the workers' answers */
};

static inline void fixture_peer(struct http_fixture *fixture, const char *address) {
    memset(&fixture->peer, 0, sizeof(fixture->peer));
    struct sockaddr_in *four = (struct sockaddr_in *)&fixture->peer;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&fixture->peer;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, address, &six->sin6_addr), 1);
        six->sin6_family = AF_INET6;
    }
}

/* A healthy host that has been up for 40 seconds: everybody lives, Kafka too. */
static inline void fixture_start(struct http_fixture *fixture) {
    int fd;
    memset(fixture, 0, sizeof(*fixture));
    clock_set_fake(FIXTURE_NOW_NS, FIXTURE_WALL_MS);
    struct host_view *view = &fixture->view;
    ck_assert_int_eq(segment_create(1 << 20, 0, &fd), 0);
    ck_assert_int_eq(segment_map(fd, true, &view->segment), 0);
    close(fd);
    ck_assert_int_eq(host_block_create(&fd), 0);
    ck_assert_int_eq(host_block_map(fd, true, &view->host), 0);
    close(fd);
    view->worker_count = FIXTURE_WORKERS;
    view->host->worker_count = FIXTURE_WORKERS;
    view->host->started_wall_ms = FIXTURE_WALL_MS - 40000;
    view->host->started_mono_ns = FIXTURE_NOW_NS - 40999999999ull;
    store_relaxed(&view->host->children[0].state, HOST_CHILD_RUNNING);
    for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
        ck_assert_int_eq(worker_block_create(&fd), 0);
        ck_assert_int_eq(worker_block_map(fd, true, &view->workers[i]), 0);
        close(fd);
        store_relaxed(&view->workers[i]->pid, 1000 + i);
        store_relaxed(&view->workers[i]->state, WORKER_SERVING);
        store_relaxed(&view->workers[i]->heartbeat_ns, FIXTURE_NOW_NS - 1000000000);
        store_relaxed(&view->host->children[1 + i].state, HOST_CHILD_RUNNING);
    }
    store_relaxed(&view->segment.ingest->pid, 999);
    store_relaxed(&view->segment.ingest->heartbeat_ns, FIXTURE_NOW_NS - 1000000000);
    store_relaxed(&view->segment.ingest->flags, INGEST_KAFKA_UP | INGEST_CAUGHT_UP);
    fixture_peer(fixture, "127.0.0.1");
    char error[256];
    fixture->options = (struct options){.admin_allow = "127.0.0.0/8,::1", .admin_token_file = ""};
    ck_assert_int_eq(admin_rule_new(&fixture->options, &fixture->admin, error, sizeof(error)), 0);
    fixture->context =
        (struct server_context){.view = view, .admin = fixture->admin, .instance_id = "host-1"};
}

static inline void fixture_stop(struct http_fixture *fixture) {
    admin_rule_free(fixture->admin);
    address_list_free(fixture->trusted);
    for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
        worker_block_unmap(fixture->view.workers[i]);
    }
    host_block_unmap(fixture->view.host);
    segment_unmap(&fixture->view.segment);
    clock_set_real();
}

/* The request must pass the gate; free the gate afterwards. */
static inline const struct http_request *fixture_request(struct head_gate **gate,
                                                         const char *head) {
    size_t consumed;
    ck_assert_int_eq(head_gate_new(gate), 0);
    ck_assert_msg(head_gate_feed(*gate, head, strlen(head), &consumed) == HEAD_DONE, "refused: %s",
                  head);
    return head_gate_request(*gate);
}

/* Answers `METHOD /path` with those header lines; free with http_response_done. */
static inline void fixture_answer(struct http_fixture *fixture, const char *line,
                                  const char *headers, struct http_response *response) {
    char head[1024];
    struct head_gate *gate;
    snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line, headers);
    const struct http_request *request = fixture_request(&gate, head);
    struct address_client client;
    address_client_find((struct sockaddr *)&fixture->peer, request, fixture->trusted, &client);
    fixture->context.client = &client;
    struct server_survey survey;
    if (!server_answer(&fixture->context, request, response, &survey)) {
        subscriptions_answer(&fixture->context, &survey, 0, fixture->survey_number, response);
    }
    head_gate_free(gate);
}

/* The parsed JSON body; the caller deletes it. */
static inline cJSON *fixture_json(struct http_fixture *fixture, const char *line, unsigned status) {
    struct http_response response;
    fixture_answer(fixture, line, "", &response);
    ck_assert_uint_eq(response.status, status);
    ck_assert_str_eq(response.content_type, "application/json");
    cJSON *json = cJSON_ParseWithLength(response.body, response.body_length);
    ck_assert_ptr_nonnull(json);
    http_response_done(&response);
    return json;
}

/* A node by a path of names and indices: "workers.1.pid". */
static inline const cJSON *fixture_node(const cJSON *json, const char *path) {
    char copy[128];
    char *rest = NULL;
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = strtok_r(copy, ".", &rest); part && json; part = strtok_r(NULL, ".", &rest)) {
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, atoi(part))
                                   : cJSON_GetObjectItemCaseSensitive(json, part);
    }
    ck_assert_msg(json != NULL, "%s is missing", path);
    return json;
}

static inline void fixture_check_text(const cJSON *json, const char *path, const char *wanted) {
    const cJSON *node = fixture_node(json, path);
    ck_assert_msg(cJSON_IsString(node), "%s is no string", path);
    ck_assert_msg(strcmp(node->valuestring, wanted) == 0, "%s is %s, not %s", path,
                  node->valuestring, wanted);
}

static inline void fixture_check_number(const cJSON *json, const char *path, double wanted) {
    const cJSON *node = fixture_node(json, path);
    ck_assert_msg(cJSON_IsNumber(node), "%s is no number", path);
    ck_assert_msg(node->valuedouble == wanted, "%s is %.17g, not %.17g", path, node->valuedouble,
                  wanted);
}

static inline void fixture_check_bool(const cJSON *json, const char *path, bool wanted) {
    const cJSON *node = fixture_node(json, path);
    ck_assert_msg(wanted ? cJSON_IsTrue(node) : cJSON_IsFalse(node), "%s is not %d", path, wanted);
}

#endif
