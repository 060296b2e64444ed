#include "gateway/connection/conn_head.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/access/auth_jwt.h"
#include "gateway/access/handshake_token.h"
#include "gateway/access/middleware.h"
#include "gateway/access/revocation.h"
#include "gateway/connection/conn_proxy.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/ws_events.h"
#include "gateway/connection/ws_extension.h"
#include "gateway/connection/ws_upgrade.h"
#include "gateway/http/server.h"
#include "gateway/message/authenticate.h"
#include "gateway/message/authenticate_later.h"
#include "gateway/message/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HEAD_READ_BYTES 4096u

static void answer(struct worker *worker, struct conn *conn, const struct http_response *response,
                   bool head_only) {
    char *bytes;
    size_t length;
    stats_add(worker->stats, STAT_HTTP_REQUESTS, 1);
    if (http_response_write(response, head_only, &bytes, &length) != 0) {
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

static void refuse(struct worker *worker, struct conn *conn, unsigned status, const char *reason,
                   const char *extra_header) {
    struct http_response response = {0};
    http_response_error(&response, status, reason);
    size_t have = strlen(response.extra_headers);
    snprintf(response.extra_headers + have, sizeof response.extra_headers - have, "%s",
             extra_header);
    answer(worker, conn, &response, false);
    http_response_done(&response);
}

void conn_head_timeout(struct worker *worker, struct conn *conn) {
    refuse(worker, conn, 408, "The request did not come in time", "");
}

/* RFC 6750 section 3. The client learns the code, as `auth_failed` would tell it, and no more. */
static void refuse_token(struct worker *worker, struct conn *conn, enum error_code code) {
    struct http_response response = {0};
    authenticate_count_refusal(worker, conn, code);
    http_response_error_code(&response, 401, error_code_name(code), error_code_message(code));
    snprintf(response.extra_headers, sizeof response.extra_headers,
             "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    answer(worker, conn, &response, false);
    http_response_done(&response);
}

static void become_websocket(struct worker *worker, struct conn *conn, struct span response) {
    head_gate_free(conn->input);
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

/* 1: the token that has come along is good; 0: none has; -EINPROGRESS: the auth service must be asked about *token;
 * -EACCES with *code. */
static int handshake_identity(const struct worker *worker, const struct http_request *request,
                              struct identity *identity, struct span *token,
                              enum error_code *code) {
    const struct origin_list *origins =
        worker->middleware != NULL ? worker->middleware->origins : NULL;
    const struct handshake_token_sources sources = {.cookie = origin_list_restricts(origins),
                                                    .query = worker->options->ws_query_token};
    int found = handshake_token_find(request, &sources, token);
    if (found <= 0) {
        *code = ERROR_INVALID_TOKEN;
        return found == 0 ? 0 : -EACCES;
    }
    int result = auth_verify(worker->auth, *token, clock_wall_ms(), identity, code);
    if (result != 0) {
        return result;
    }
    *code = revocation_check(worker, identity);
    return *code == ERROR_CODE_COUNT ? 1 : -EACCES;
}

/* The first words of a new WebSocket; `found` as handshake_identity() gave it. */
static void greet(struct worker *worker, struct conn *conn, int found,
                  const struct identity *identity, struct span token) {
    static const cJSON no_data = {.type = cJSON_Object};
    const struct message as_if_said = {.type = "authenticate", .data = &no_data};
    if (found == -EINPROGRESS) {
        authenticate_later(worker, conn, &as_if_said, token);
    } else if (found == 0 || !authenticate_accept(worker, conn, identity, NULL)) {
        reply_auth_required(worker, conn);
    }
}

/* The checks come first: whoever is refused costs no cryptography. */
static void upgrade(struct worker *worker, struct conn *conn, const struct http_request *request,
                    const struct sockaddr *peer) {
    char response[WS_UPGRADE_RESPONSE_MAX];
    size_t length = 0;
    const char *reason = "", *extra_header = "";
    struct middleware_refusal refusal = {0};
    if (!middleware_handshake(worker, conn, peer, request, &refusal)) {
        char retry[32] = "";
        if (refusal.retry_after_s > 0) {
            snprintf(retry, sizeof retry, "Retry-After: %u\r\n", refusal.retry_after_s);
        }
        refuse(worker, conn, refusal.status, refusal.reason, retry);
        return;
    }
    bool deflate = worker->options->ws_deflate && ws_extension_takes_deflate(request);
    unsigned status = ws_upgrade_check(request, deflate ? WS_EXTENSION_DEFLATE : NULL, response,
                                       &length, &reason, &extra_header);
    if (status != 101) {
        refuse(worker, conn, status, reason, extra_header);
        return;
    }
    struct identity identity;
    struct span token = {"", 0};
    char kept[AUTH_JWT_MAX_BYTES]; /* the request goes when the socket changes its protocol */
    enum error_code code;
    int found = handshake_identity(worker, request, &identity, &token, &code);
    if (found == -EACCES && code == ERROR_AUTH_UNAVAILABLE) {
        refuse(worker, conn, 503, error_code_message(code), "Retry-After: 1\r\n");
        return;
    }
    if (found == -EACCES) {
        refuse_token(worker, conn, code);
        return;
    }
    conn->flags |= (uint16_t)(deflate ? CONN_DEFLATE : 0u);
    if (found == -EINPROGRESS) {
        memcpy(kept, token.data, token.length); /* auth_verify() has looked at its length */
        token.data = kept;
    }
    become_websocket(worker, conn, (struct span){response, length});
    if (conn->state == CONN_PENDING) {
        greet(worker, conn, found, &identity, token);
    }
}

static void serve(struct worker *worker, struct conn *conn, const struct http_request *request,
                  const struct sockaddr *peer) {
    struct address_client client;
    middleware_client(worker, peer, request, &client);
    const struct server_context context = {
        .view = &worker->view,
        .client = &client,
        .admin = worker->admin,
        .dev_auth = worker->dev ? worker->auth : NULL,
        .instance_id = worker->options->instance_id,
    };
    struct http_response response = {0};
    server_answer(&context, request, &response);
    answer(worker, conn, &response, span_is(request->method, "HEAD"));
    http_response_done(&response);
}

static void head_done(struct worker *worker, struct conn *conn, const unsigned char *rest,
                      size_t rest_length) {
    const struct http_request *request = head_gate_request(conn->input);
    struct sockaddr_storage peer;
    if (!conn_proxy_peer(worker, conn, &peer)) {
        conn_kill(worker, conn); /* it has gone */
        return;
    }
    conn_proxy_forget(worker, conn);
    if (!server_is_websocket_path(request)) {
        serve(worker, conn, request, (const struct sockaddr *)&peer);
        return;
    }
    upgrade(worker, conn, request, (const struct sockaddr *)&peer);
    bool open = conn->state == CONN_PENDING || conn->state == CONN_LIVE;
    if (open && rest_length > 0) {
        ws_events_feed(worker, conn, rest, rest_length);
    }
}

static void head_bad(struct worker *worker, struct conn *conn) {
    unsigned status = head_gate_status(conn->input);
    stats_add(worker->stats, STAT_HTTP_BAD_REQUESTS, 1);
    /* RFC 9110 section 15.5.6: a 405 says what is allowed */
    refuse(worker, conn, status, head_gate_reason(conn->input),
           status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

static void feed(struct worker *worker, struct conn *conn, const unsigned char *data,
                 size_t length) {
    size_t consumed = 0;
    switch (head_gate_feed(conn->input, (const char *)data, length, &consumed)) {
    case HEAD_MORE:
        break;
    case HEAD_DONE:
        head_done(worker, conn, data + consumed, length - consumed);
        break;
    case HEAD_BAD:
        head_bad(worker, conn);
        break;
    }
}

void conn_head_readable(struct worker *worker, struct conn *conn) {
    unsigned char data[HEAD_READ_BYTES];
    ssize_t got = recv(conn->fd, data, sizeof data, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        conn_kill(worker, conn);
        return;
    }
    feed(worker, conn, data, (size_t)got);
}
