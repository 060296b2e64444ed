#include "gateway/http/connections.h"

#include "common/clock.h"
#include "gateway/http/json_body.h"
#include "gateway/http/liveness.h"

struct row {
    uint32_t index, pid;
    uint64_t connections, authenticated;
};

/* A lost worker's gauges describe connections that are gone. */
static struct row worker_row(uint32_t index, const struct worker_block *block, uint64_t now_ns) {
    struct row row = {.index = index, .pid = load_relaxed(&block->pid)};
    if (liveness_worker(block, now_ns)) {
        row.connections = stats_get(&block->stats, STAT_CONNECTIONS);
        row.authenticated = stats_get(&block->stats, STAT_AUTHENTICATED);
    }
    return row;
}

void connections_answer(const struct server_context *context, struct http_response *response) {
    struct json_body body;
    json_body_start(&body);
    connections_add(&body, context->view);
    json_body_finish(&body, 200, response);
}

void connections_add(struct json_body *body, const struct host_view *view) {
    uint64_t now_ns = clock_mono_ns();
    struct row rows[HERITAGE_MAX_WORKERS];
    struct row total = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        if (view->workers[i]) {
            rows[count] = worker_row(i, view->workers[i], now_ns);
            total.connections += rows[count].connections;
            total.authenticated += rows[count].authenticated;
            count++;
        }
    }

    json_body_count(body, body->root, "total", total.connections);
    json_body_count(body, body->root, "authenticated", total.authenticated);
    cJSON *workers = json_body_array(body, body->root, "workers");
    for (uint32_t i = 0; i < count; i++) {
        cJSON *worker = json_body_object(body, workers, NULL);
        json_body_count(body, worker, "pid", rows[i].pid);
        json_body_count(body, worker, "index", rows[i].index);
        json_body_count(body, worker, "connections", rows[i].connections);
        json_body_count(body, worker, "authenticated", rows[i].authenticated);
    }
}
