#include "gateway/admin/admin_send.h"

#include "gateway/connection/conn_admin.h"
#include "gateway/http/json_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES 320 /* a topic's name has at most 249 */

static void published(const struct uplink_outcome *outcome, struct http_response *response) {
    char id[ID_BYTES];
    struct json_body body;

    snprintf(id, sizeof(id), SPAN_FORMAT ":%" PRId32 ":%" PRId64, SPAN_ARGS(outcome->topic),
             outcome->partition, outcome->offset);
    json_body_start(&body);
    json_body_text(&body, body.root, "status", "published");
    json_body_text(&body, body.root, "id", id);
    json_body_finish(&body, 200, response);
}

static void on_outcome(struct worker *worker, void *context, const struct uplink_outcome *outcome) {
    struct admin_call *call = context;
    struct http_response response = {0};

    (void)worker;
    if (outcome->error == 0) {
        published(outcome, &response);
    } else {
        http_response_error(&response, 503,
                            "Kafka has not confirmed it; it may take effect all the same");
    }
    conn_admin_answer(call, &response);
    free(call);
}

enum admin_result admin_send(const struct admin_call *call, enum uplink_target target,
                             struct span key, struct span value, struct http_response *response) {
    const struct uplink_message message = {.target = target, .key = key, .value = value};
    struct admin_call *kept = malloc(sizeof(*kept));
    int error = kept == NULL ? -ENOMEM : 0;

    if (error == 0) {
        *kept = *call;
        error = uplink_send(call->worker, &message, on_outcome, kept);
    }
    if (error == 0) {
        return ADMIN_LATER;
    }
    free(kept);
    http_response_error(response, 503,
                        error == -ENOTCONN ? "Kafka is away" : "Too much waits for Kafka");
    return ADMIN_ANSWERED;
}
