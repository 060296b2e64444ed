/* The WebSocket handshake, RFC 6455 section 4.2: pure functions over a request that has passed the gate. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_UPGRADE_H
#define MOONX_GATEWAY_CONNECTION_WS_UPGRADE_H

#include "gateway/http/head_gate.h"

#define WS_UPGRADE_RESPONSE_MAX 512

/* 101: *response (at most WS_UPGRADE_RESPONSE_MAX bytes) holds the answer, *length its size. Otherwise the
 * HTTP status of the refusal (400, 405, 426) with a sentence in *reason (static) and, for 426, the header
 * that must go along in *extra_header (static, "" if none).
 * Echoes `moonx.v1` if offered in Sec-WebSocket-Protocol; accepts no extension. */
unsigned ws_upgrade_check(const struct http_request *request, char *response, size_t *length,
                          const char **reason, const char **extra_header);

#endif
