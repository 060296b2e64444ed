/* The signatures HS256, HS384 and HS512 (RFC 7518 section 3.2) with one shared secret. Keyed once, when a
 * worker or the `token` subcommand starts; each signature works on a duplicate. OpenSSL holds the key and
 * wipes it in jwt_hmac_free(). */
#ifndef MOONX_GATEWAY_ACCESS_JWT_HMAC_H
#define MOONX_GATEWAY_ACCESS_JWT_HMAC_H

#include "common/base.h"

#define JWT_HMAC_MAX_BYTES 64

enum jwt_algorithm { JWT_HS256, JWT_HS384, JWT_HS512, JWT_ALGORITHM_COUNT };

struct jwt_hmac;

/* -EINVAL when the secret is empty, -ENOMEM also when OpenSSL has no HMAC. */
int jwt_hmac_new(struct span secret, struct jwt_hmac **out) MUST_CHECK;
void jwt_hmac_free(struct jwt_hmac *hmac);

/* "HS256" …, and back: -ENOENT for any other name; case counts. */
const char *jwt_hmac_name(enum jwt_algorithm algorithm);
int jwt_hmac_find(struct span name) MUST_CHECK;
/* Bytes of a signature; RFC 7518 wants a secret at least as long. */
size_t jwt_hmac_bytes(enum jwt_algorithm algorithm);

/* jwt_hmac_bytes(algorithm) bytes into signature; -ENOMEM. */
int jwt_hmac_sign(const struct jwt_hmac *hmac, enum jwt_algorithm algorithm, struct span text,
                  unsigned char signature[JWT_HMAC_MAX_BYTES]) MUST_CHECK;

#endif
