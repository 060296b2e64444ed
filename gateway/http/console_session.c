#include "gateway/http/console_session.h"

#include "common/clock.h"
#include "gateway/access/auth.h"
#include "gateway/http/json_body.h"
#include "gateway/supervisor/dev.h"

#include <stdlib.h>

#define DEMO_TTL_S 86400

/* The caller frees it; NULL: none is to be had. */
static char *demo_token(const struct server_context *context) {
    struct identity identity = {.user_id = DEV_USER};
    char *token = NULL;
    if (context->dev_auth == NULL || !http_request_names_this_machine(context->request) ||
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
