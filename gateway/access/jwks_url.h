/* Keys that an issuer publishes at an address (JWT_JWKS_URL): fetched at start, on a timer, and for a token whose
 * key is not there, though not more often than every few seconds. When a fetch fails the old keys stay. A worker's
 * own, one for each issuer; part of `struct auth`, whose keys it replaces. */
#ifndef MOONX_GATEWAY_ACCESS_JWKS_URL_H
#define MOONX_GATEWAY_ACCESS_JWKS_URL_H

#include "gateway/access/auth_jwt.h"
#include "shm/stats.h"

struct event_base;
struct http_tls;
struct jwks_url;

/* For an issuer whose place is an address; the cache is cleared when the keys change. Both outlive it. `error` has one
 * line that names the option. */
int jwks_url_new(struct jwt_issuer *issuer, struct auth_cache *cache, uint64_t refresh_ms,
                 struct jwks_url **out, char *error, size_t error_size) MUST_CHECK;
void jwks_url_free(struct jwks_url *source);
/* Begins to fetch on this loop, and counts in `stats` as an issuer whose keys are there or not; jwks_url_stop() before
 * the loop goes. -ENOMEM. */
int jwks_url_start(struct jwks_url *source, struct event_base *base, const struct http_tls *tls,
                   struct stats *stats) MUST_CHECK;
void jwks_url_stop(struct jwks_url *source);
/* After a reload: `old` is stopped, and its keys verify on until this one has fetched, if both name the same issuer and
 * address. */
void jwks_url_adopt(struct jwks_url *source, struct jwks_url *old);

/* A token needs a key that is not there. True: keys are being fetched, so it may be good in a moment. */
bool jwks_url_wanted(struct jwks_url *source);
/* The issuer has not answered the last time, or never yet: whether such a key exists nobody can tell. */
bool jwks_url_away(const struct jwks_url *source);

#endif
