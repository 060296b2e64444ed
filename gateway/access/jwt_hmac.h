/* The signatures HS256, HS384 and HS512 (RFC 7518 section 3.2) with one shared secret. Keyed once, when a
 * worker or the `token` subcommand starts; each signature works on a duplicate. OpenSSL holds the key and
 * wipes it in jwt_hmac_free(). */
#ifndef MOONX_GATEWAY_ACCESS_JWT_HMAC_H
#define MOONX_GATEWAY_ACCESS_JWT_HMAC_H

#include "gateway/access/jwt_algorithm.h"

#define JWT_HMAC_MAX_BYTES 64

struct jwt_hmac;

/* -EINVAL when the secret is empty, -ENOMEM also when OpenSSL has no HMAC. */
int jwt_hmac_new(struct span secret, struct jwt_hmac **out) MUST_CHECK;
void jwt_hmac_free(struct jwt_hmac *hmac);

/* Bytes of a signature; RFC 7518 wants a secret at least as long. `algorithm` is one of JWT_HMAC_COUNT. */
size_t jwt_hmac_bytes(enum jwt_algorithm algorithm);

/* jwt_hmac_bytes(algorithm) bytes into signature; -ENOMEM. */
int jwt_hmac_sign(const struct jwt_hmac *hmac, enum jwt_algorithm algorithm, struct span text,
                  unsigned char signature[JWT_HMAC_MAX_BYTES]) MUST_CHECK;

#endif
