/* The limits as the options name them, and what is left of them for an address or a user: shm/limit_table.h holds
 * the figures for all workers. Owned by a worker; without RATE_LIMIT_ENABLED there is none, and none of these
 * functions is called.
 *
 * An IPv6 client counts by its /64, which is what one customer gets: every address in it is as easily had as one.
 *
 * RATE_LIMIT_MAX_MESSAGES_PER_MINUTE is a number, a list `type=n,...`, or both: `120,subscribe=30`. A type's limit
 * stands beside the one for all types. Each is a bucket of that size that refills evenly in a minute, and so is
 * RATE_LIMIT_MAX_BYTES_PER_MINUTE. With Redis these buckets are shared with other hosts (redis/redis_limit.h), and so are
 * the counts of connections (redis/redis_connections.h). */
#ifndef MOONX_GATEWAY_ACCESS_LIMIT_H
#define MOONX_GATEWAY_ACCESS_LIMIT_H

#include "common/option.h"
#include "common/siphash.h"
#include "gateway/access/address.h"
#include "gateway/redis/redis_connections.h"
#include "gateway/redis/redis_limit.h"
#include "shm/limit_table.h"

#define LIMIT_TYPES_MAX      32
#define LIMIT_TYPE_BYTES     64
#define LIMIT_PER_MINUTE_MAX 1000000

struct limit_type {
    char name[LIMIT_TYPE_BYTES + 1];
    struct limit_rate rate;
};

struct limit {
    struct limit_table table; /* header NULL: not attached, as in --check-config */
    uint32_t worker;
    struct siphash_key hash_key;
    uint64_t per_address, per_user;        /* connections; 0: any number */
    struct limit_rate handshakes;          /* burst 0: none */
    struct limit_rate messages;            /* burst 0: none for all types together */
    struct limit_rate bytes;               /* burst 0: none */
    const struct options *options;         /* those it was made of */
    struct redis_limit *shared;            /* NULL: this host alone */
    struct redis_connections *connections; /* likewise */
    unsigned type_count;
    struct limit_type types[LIMIT_TYPES_MAX];
};

/* From the options alone. `error` gets one line. */
int limit_new(const struct options *options, struct limit **out, char *error,
              size_t error_size) MUST_CHECK;
/* The host's table; hash_key is the host's too, so that all workers mean the same key. -errno of the mapping. */
int limit_attach(struct limit *limit, int fd, uint32_t worker,
                 const struct siphash_key *hash_key) MUST_CHECK;
/* Shares the buckets of users, and the counts, with other hosts; `redis` has a loop and outlives it. -ENOMEM. */
int limit_share(struct limit *limit, struct redis *redis) MUST_CHECK;
/* After a reload: what `old` knows of connections that are still there goes on under `limit`'s options. */
void limit_adopt(struct limit *limit, struct limit *old, struct redis *redis);
void limit_free(struct limit *limit);

/* One connection more; false when there are enough. *index is for limit_leave(), once. */
bool limit_enter_address(const struct limit *limit, const struct address *address,
                         uint32_t *index) MUST_CHECK;
bool limit_enter_user(const struct limit *limit, struct span user_id, uint32_t *index) MUST_CHECK;
void limit_leave(const struct limit *limit, uint32_t index);

/* 0: go on; else the seconds until it is worth to try again, at least 1. */
unsigned limit_handshake(const struct limit *limit) MUST_CHECK;
/* `user`: what limit_enter_user() gave. `type` "" : of no known type. */
unsigned limit_message(const struct limit *limit, uint32_t user, struct span user_id,
                       const char *type, size_t bytes) MUST_CHECK;

#endif
