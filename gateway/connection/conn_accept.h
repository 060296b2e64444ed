/* Taking new connections from the worker's share of the listening sockets. The sockets belong to the supervisor:
 * a worker only stops accepting, it never makes the kernel forget who waits. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_ACCEPT_H
#define MOONX_GATEWAY_CONNECTION_CONN_ACCEPT_H

#include "gateway/worker.h"

/* The last step of a worker's start: from now on connections come. -ENOMEM. */
int conn_accept_start(struct worker *worker) MUST_CHECK;
void conn_accept_stop(struct worker *worker);

#endif
