#include "gateway/admin/admin.h"

#include "common/log.h"
#include "gateway/http/admin_rule.h"
#include "gateway/http/http_request.h"
#include "gateway/http/json_body.h"

#include <stdio.h>

const struct admin_row admin_table[] = {
    {"/admin/revoke", "revokes tokens on all hosts", admin_revoke},
    {"/admin/disconnect", "closes a user's connections on all hosts", admin_disconnect},
    {"/admin/publish", "an event of the operator's to rooms, on all hosts", admin_publish},
    {"/admin/drain", "sends this host's clients away and stops it, as SIGTERM does", admin_drain},
    {"/admin/log-level", "how much this host's processes log, until it stops", admin_log_level},
    {NULL, NULL, NULL},
};

const struct admin_row *admin_find(struct span path) {
    const struct admin_row *row = admin_table;

    while (row->path != NULL && !span_is(path, row->path)) {
        row++;
    }
    return row->path != NULL ? row : NULL;
}

/* A browser says with every POST where the page that makes it is from. Only a page of this gateway may, and only
 * when it was reached by a name that nobody else can give it, as admin pages may be: another name may have been made to point here (DNS
 * rebinding). */
static bool is_own_page(const struct http_request *request) {
    struct span origin = {0}, host = {0};
    int found = http_request_header(request, "origin", &origin);

    if (found == 0) {
        return true; /* no browser */
    }
    const char *colon = memchr(origin.data, ':', origin.length);
    size_t scheme = colon != NULL ? (size_t)(colon - origin.data) : origin.length;
    struct span rest = {origin.data + scheme, origin.length - scheme};
    return found == 1 && http_request_header(request, "host", &host) == 1 && rest.length > 3 &&
           memcmp(rest.data, "://", 3) == 0 &&
           span_equal((struct span){rest.data + 3, rest.length - 3}, host) &&
           http_request_host_is_no_strangers(request);
}

bool admin_allows(const struct worker *worker, const struct http_request *request,
                  const struct address_client *client, struct http_response *response) {
    static struct log_rate rate = {.per_second = 2};
    char who[ADMIN_WHO_BYTES];

    const char *refusal = admin_rule_refusal(worker->admin, request, client);

    if (refusal != NULL) {
        http_response_error(response, 403, refusal);
    } else if (!span_is(request->method, "POST")) {
        http_response_error(response, 405, "Only POST is answered here");
        snprintf(response->extra_headers, sizeof(response->extra_headers), "Allow: POST\r\n");
    } else if (!is_own_page(request)) {
        http_response_error(response, 403, "A foreign web page may not do this");
    } else {
        return true;
    }
    if (response->status == 403 && log_rate_allow(&rate)) {
        admin_name(request, client, who);
        log_warn("admin: " SPAN_FORMAT " " SPAN_FORMAT " by %s: refused%s",
                 SPAN_ARGS(request->method), SPAN_ARGS(request->path), who, rate.left_out);
    }
    return false;
}

enum admin_result admin_serve(struct admin_call *call, struct span body,
                              struct http_response *response) {
    struct json_value data = {.type = JSON_OBJECT, .text = SPAN_LITERAL("{}")};
    enum admin_result result = ADMIN_ANSWERED;

    if (body.length > 0 && json_check(body, &data, NULL) != JSON_OK) {
        http_response_error(response, 400, "The body is not valid JSON");
    } else if (data.type != JSON_OBJECT) {
        http_response_error(response, 400, "The body must be a JSON object");
    } else {
        result = call->row->handle(call, data, response);
    }
    if (result == ADMIN_ANSWERED) {
        admin_audit(call, response->status);
    }
    return result;
}

void admin_name(const struct http_request *request, const struct address_client *client,
                char who[ADMIN_WHO_BYTES]) {
    char address[ADDRESS_TEXT_BYTES] = "an unknown address";
    struct span ignored;

    if (client->known) {
        address_text(&client->address, address);
    }
    snprintf(who, ADMIN_WHO_BYTES, "%s%s", address,
             http_request_header(request, "authorization", &ignored) != 0 ? " with a token" : "");
}

void admin_audit(const struct admin_call *call, unsigned status) {
    log_write(status < 400 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, call->conn_id,
              "admin: POST %s by %s: %s%s%u", call->row->path, call->who, call->what,
              call->what[0] != '\0' ? ": " : "", status);
}

void admin_done(struct http_response *response, unsigned status, const char *text) {
    struct json_body body;

    json_body_start(&body);
    json_body_text(&body, body.root, "status", text);
    json_body_finish(&body, status, response);
}
