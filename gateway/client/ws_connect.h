/* The way to an open WebSocket: TCP connection, TLS for wss://, and handshake under one deadline. Blocks (with poll) until
 * it is there or can't be; used by ws_client. */
#ifndef MOONX_GATEWAY_CLIENT_WS_CONNECT_H
#define MOONX_GATEWAY_CLIENT_WS_CONNECT_H

#include "gateway/client/ws_handshake.h"
#include "gateway/client/ws_tls.h"
#include "gateway/client/ws_url.h"

struct ws_connect {
    int fd;             /* -1: none */
    struct ws_tls *tls; /* NULL: without */
    /* Bytes that came behind the answer's head belong to the WebSocket: early[early_at … early_end). */
    size_t early_at, early_end;
    char early[WS_HANDSHAKE_ANSWER_MAX];
};

/* Tries every address of the name in turn. On failure `error` has one line; -EBUSY: the server says that another time
 * may be better (429, 5xx); -EACCES: it refuses (other statuses); -EPROTO: it does not speak WebSocket. */
int ws_connect_open(const struct ws_url *url, const struct ws_tls_trust *trust, unsigned timeout_ms,
                    struct ws_connect *out, char *error, size_t error_size) MUST_CHECK;

void ws_connect_close(struct ws_connect *connection);

/* As recv() and send(), whatever lies between; -errno for errors. The early bytes are the caller's business. */
ssize_t ws_connect_read(struct ws_connect *connection, void *buffer, size_t size) MUST_CHECK;
ssize_t ws_connect_write(struct ws_connect *connection, const void *data, size_t length) MUST_CHECK;

#endif
