#include "gateway/connection/conn_admin.h"

#include "gateway/connection/conn_answer.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/http/head_gate.h"

static bool answer_now(struct worker *worker, struct conn *conn, struct http_response *response) {
    conn_answer_page(worker, conn, response);
    http_response_done(response);
    return true;
}

/* RFC 9110 section 10.1.1: who asks first whether to send a body waits for this, curl a second long. */
static void invite_body(struct worker *worker, struct conn *conn,
                        const struct http_request *request) {
    static const struct span go_on = SPAN_LITERAL("HTTP/1.1 100 Continue\r\n\r\n");
    struct span expected;

    if (request->minor > 0 && head_gate_body(conn->input).length == 0 &&
        http_request_header(request, "expect", &expected) == 1 &&
        span_is_caseless(expected, "100-continue") && conn_queue_bytes(worker, conn, go_on) != 0) {
        conn_kill(worker, conn);
    }
}

bool conn_admin_serve(struct worker *worker, struct conn *conn, const struct admin_row *row,
                      const struct address_client *client) {
    const struct http_request *request = head_gate_request(conn->input);
    struct admin_call call = {
        .worker = worker, .row = row, .conn_index = conn->self, .conn_id = conn->id};
    struct http_response response = {0};

    if (!admin_allows(worker, request, client, &response)) {
        return answer_now(worker, conn, &response);
    }
    if (!head_gate_body_complete(conn->input)) {
        invite_body(worker, conn, request);
        return false;
    }
    admin_name(request, client, call.who);
    if (admin_serve(&call, head_gate_body(conn->input), &response) == ADMIN_ANSWERED) {
        return answer_now(worker, conn, &response);
    }
    conn_set_state(worker, conn, CONN_REPLYING);
    conn_timers_set_deadline(worker, conn, CONN_LATER_TIMEOUT_MS);
    return true;
}

void conn_admin_answer(const struct admin_call *call, struct http_response *response) {
    struct conn *conn = conn_at(call->worker, call->conn_index);

    admin_audit(call, response->status);
    if (conn->state == CONN_REPLYING && conn->id == call->conn_id) {
        conn_answer_page(call->worker, conn, response);
    }
    http_response_done(response);
}
