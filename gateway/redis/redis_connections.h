/* Connections per address and per user over hosts. Each host counts its own exactly (shm/limit_table.h); how many it has
 * it tells Redis four times a second, for each address or user of whom that has changed, up to REDIS_CONNECTIONS_KEYS in
 * one command, and for all of them three times in REDIS_EXPIRY. The answer, how many there are on the other hosts,
 * stands beside the host's own count for all its workers.
 *
 *   {prefix}ratelimit:connections:{kind}:{name}   hash   INSTANCE_ID: "{count}:{time at which it counts no more}"
 *
 * How exact: on this host to the one; of another host's connections it knows a flush and a round trip later, so n hosts
 * together let in at most n - 1 intervals' newcomers too many, who stay. What a killed host had counts until it runs out;
 * a deleted key means none elsewhere until the others tell again. While Redis is away this host's own counts hold alone.
 *
 * A worker's own: it tells of whom it has connections, or has refused some, and the count is that of all workers, so that
 * nothing is lost when two tell or one dies. About 150 bytes for each address or user. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_CONNECTIONS_H
#define MOONX_GATEWAY_REDIS_REDIS_CONNECTIONS_H

#include "common/option.h"
#include "gateway/redis/redis.h"
#include "shm/limit_table.h"

#define REDIS_CONNECTIONS_FLUSH_MS 250
#define REDIS_CONNECTIONS_KEYS     64 /* in one command */

struct redis_connections;

/* For this worker, with what it borrows until redis_connections_move(); `redis` has a loop. -ENOMEM. */
int redis_connections_new(struct redis *redis, const struct limit_table *table, uint32_t worker,
                          const struct options *options, struct redis_connections **out) MUST_CHECK;
void redis_connections_free(struct redis_connections *connections);
/* The same connections under new options, after a reload. */
void redis_connections_move(struct redis_connections *connections, struct redis *redis,
                            const struct limit_table *table, const struct options *options);

/* Who has the entry at `index` has one more connection here, or has been refused one: to be told with the next flush.
 * `kind` and `name` are copied. */
void redis_connections_touch(struct redis_connections *connections, uint32_t index,
                             struct span kind, struct span name);
/* Who has this key has one less. Nothing for one of whom nothing is told. */
void redis_connections_left(struct redis_connections *connections, uint64_t key);

/* Whether there are more than `most` on all hosts together, as far as is known. */
bool redis_connections_over(const struct redis_connections *connections, uint32_t index,
                            uint64_t most);

#endif
