/* The public keys that tokens may be signed with: one from a PEM file, or those of a JSON web key set (RFC 7517
 * section 5), where a token's `kid` says which. Read-only once made; owned by `struct auth`, and replaced as a
 * whole when the keys are rotated. */
#ifndef MOONX_GATEWAY_ACCESS_JWT_KEY_SET_H
#define MOONX_GATEWAY_ACCESS_JWT_KEY_SET_H

#include "gateway/access/jwt_key.h"

#define JWT_KEY_SET_MAX 64

struct jwt_key_set;

/* Room for the words of `why` below. */
#define JWT_KEY_SET_WORDS 320

/* -EINVAL with a few words about the file in `why` ("holds …"); -ENOMEM also. */
int jwt_key_set_from_pem(struct span pem, struct jwt_key_set **out, char *why,
                         size_t why_size) MUST_CHECK;
/* A key that can't be used (weak, malformed, private, of an unknown kind) is passed over, as RFC 7517 section 5 wants it:
 * one bad key must not lock out those whom the others vouch for. Without a single usable one: -EINVAL. */
int jwt_key_set_from_jwks(struct span jwks, struct jwt_key_set **out, char *why,
                          size_t why_size) MUST_CHECK;
void jwt_key_set_free(struct jwt_key_set *set);

/* A few words about the keys that were passed over, with the number and the `kid` of the first, for the operator; ""
 * for none. Keys that are for encryption are none of them. Lives as long as the set. */
const char *jwt_key_set_passed_over(const struct jwt_key_set *set);
/* All algorithms that one of the keys can verify. */
unsigned jwt_key_set_algorithms(const struct jwt_key_set *set);
/* Whether `kid` chooses among these keys: not with the one key of a PEM file. */
bool jwt_key_set_by_id(const struct jwt_key_set *set);
/* By `kid` the key with this id. Without one (kid.data NULL), and with a PEM file, the only key that fits the
 * algorithm. NULL: there is none, or it would have to be guessed. */
const struct jwt_key *jwt_key_set_find(const struct jwt_key_set *set, struct span kid,
                                       enum jwt_algorithm algorithm);

#endif
