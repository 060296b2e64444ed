/* Reading a WebSocket connection: a bounded number of bytes a turn, so that no client starves the loop; none
 * while its replies wait to be written, so that no client makes the gateway hoard answers. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_READ_H
#define MOONX_GATEWAY_CONNECTION_CONN_READ_H

#include "gateway/worker.h"

struct conn;

void conn_readable(struct worker *worker, struct conn *conn);
/* Throws away what comes: an HTTP answer is on its way, or everything has been said. */
void conn_read_discard(struct worker *worker, struct conn *conn);

#endif
