/* Tokens that have been found good, by their SHA-256, until they expire: when a hundred thousand clients come
 * back at once, a public-key signature is not computed a second time. A worker's own, bounded, single-threaded;
 * part of `struct auth`. Only good tokens get in, so a stranger can't fill it. Whoever changes what a token is
 * verified with clears it. */
#ifndef MOONX_GATEWAY_ACCESS_AUTH_CACHE_H
#define MOONX_GATEWAY_ACCESS_AUTH_CACHE_H

#include "gateway/access/digest.h"
#include "gateway/access/identity.h"

#define AUTH_CACHE_ENTRIES 32768 /* 48 bytes each, and some 100 for who it is */

struct auth_cache;

/* Empty. -ENOMEM. */
int auth_cache_new(struct auth_cache **out) MUST_CHECK;
void auth_cache_free(struct auth_cache *cache);

/* True: *out is who the token stands for. False: not there, or not after its time. */
bool auth_cache_find(struct auth_cache *cache, const unsigned char digest[DIGEST_BYTES],
                     int64_t now_wall_ms, struct identity *out);
/* Valid before until_wall_ms. One that nobody can keep is forgotten: the next verification is a full one. */
void auth_cache_put(struct auth_cache *cache, const unsigned char digest[DIGEST_BYTES],
                    const struct identity *identity, int64_t until_wall_ms);
void auth_cache_clear(struct auth_cache *cache);

#endif
