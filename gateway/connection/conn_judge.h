/* A handshake whose verdict takes a while (a check of its chain has said MIDDLEWARE_LATER): the connection is JUDGING,
 * nothing is read from it, the request is gone, and what is still needed of it lies in a note that lives until the answer
 * comes, at most as long as the check's deadline. The answer finds the connection by index and id, since it may have
 * gone. Used by workers. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_JUDGE_H
#define MOONX_GATEWAY_CONNECTION_CONN_JUDGE_H

#include "gateway/access/middleware.h"
#include "gateway/connection/conn_answer.h"

/* Puts the question; where that can't be, the client is told at once. */
void conn_judge_begin(struct worker *worker, struct conn *conn,
                      const struct middleware_handshake *handshake,
                      const struct conn_opening *opening, struct span rest);
/* The backstop, should a check break its promise: 503. */
void conn_judge_timeout(struct worker *worker, struct conn *conn);

#endif
