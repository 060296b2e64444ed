/* JSON web tokens in compact form (RFC 7519, RFC 7515), checked as RFC 8725 asks: the algorithm is one of
 * those configured, whatever the token says; a key verifies algorithms of its own kind only; `kid` chooses
 * among the configured keys and nothing else in the header chooses anything. With several issuers the `iss` of the
 * claims says whose keys are tried, and nothing else; what these have verified must then be a token of that issuer.
 * Everything else in the claims is read when the signature has been found good. Part of `struct auth`. */
#ifndef MOONX_GATEWAY_ACCESS_AUTH_JWT_H
#define MOONX_GATEWAY_ACCESS_AUTH_JWT_H

#include "common/code_table.h"
#include "common/issuer_list.h"
#include "gateway/access/auth_cache.h"
#include "gateway/access/identity.h"
#include "gateway/access/jwt_claims.h"
#include "gateway/access/jwt_hmac.h"
#include "gateway/access/jwt_key_set.h"

#define AUTH_JWT_MAX_BYTES 8192

/* Keys, and whose tokens they verify: nobody else's. All owned. */
struct jwt_issuer {
    char *name;               /* "": whoever, and then it is the only one */
    char *place;              /* the file or the address that the keys are from */
    struct jwt_key_set *keys; /* NULL: not fetched yet */
};

struct auth_jwt {
    struct jwt_hmac *hmac; /* owned; NULL without a shared secret */
    unsigned issuer_count; /* 0: no public keys */
    struct jwt_issuer issuers[ISSUER_LIST_MAX];
    struct auth_cache *cache;  /* owned; of what the public keys have verified; may be NULL */
    unsigned accepted;         /* set of JWT_ALGORITHM_BIT()s */
    enum jwt_algorithm minted; /* what auth_jwt_mint() signs with, where there is a secret */
    struct jwt_rules rules;
};

/* Frees what it owns, not itself. */
void auth_jwt_done(struct auth_jwt *jwt);

/* Which of issuers[] lacks the key that a token wants, though it could be there; -1: none. */
int auth_jwt_lacks_key(const struct auth_jwt *jwt, struct span token);
/* When a token says that it ends and what it can be named by, without any verification: for tokens that somebody else
 * vouches for. *expires_ms is 0 when it doesn't say; likewise the marks. */
void auth_jwt_peek(struct span token, int64_t *expires_ms, struct identity_marks *marks);

/* As auth_verify() and auth_mint() of auth.h. */
int auth_jwt_verify(const struct auth_jwt *jwt, struct span token, int64_t now_wall_ms,
                    struct identity *out, enum error_code *code) MUST_CHECK;
int auth_jwt_mint(const struct auth_jwt *jwt, const struct identity *identity, int64_t now_wall_ms,
                  long long ttl_s, char **out) MUST_CHECK;

#endif
