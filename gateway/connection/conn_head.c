#include "gateway/connection/conn_head.h"

#include "gateway/access/handshake_token.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_admin.h"
#include "gateway/connection/conn_answer.h"
#include "gateway/connection/conn_judge.h"
#include "gateway/connection/conn_proxy.h"
#include "gateway/connection/conn_survey.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_tls.h"
#include "gateway/connection/ws_extension.h"
#include "gateway/http/server.h"
#include "gateway/presence/presence.h"

#include <sys/socket.h>

#define HEAD_READ_BYTES 4096u /* of a plain connection */

void conn_head_timeout(struct worker *worker, struct conn *conn) {
    conn_answer_error(worker, conn, 408, "The request did not come in time", "");
}

void conn_head_plain(struct worker *worker, struct conn *conn) {
    conn_answer_error(worker, conn, 400, "This port speaks TLS: use wss:// or https://", "");
}

/* The checks come first: whoever is refused costs no signature. */
static void upgrade(struct worker *worker, struct conn *conn, const struct http_request *request,
                    const struct sockaddr *peer, struct span rest) {
    const char *extensions = worker->options->ws_deflate ? ws_extension_answer(request) : NULL;
    struct conn_opening opening = {.deflate = extensions != NULL};
    const char *reason = "", *extra_header = "";
    unsigned status = ws_upgrade_check(request, extensions, opening.response, &opening.length,
                                       &reason, &extra_header);
    struct identity identity;
    char decoded[HANDSHAKE_TOKEN_BYTES];
    struct middleware_handshake handshake = {
        .request = request, .identity = &identity, .decoded = decoded};
    struct middleware_refusal refusal = {0};
    if (status != 101) {
        conn_answer_error(worker, conn, status, reason, extra_header);
        return;
    }
    switch (middleware_handshake(worker, conn, peer, &handshake, &refusal)) {
    case MIDDLEWARE_ALLOW:
        conn_answer_upgrade(worker, conn, &opening, handshake.identified ? &identity : NULL, rest);
        break;
    case MIDDLEWARE_REFUSE:
        conn_answer_refusal(worker, conn, &refusal);
        break;
    case MIDDLEWARE_LATER:
        conn_judge_begin(worker, conn, &handshake, &opening, rest);
        break;
    }
}

/* False: a body must come first. */
static bool serve(struct worker *worker, struct conn *conn, const struct http_request *request,
                  const struct sockaddr *peer) {
    const struct admin_row *row = admin_find(request->path);
    struct address_client client;
    middleware_client(worker, peer, request, &client);
    bool elsewhere = worker->options->admin_listen[0] != '\0' && !(conn->flags & CONN_ADMIN);
    if (row != NULL && !elsewhere) {
        return conn_admin_serve(worker, conn, row, &client);
    }
    const struct server_context context = {
        .view = &worker->view,
        .client = &client,
        .admin = worker->admin,
        .admin_elsewhere = elsewhere,
        .dev_auth = worker->dev ? worker->auth : NULL,
        .instance_id = worker->options->instance_id,
        .capacity = (uint64_t)worker->options->ws_max_connections,
        .instances = presence_instances(worker->presence),
    };
    struct http_response response = {0};
    struct server_survey survey;
    if (!server_answer(&context, request, &response, &survey)) {
        conn_survey_begin(worker, conn, &survey);
        return true;
    }
    conn_answer_page(worker, conn, &response);
    http_response_done(&response);
    return true;
}

static void head_done(struct worker *worker, struct conn *conn, const unsigned char *rest,
                      size_t rest_length) {
    const struct http_request *request = head_gate_request(conn->input);
    struct sockaddr_storage peer;
    if (!conn_proxy_peer(worker, conn, &peer)) {
        conn_kill(worker, conn); /* it has gone */
        return;
    }
    if (!server_is_websocket_path(request) || (conn->flags & CONN_ADMIN)) {
        head_gate_take_body(conn->input, rest, rest_length);
        if (serve(worker, conn, request, (const struct sockaddr *)&peer)) {
            conn_proxy_forget(worker, conn);
        }
        return;
    }
    conn_proxy_forget(worker, conn);
    upgrade(worker, conn, request, (const struct sockaddr *)&peer,
            (struct span){(const char *)rest, rest_length});
}

static void head_bad(struct worker *worker, struct conn *conn) {
    unsigned status = head_gate_status(conn->input);
    stats_add(worker->stats, STAT_HTTP_BAD_REQUESTS, 1);
    /* RFC 9110 section 15.5.6: a 405 says what is allowed */
    conn_answer_error(worker, conn, status, head_gate_reason(conn->input),
                      status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

static void feed(struct worker *worker, struct conn *conn, const unsigned char *data,
                 size_t length) {
    size_t consumed = 0; /* nothing, once the head has come: the rest is its body */
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
    unsigned char data[TLS_RECORD_BYTES];
    ssize_t got = conn_recv(worker, conn, data, HEAD_READ_BYTES);
    if (got == -EAGAIN) {
        return;
    }
    if (got <= 0) {
        conn_kill(worker, conn);
        return;
    }
    feed(worker, conn, data, (size_t)got);
}
