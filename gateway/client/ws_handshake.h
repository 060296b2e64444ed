/* The client's half of the WebSocket handshake, RFC 6455 section 4.1. Pure functions; used by moonx-client
 * and by the bench's load generator (tests/bench). */
#ifndef MOONX_GATEWAY_CLIENT_WS_HANDSHAKE_H
#define MOONX_GATEWAY_CLIENT_WS_HANDSHAKE_H

#include "common/base.h"

#define WS_HANDSHAKE_KEY_BYTES    25   /* 24 base64 characters and a NUL */
#define WS_HANDSHAKE_ACCEPT_BYTES 29   /* 28 base64 characters and a NUL */
#define WS_HANDSHAKE_ANSWER_MAX   8192 /* longest answer (with an error's body) that is looked at */

enum ws_handshake_result {
    WS_HANDSHAKE_MORE,    /* the answer is not complete yet */
    WS_HANDSHAKE_OPEN,    /* 101, all headers right */
    WS_HANDSHAKE_REFUSED, /* another HTTP status */
    WS_HANDSHAKE_BAD,     /* not HTTP, or a 101 that does not fit */
};

struct ws_handshake_answer {
    unsigned status;
    size_t head_bytes; /* bytes behind these belong to the WebSocket */
    char message
        [256]; /* REFUSED: the body's error message, else the reason phrase; BAD: what is wrong */
};

/* A random key. -EIO: no randomness. */
int ws_handshake_key(char key[WS_HANDSHAKE_KEY_BYTES]) MUST_CHECK;

/* The Sec-WebSocket-Accept that belongs to a key. */
void ws_handshake_accept(const char *key, char accept[WS_HANDSHAKE_ACCEPT_BYTES]);

/* The request. Returns its length or -ENOSPC. */
long ws_handshake_request(const char *authority, const char *target, const char *key, char *buffer,
                          size_t size) MUST_CHECK;

/* Looks at what has been received so far; `ended`: nothing more will come. *out is filled unless MORE. */
enum ws_handshake_result ws_handshake_check(struct span received, bool ended, const char *key,
                                            struct ws_handshake_answer *out);

#endif
