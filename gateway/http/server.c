#include "gateway/http/server.h"

#include "gateway/http/asset.h"
#include "gateway/http/connections.h"
#include "gateway/http/console_session.h"
#include "gateway/http/debug_handlers.h"
#include "gateway/http/debug_kafka.h"
#include "gateway/http/health.h"
#include "gateway/http/instances.h"
#include "gateway/http/metrics.h"

#include <stdio.h>

const struct server_path server_path_table[] = {
    {"/health", false, health_answer},
    {"/ready", false, health_answer_ready},
    {"/metrics", false, metrics_answer},
    {"/connections", true, connections_answer},
    {"/instances", true, instances_answer},
    {"/console/session", false, console_session_answer},
    {"/debug/kafka", true, debug_kafka_answer},
    {"/debug/handlers", true, debug_handlers_answer},
    {NULL, false, NULL},
};

bool server_is_websocket_path(const struct http_request *request) {
    return span_is(request->path, "/ws");
}

bool server_ready(const struct host_view *view) {
    return health_not_ready(view) == NULL;
}

static const struct server_path *find_path(struct span path) {
    const struct server_path *row = server_path_table;
    while (row->path != NULL && !span_is(path, row->path)) {
        row++;
    }
    return row->path != NULL ? row : NULL;
}

void server_answer(const struct server_context *context, const struct http_request *request,
                   struct http_response *response) {
    *response = (struct http_response){0};
    const struct server_path *row = find_path(request->path);
    const struct asset *asset = row ? NULL : asset_find(request->path);
    if ((!row && !asset) || (row && row->admin && context->admin_elsewhere)) {
        http_response_error(response, 404, "There is nothing at this path");
        return;
    }
    /* Before the method: who may not come in learns nothing. */
    if (row && row->admin && !admin_rule_allows(context->admin, request, context->client)) {
        http_response_error(response, 403, "This path answers to administrators only");
        return;
    }
    if (!span_is(request->method, "GET") && !span_is(request->method, "HEAD")) {
        http_response_error(response, 405, "Only GET and HEAD are answered here");
        snprintf(response->extra_headers, sizeof(response->extra_headers), "Allow: GET, HEAD\r\n");
        return;
    }
    if (asset) {
        asset_answer(asset, request, response);
    } else {
        struct server_context with = *context;
        with.request = request;
        row->answer(&with, response);
    }
}
