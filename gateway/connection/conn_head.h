/* A connection before it is a WebSocket: reads the request's head through the gate, then either upgrades or
 * answers and closes. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_HEAD_H
#define MOONX_GATEWAY_CONNECTION_CONN_HEAD_H

#include "gateway/worker.h"

struct conn;

void conn_head_readable(struct worker *worker, struct conn *conn);
/* The head has not come in time: 408. */
void conn_head_timeout(struct worker *worker, struct conn *conn);
/* Plain HTTP where TLS is spoken: 400, in plain text, since that is what it understands. */
void conn_head_plain(struct worker *worker, struct conn *conn);

#endif
