#include "gateway/http/console_session.h"

#include "common/clock.h"
#include "gateway/access/auth.h"
#include "gateway/http/json_body.h"
#include "gateway/supervisor/dev.h"

#include <stdlib.h>

#define DEMO_TTL_S 86400

/* Without its port, the brackets of IPv6 kept. */
static struct span host_name(struct span host) {
    const char *bracket = memchr(host.data, ']', host.length);
    size_t from = bracket != NULL ? (size_t)(bracket - host.data) : 0;
    const char *colon = memchr(host.data + from, ':', host.length - from);
    return (struct span){host.data, colon != NULL ? (size_t)(colon - host.data) : host.length};
}

static bool names_this_machine(const struct http_request *request) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    struct span host;
    if (http_request_header(request, "host", &host) != 1) {
        return false;
    }
    host = host_name(host);
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_is(host, names[i])) {
            return true;
        }
    }
    return false;
}

/* The caller frees it; NULL: none is to be had. */
static char *demo_token(const struct server_context *context) {
    struct identity identity = {.user_id = DEV_USER};
    char *token = NULL;
    if (context->dev_auth == NULL || !names_this_machine(context->request) ||
        auth_mint(context->dev_auth, &identity, clock_wall_ms(), DEMO_TTL_S, &token) != 0) {
        return NULL;
    }
    return token;
}

void console_session_answer(const struct server_context *context, struct http_response *response) {
    struct json_body body;
    char *token = demo_token(context);
    json_body_start(&body);
    json_body_bool(&body, body.root, "dev", context->dev_auth != NULL);
    json_body_text(&body, body.root, "instance", context->instance_id);
    if (token != NULL) {
        json_body_text(&body, body.root, "token", token);
    }
    free(token);
    json_body_finish(&body, 200, response);
}
