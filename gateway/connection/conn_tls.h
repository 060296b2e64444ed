/* A connection that speaks TLS: its session beside struct conn, in a table by index that is there only when TLS is on and
 * grows with the connections. One worker owns it.
 *
 * Until the first byte has come a connection costs nothing here. The handshake is asynchronous, under the absolute
 * deadline of the head; its cryptography gets a share of each turn, so that a storm delays no event.
 *
 * Reading takes whole records, so no bytes wait inside OpenSSL where epoll can't see them. Writing: what OpenSSL has put
 * into a record counts as written, whether or not the socket has taken all of it: it can't be taken back. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_TLS_H
#define MOONX_GATEWAY_CONNECTION_CONN_TLS_H

#include "gateway/connection/conn_table.h"
#include "gateway/tls/tls.h"

#include <sys/socket.h>
#include <sys/uio.h>

void conn_tls_done(struct conn_tls_table *table);
/* Before a turn's sockets are looked at. */
void conn_tls_begin_turn(struct worker *worker);

/* CONN_TLS: bytes of the handshake, or room for ours. */
void conn_tls_readable(struct worker *worker, struct conn *conn);
void conn_tls_writable(struct worker *worker, struct conn *conn);

/* The plain bytes of one record into `buffer` (TLS_RECORD_BYTES): > 0; 0: the peer has ended; -EAGAIN; -ECONNRESET. */
ssize_t conn_tls_read(struct worker *worker, struct conn *conn, void *buffer) MUST_CHECK;
/* Puts as much of the pieces as a record holds into one. How many bytes it has taken, *blocked when the socket is full;
 * -ECONNRESET. Without pieces, or when a record is still on its way, it only goes on with that one. */
ssize_t conn_tls_write(struct worker *worker, struct conn *conn, const struct iovec *pieces,
                       unsigned count, bool *blocked) MUST_CHECK;
/* Part of a record has not been taken by the socket yet. */
bool conn_tls_pending(const struct worker *worker, const struct conn *conn);
/* Says close_notify, if the session has come so far and the socket takes it. */
void conn_tls_shut(struct worker *worker, struct conn *conn);
void conn_tls_free(struct worker *worker, struct conn *conn);

/* Receives from any connection: at most `most` bytes of a plain one, a record of one that speaks TLS; the buffer holds
 * TLS_RECORD_BYTES at least. > 0; 0: the end; -EAGAIN; other -errno. */
static inline ssize_t conn_recv(struct worker *worker, struct conn *conn, void *buffer,
                                size_t most) {
    if (conn->flags & CONN_SECURE) {
        return conn_tls_read(worker, conn, buffer);
    }
    ssize_t got = recv(conn->fd, buffer, most, MSG_DONTWAIT);
    return got >= 0 ? got : errno == EINTR ? -EAGAIN : -errno;
}

#endif
