/* The token that a client brings along with its handshake, so that it need not send `authenticate`.
 * Pure; the spans lie in the request, or in what was given for a token that stands escaped in it. */
#ifndef MOONX_GATEWAY_ACCESS_HANDSHAKE_TOKEN_H
#define MOONX_GATEWAY_ACCESS_HANDSHAKE_TOKEN_H

#include "gateway/http/http_request.h"

#define HANDSHAKE_TOKEN_BYTES 16384 /* as long as a head */

struct handshake_token_sources {
    bool cookie; /* only with an origin list: else any page could use its visitors' cookies */
    bool query;  /* WS_QUERY_TOKEN: addresses end up in other people's logs */
};

/* 1: *token is it; 0: there is none; -EINVAL: there is one that can't be read, or two that differ in nothing but
 * their place, of which one may be an attacker's. The first of `Authorization: Bearer`, cookie `token`, parameter
 * `token` that is there counts. Another scheme of Authorization (a proxy's Basic) is none. The cookie may be quoted
 * (RFC 6265 section 4.1.1), the parameter percent-encoded: then `decoded`, of HANDSHAKE_TOKEN_BYTES, holds the token. */
int handshake_token_find(const struct http_request *request,
                         const struct handshake_token_sources *sources, char *decoded,
                         struct span *token) MUST_CHECK;

#endif
