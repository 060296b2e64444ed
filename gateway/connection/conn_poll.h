/* Which client sockets are ready: an epoll set of the worker's own, nested as one event in libevent's base. It
 * saves the 168 bytes a connection that a libevent event costs. Level-triggered; the data of
 * an entry is the connection's index. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_POLL_H
#define MOONX_GATEWAY_CONNECTION_CONN_POLL_H

#include "gateway/worker.h"

struct conn;

/* Behind conn_table_new(). -errno of epoll_create1, -ENOMEM; conn_poll_done() then too. */
int conn_poll_init(struct worker *worker) MUST_CHECK;
void conn_poll_done(struct worker *worker);

/* Reads from now on. -errno of epoll_ctl. */
int conn_poll_add(struct worker *worker, struct conn *conn) MUST_CHECK;
/* The socket is full: only waits for room (and the peer's end); reading stops meanwhile. */
int conn_poll_wait_writable(struct worker *worker, struct conn *conn) MUST_CHECK;
/* Or only its end, while it is CONN_UNREAD. */
int conn_poll_wait_readable(struct worker *worker, struct conn *conn) MUST_CHECK;
/* Only when the peer ends its side. */
int conn_poll_wait_end(struct worker *worker, struct conn *conn) MUST_CHECK;
/* Nothing but errors: the peer has ended its side while an answer is still going out. */
int conn_poll_mute(struct worker *worker, struct conn *conn) MUST_CHECK;

#endif
