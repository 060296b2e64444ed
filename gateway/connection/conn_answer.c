#include "gateway/connection/conn_answer.h"

#include "common/log.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/ws_events.h"
#include "gateway/http/head_gate.h"
#include "gateway/message/authenticate.h"
#include "gateway/message/reply.h"

#include <stdio.h>
#include <stdlib.h>

void conn_answer_page(struct worker *worker, struct conn *conn,
                      const struct http_response *response) {
    char *bytes;
    size_t length;
    bool without_body = (conn->flags & CONN_INPUT_IS_HEAD) && head_gate_is_head(conn->input);
    stats_add(worker->stats, STAT_HTTP_REQUESTS, 1);
    if (http_response_write(response, without_body, &bytes, &length) != 0) {
        conn_kill(worker, conn);
        return;
    }
    conn_set_state(worker, conn, CONN_REPLYING);
    conn_timers_set_deadline(worker, conn, CONN_REPLY_TIMEOUT_MS);
    if (conn_queue_bytes(worker, conn, (struct span){bytes, length}) != 0) {
        conn_kill(worker, conn);
    }
    free(bytes);
}

void conn_answer_error(struct worker *worker, struct conn *conn, unsigned status,
                       const char *reason, const char *extra_header) {
    struct http_response response = {0};
    http_response_error(&response, status, reason);
    size_t have = strlen(response.extra_headers);
    snprintf(response.extra_headers + have, sizeof response.extra_headers - have, "%s",
             extra_header);
    conn_answer_page(worker, conn, &response);
    http_response_done(&response);
}

/* RFC 6750 section 3. The client learns the code, as `auth_failed` would tell it, and no more. */
static void refuse_token(struct worker *worker, struct conn *conn, enum error_code code) {
    struct http_response response = {0};
    authenticate_count_refusal(worker, conn, code);
    http_response_error_code(&response, 401, error_code_name(code), error_code_message(code));
    snprintf(response.extra_headers, sizeof response.extra_headers,
             "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    conn_answer_page(worker, conn, &response);
    http_response_done(&response);
}

void conn_answer_refusal(struct worker *worker, struct conn *conn,
                         const struct middleware_refusal *refusal) {
    char retry[32] = "";
    if (refusal->token) {
        refuse_token(worker, conn, refusal->code);
        return;
    }
    if (refusal->retry_after_s > 0) {
        snprintf(retry, sizeof retry, "Retry-After: %u\r\n", refusal->retry_after_s);
    }
    conn_answer_error(worker, conn, refusal->status, refusal->reason, retry);
}

static void become_websocket(struct worker *worker, struct conn *conn, struct span response) {
    if (conn->flags & CONN_INPUT_IS_HEAD) {
        head_gate_free(conn->input);
    }
    conn->input = NULL;
    conn->flags &= (uint16_t)~CONN_INPUT_IS_HEAD;
    stats_add(worker->stats, STAT_HTTP_REQUESTS, 1);
    stats_add(worker->stats, STAT_UPGRADES, 1);
    conn_set_state(worker, conn, CONN_PENDING);
    conn_timers_set_deadline(worker, conn, (uint64_t)worker->options->auth_timeout);
    conn_timers_start_pings(worker, conn);
    if (conn_queue_bytes(worker, conn, response) != 0) {
        conn_kill(worker, conn);
        return;
    }
    log_write(LOG_LEVEL_DEBUG, conn->id, "connection opened");
}

void conn_answer_upgrade(struct worker *worker, struct conn *conn,
                         const struct conn_opening *opening, const struct identity *identity,
                         struct span rest) {
    conn->flags |= (uint16_t)(opening->deflate ? CONN_DEFLATE : 0u);
    become_websocket(worker, conn, (struct span){opening->response, opening->length});
    if (conn->state != CONN_PENDING) {
        return;
    }
    if (identity == NULL ||
        !authenticate_accept(worker, conn, identity, AUTHENTICATE_THEN_LIVE, NULL)) {
        reply_auth_required(worker, conn);
    }
    conn_answered(worker, conn);
    bool open = conn_is_open(conn);
    if (open && rest.length > 0) {
        ws_events_feed(worker, conn, (const unsigned char *)rest.data, rest.length);
    }
}
