/* A JSON web key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) as a public key. Pure. */
#ifndef MOONX_GATEWAY_ACCESS_JWT_JWK_H
#define MOONX_GATEWAY_ACCESS_JWT_JWK_H

#include "common/json.h"
#include "gateway/access/jwt_key.h"

/* `jwk` has passed json_check. 0; -ENOTSUP: not a key for signatures, *why untouched, or of a kind, curve or algorithm that
 * is not known here; else as jwt_key_new(). */
int jwt_jwk_read(struct json_value jwk, struct jwt_key **out, const char **why) MUST_CHECK;

#endif
