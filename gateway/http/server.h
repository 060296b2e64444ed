/* Plain HTTP on the port: one table of paths (method, path, who may, which function), everything but the
 * WebSocket upgrade itself. Works from shared memory alone, so any worker answers for the whole host. */
#ifndef MOONX_GATEWAY_HTTP_SERVER_H
#define MOONX_GATEWAY_HTTP_SERVER_H

#include "gateway/http/admin_rule.h"
#include "gateway/http/head_gate.h"
#include "gateway/http/http_response.h"
#include "shm/host_view.h"
#include "shm/survey.h"

#define SERVER_SURVEY_LIMIT_MOST 1000u

struct redis_instances;

struct server_context {
    const struct host_view *view;
    const struct address_client *client; /* who asks, and who may see admin paths */
    const struct admin_rule *admin;
    bool admin_elsewhere;        /* ADMIN_LISTEN has the admin paths, and this is the public port */
    const struct auth *dev_auth; /* --dev: mints the console's token; else NULL */
    const char *instance_id;
    uint64_t capacity;                       /* WS_MAX_CONNECTIONS */
    const struct redis_instances *instances; /* the other hosts; NULL: no Redis is configured */
    const struct http_request *request;      /* set by server_answer() for the page */
};

/* A page that needs what only each worker knows: what they are asked, and what of it is shown. */
struct server_survey {
    struct survey_question question;
    bool totals; /* with those of GET /connections */
    uint64_t limit;
    uint64_t after_listeners; /* 0: from the largest room on */
    char after_name[SURVEY_NAME_BYTES + 1];
};

/* Each answers GET and, without the body, HEAD. */
struct server_path {
    const char *path;
    bool admin;
    void (*answer)(const struct server_context *context, struct http_response *response);
    /* Workers must be asked: 1; not for this request: 0; the query is bad: -EINVAL. NULL: never. */
    int (*ask)(const struct http_request *request, struct server_survey *survey);
};

/* Ends with a row whose path is NULL. What is at none of them may be an asset (gateway/http/asset.h). */
extern const struct server_path server_path_table[];

/* True for `/ws` (with or without a query): the caller handles the upgrade. */
bool server_is_websocket_path(const struct http_request *request);

/* True: *response is filled, for any other request: 200, 403, 404, 405, 503 … Never fails: out of memory is a 500
 * without a body. False: *survey must be put to all workers first. */
bool server_answer(const struct server_context *context, const struct http_request *request,
                   struct http_response *response, struct server_survey *survey) MUST_CHECK;

#endif
