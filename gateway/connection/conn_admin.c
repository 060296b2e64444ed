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
