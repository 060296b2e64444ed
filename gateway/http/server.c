#include "gateway/http/server.h"

#include "gateway/http/asset.h"
#include "gateway/http/connections.h"
#include "gateway/http/console_session.h"
#include "gateway/http/debug_handlers.h"
#include "gateway/http/debug_kafka.h"
#include "gateway/http/health.h"
#include "gateway/http/instances.h"
#include "gateway/http/metrics.h"
#include "gateway/http/subscriptions.h"

#include <stdio.h>

const struct server_path server_path_table[] = {
    {"/health", false, health_answer, NULL},
    {"/ready", false, health_answer_ready, NULL},
    {"/metrics", false, metrics_answer, NULL},
    {"/connections", true, connections_answer, subscriptions_ask_connections},
    {"/instances", true, instances_answer, NULL},
    {"/console/session", false, console_session_answer, NULL},
    {"/debug/kafka", true, debug_kafka_answer, NULL},
    {"/debug/handlers", true, debug_handlers_answer, NULL},
    {"/debug/subscriptions", true, NULL, subscriptions_ask},
    {NULL, false, NULL, NULL},
};

bool server_is_websocket_path(const struct http_request *request) {
    return span_is(request->path, "/ws");
}

static const struct server_path *find_path(struct span path) {
    const struct server_path *row = server_path_table;
    while (row->path != NULL && !span_is(path, row->path)) {
        row++;
    }
    return row->path != NULL ? row : NULL;
}

/* What keeps the request from its answer. */
static bool refused(const struct server_context *context, const struct http_request *request,
                    const struct server_path *row, const struct asset *asset,
                    struct http_response *response) {
    if ((!row && !asset) || (row && row->admin && context->admin_elsewhere)) {
        http_response_error(response, 404, "There is nothing at this path");
        return true;
    }
    /* Before the method: who may not come in learns nothing. */
    const char *refusal =
        row && row->admin ? admin_rule_refusal(context->admin, request, context->client) : NULL;
    if (refusal) {
        http_response_error(response, 403, refusal);
        return true;
    }
    if (!span_is(request->method, "GET") && !span_is(request->method, "HEAD")) {
        http_response_error(response, 405, "Only GET and HEAD are answered here");
        snprintf(response->extra_headers, sizeof(response->extra_headers), "Allow: GET, HEAD\r\n");
        return true;
    }
    return false;
}

bool server_answer(const struct server_context *context, const struct http_request *request,
                   struct http_response *response, struct server_survey *survey) {
    *response = (struct http_response){0};
    const struct server_path *row = find_path(request->path);
    const struct asset *asset = row ? NULL : asset_find(request->path);
    if (refused(context, request, row, asset, response)) {
        return true;
    }
    if (asset) {
        asset_answer(asset, request, response);
        return true;
    }
    int asks = row->ask ? row->ask(request, survey) : 0;
    if (asks < 0) {
        http_response_error(response, 400, "A parameter of the query can't be used");
    } else if (asks == 0) {
        struct server_context with = *context;
        with.request = request;
        row->answer(&with, response);
    }
    return asks <= 0;
}
