/* What a request's head is answered: a page, a refusal, or the 101 and with it the first words of a WebSocket. Used by
 * workers, for connections in the states HEAD and JUDGING. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_ANSWER_H
#define MOONX_GATEWAY_CONNECTION_CONN_ANSWER_H

#include "common/code_table.h"
#include "gateway/access/identity.h"
#include "gateway/connection/ws_upgrade.h"
#include "gateway/http/http_response.h"
#include "gateway/worker.h"

struct conn;
struct middleware_refusal;

/* A handshake that may be accepted. */
struct conn_opening {
    bool deflate; /* permessage-deflate is agreed */
    size_t length;
    char response[WS_UPGRADE_RESPONSE_MAX]; /* the 101 */
};

/* Without its body when the request is a HEAD, as far as that has come. */
void conn_answer_page(struct worker *worker, struct conn *conn,
                      const struct http_response *response);
/* `extra_header` "" or whole lines. */
void conn_answer_error(struct worker *worker, struct conn *conn, unsigned status,
                       const char *reason, const char *extra_header);
void conn_answer_refusal(struct worker *worker, struct conn *conn,
                         const struct middleware_refusal *refusal);
/* The 101; `identity` NULL: none has come along, so that it is asked for. `rest`: what has come behind the head. */
void conn_answer_upgrade(struct worker *worker, struct conn *conn,
                         const struct conn_opening *opening, const struct identity *identity,
                         struct span rest);

#endif
