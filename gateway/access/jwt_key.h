/* One public key that verifies signatures (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1), by OpenSSL. Its
 * kind, and so its algorithms, are its own: a token can't choose them. Read-only once made; owned by the
 * jwt_key_set that holds it. */
#ifndef MOONX_GATEWAY_ACCESS_JWT_KEY_H
#define MOONX_GATEWAY_ACCESS_JWT_KEY_H

#include "gateway/access/jwt_algorithm.h"

#include <openssl/types.h>

#define JWT_KEY_ID_MAX              256
#define JWT_KEY_SIGNATURE_MAX_BYTES 1024 /* RSA of 8192 bits */

struct jwt_key;

/* Takes `pkey` over, also on failure. `id` is empty for a key without one. -EINVAL with a few words in *why
 * (static) for a key that is too weak or of a kind that no algorithm uses; -ENOMEM. */
int jwt_key_new(EVP_PKEY *pkey, struct span id, struct jwt_key **out, const char **why) MUST_CHECK;
/* SubjectPublicKeyInfo or PKCS #1 in PEM; exactly one. As jwt_key_new(). */
int jwt_key_from_pem(struct span pem, struct jwt_key **out, const char **why) MUST_CHECK;
void jwt_key_free(struct jwt_key *key);

struct span jwt_key_id(const struct jwt_key *key);
/* Set of JWT_ALGORITHM_BIT()s; jwt_key_restrict() keeps only those of `algorithms`. */
unsigned jwt_key_algorithms(const struct jwt_key *key);
void jwt_key_restrict(struct jwt_key *key, unsigned algorithms);

/* False for a wrong signature, one of a wrong length or form, and an algorithm that the key is not for. */
bool jwt_key_verify(const struct jwt_key *key, enum jwt_algorithm algorithm, struct span text,
                    struct span signature);

#endif
