/* The WebSocket handshake, RFC 6455 section 4.2: a pure function over a request that has passed the gate.
 * Used by workers; keeps nothing. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_UPGRADE_H
#define MOONX_GATEWAY_CONNECTION_WS_UPGRADE_H

#include "gateway/http/http_request.h"

#define WS_UPGRADE_RESPONSE_MAX 512

/* 101: *response (at most WS_UPGRADE_RESPONSE_MAX bytes) holds the answer, *length its size. Otherwise the
 * HTTP status of the refusal (400, 405, 426; 500 when OpenSSL fails) with a sentence in *reason (static) and
 * the headers that must go along in *extra_header (static, "Name: value\r\n" each, "" if none; made for
 * http_response's extra_headers).
 * Echoes `moonx.v1` if offered in Sec-WebSocket-Protocol. `extensions` is what the answer says in
 * Sec-WebSocket-Extensions, NULL: nothing (ws_extension.h). */
unsigned ws_upgrade_check(const struct http_request *request, const char *extensions,
                          char *response, size_t *length, const char **reason,
                          const char **extra_header);

#endif
