/* The signature algorithms of JSON web tokens (RFC 7518 section 3.1, RFC 8037): name, kind of key, digest. One
 * table; pure. A key is of one kind, and an algorithm wants one kind: so no key ever verifies an algorithm that
 * it is not for, whatever a token says (RFC 8725 section 3.1). */
#ifndef MOONX_GATEWAY_ACCESS_JWT_ALGORITHM_H
#define MOONX_GATEWAY_ACCESS_JWT_ALGORITHM_H

#include "common/base.h"

enum jwt_kind { JWT_SECRET, JWT_RSA, JWT_P256, JWT_P384, JWT_P521, JWT_ED25519 };

enum jwt_algorithm {
    JWT_HS256, /* those with a shared secret first: they are JWT_HMAC_COUNT */
    JWT_HS384,
    JWT_HS512,
    JWT_HMAC_COUNT,
    JWT_RS256 = JWT_HMAC_COUNT,
    JWT_RS384,
    JWT_RS512,
    JWT_PS256,
    JWT_PS384,
    JWT_PS512,
    JWT_ES256,
    JWT_ES384,
    JWT_ES512,
    JWT_EDDSA,
    JWT_ALGORITHM_COUNT
};

struct jwt_algorithm_row {
    const char *name;
    const char *digest; /* OpenSSL's name; NULL: the algorithm brings its own */
    enum jwt_kind kind;
    bool pss; /* RSASSA-PSS, else PKCS #1 v1.5 */
};

/* Sets of algorithms. */
#define JWT_ALGORITHM_BIT(algorithm) (1u << (algorithm))
#define JWT_ALGORITHMS_HMAC          ((1u << JWT_HMAC_COUNT) - 1)
#define JWT_ALGORITHMS_ALL           ((1u << JWT_ALGORITHM_COUNT) - 1)

/* Never NULL. */
const struct jwt_algorithm_row *jwt_algorithm_row(enum jwt_algorithm algorithm);
/* -ENOENT for any other name; case counts. */
int jwt_algorithm_find(struct span name) MUST_CHECK;
/* All that a key of this kind can verify. */
unsigned jwt_algorithm_set(enum jwt_kind kind);

#endif
