/* TLS under one WebSocket connection, for wss://: the server's certificate has to be valid, of an authority that is
 * believed, and for the host that was asked for. TLS 1.2 and later. Over a non-blocking socket that stays the caller's.
 * Belongs to a ws_connect. */
#ifndef MOONX_GATEWAY_CLIENT_WS_TLS_H
#define MOONX_GATEWAY_CLIENT_WS_TLS_H

#include "common/base.h"

#include <sys/types.h>

struct ws_tls;

/* Whom to believe. */
struct ws_tls_trust {
    const char *ca_file; /* the authorities in this PEM file alone; NULL: the system's */
    bool insecure;       /* anybody */
};

/* -EACCES when the authorities can't be had, -ENOMEM; `error` has one line. `host`: a name, or an address without
 * brackets. */
int ws_tls_new(const struct ws_tls_trust *trust, const char *host, int fd, struct ws_tls **out,
               char *error, size_t error_size) MUST_CHECK;
void ws_tls_free(struct ws_tls *tls);

/* 0: done; POLLIN or POLLOUT: wait for that and call again; -EACCES: the certificate is refused; -EPROTO: no TLS, or none
 * in common. `error` has one line then. */
int ws_tls_handshake(struct ws_tls *tls, char *error, size_t error_size) MUST_CHECK;

/* As recv() and send() on a non-blocking socket, but -errno for errors. A connection cut without TLS's own farewell is
 * -ECONNRESET. Whoever writes ignores SIGPIPE. */
ssize_t ws_tls_read(struct ws_tls *tls, void *buffer, size_t size) MUST_CHECK;
ssize_t ws_tls_write(struct ws_tls *tls, const void *data, size_t length) MUST_CHECK;

#endif
