#include "gateway/http/debug_handlers.h"

#include "gateway/access/middleware.h"
#include "gateway/http/json_body.h"
#include "gateway/message/message.h"

static void add_check(struct json_body *body, cJSON *chain, const struct host_view *view,
                      const struct middleware_label *label);
static void add_messages(struct json_body *body);

void debug_handlers_answer(const struct server_context *context, struct http_response *response) {
    struct json_body body;
    json_body_start(&body);
    cJSON *chains = json_body_object(&body, body.root, "chains");

    cJSON *handshake = json_body_array(&body, chains, "handshake");
    for (const struct middleware_handshake_row *row = middleware_handshake_table; row->check;
         row++) {
        add_check(&body, handshake, context->view, &row->label);
    }
    cJSON *identity = json_body_array(&body, chains, "identity");
    for (const struct middleware_identity_row *row = middleware_identity_table; row->check; row++) {
        add_check(&body, identity, context->view, &row->label);
    }
    cJSON *message = json_body_array(&body, chains, "message");
    for (const struct middleware_message_row *row = middleware_message_table; row->check; row++) {
        add_check(&body, message, context->view, &row->label);
    }
    add_messages(&body);
    json_body_finish(&body, 200, response);
}

static void add_check(struct json_body *body, cJSON *chain, const struct host_view *view,
                      const struct middleware_label *label) {
    cJSON *check = json_body_object(body, chain, NULL);
    json_body_text(body, check, "name", label->name);
    json_body_text(body, check, "refuses", label->refuses);
    json_body_text(body, check, "counter", stats_info[label->refused].name);
    json_body_count(body, check, "refused", host_view_sum(view, label->refused));
    json_body_bool(body, check, "asynchronous", label->deadline != NULL);
    if (label->deadline != NULL) {
        json_body_text(body, check, "deadline", label->deadline);
    }
}

static void add_messages(struct json_body *body) {
    cJSON *messages = json_body_array(body, body->root, "messages");
    for (const struct message_row *row = message_table; row->type; row++) {
        cJSON *message = json_body_object(body, messages, NULL);
        json_body_text(body, message, "type", row->type);
        json_body_bool(body, message, "beforeAuthentication", row->before_authentication);
    }
}
