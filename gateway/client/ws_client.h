/* One WebSocket connection seen from the client: connect and handshake with a deadline, then messages
 * through wslay's event API, driven by the caller's poll(). Belongs to moonx-client, which owns it from
 * ws_client_open to ws_client_free; single-threaded. */
#ifndef MOONX_GATEWAY_CLIENT_WS_CLIENT_H
#define MOONX_GATEWAY_CLIENT_WS_CLIENT_H

#include "gateway/client/ws_tls.h"
#include "gateway/client/ws_url.h"

#define WS_CLIENT_MAX_MESSAGE_BYTES (16u << 20)
#define WS_CLIENT_REASON_BYTES      124

struct ws_client;

/* A whole text message; the bytes are valid during the call. */
typedef void ws_client_message(void *context, struct span text);

struct ws_client_closed {
    unsigned code; /* what the peer's Close said; 1005 when it had none, 1006 when no Close came */
    char reason[WS_CLIENT_REASON_BYTES];
};

/* Connects (every address of the name in turn) and does the handshake within timeout_ms. On failure (those
 * of ws_connect_open()) `error` has one line. Call ws_client_turn() once right after: messages may have come with the answer. */
int ws_client_open(const struct ws_url *url, const struct ws_tls_trust *trust, unsigned timeout_ms,
                   ws_client_message *message, void *context, struct ws_client **out, char *error,
                   size_t error_size) MUST_CHECK;
void ws_client_free(struct ws_client *client);

/* For poll(): POLLIN, POLLOUT or both. */
int ws_client_fd(const struct ws_client *client);
short ws_client_wants(const struct ws_client *client);

/* Reads, answers pings and closes, writes. 0: go on; 1: the closing handshake is done, *closed is filled;
 * -ECONNRESET: the peer went without a Close; -EPROTO: it broke the protocol; other -errno of the socket. */
int ws_client_turn(struct ws_client *client, struct ws_client_closed *closed) MUST_CHECK;

/* Queues a text message (copied) or a Close; the next turn sends it. Nothing can follow a Close. */
int ws_client_send_text(struct ws_client *client, struct span text) MUST_CHECK;
int ws_client_close(struct ws_client *client, unsigned code, const char *reason) MUST_CHECK;

#endif
