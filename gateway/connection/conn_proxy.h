/* Connections that come through a proxy which says in a PROXY header whose they are (PROXY_PROTOCOL). It is asked for by
 * the peer's address, never by looking whether there is one: who is in TRUSTED_PROXIES must begin with it, for anybody
 * else it is no HTTP and refused as such. From then on its address is the peer's, and the usual rules follow, those of
 * X-Forwarded-For among them.
 *
 * What a header says is kept beside the connection, whose own struct has no room for it, and only until the request's
 * head has been judged. Workers only; a connection's table of them ends with the worker. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_PROXY_H
#define MOONX_GATEWAY_CONNECTION_CONN_PROXY_H

#include "gateway/worker.h"

#include <sys/socket.h>

struct conn;

/* Makes a connection just accepted wait for its header, if its peer is a proxy that sends one. -ENOMEM; -errno when the
 * peer has gone. */
int conn_proxy_begin(struct worker *worker, struct conn *conn) MUST_CHECK;

/* Reads the header and not a byte more; then the connection goes on as if it had been accepted now. */
void conn_proxy_readable(struct worker *worker, struct conn *conn);
/* The header has not come in time: there is nobody to whom an answer would mean something. */
void conn_proxy_timeout(struct worker *worker, struct conn *conn);

/* Whose connection it is: what the header said, AF_UNSPEC when it said nobody, or the socket's peer. False: it has
 * gone. */
bool conn_proxy_peer(const struct worker *worker, const struct conn *conn,
                     struct sockaddr_storage *peer) MUST_CHECK;
/* Nobody will ask again. */
void conn_proxy_forget(struct worker *worker, struct conn *conn);

#endif
