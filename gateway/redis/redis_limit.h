/* The message and byte limits over hosts. Each host counts for itself first (shm/limit_table.h), and what it has counted
 * it tells Redis four times a second: for each active user and limit one share, up to REDIS_LIMIT_KEYS shares in one
 * command, never one a message. A bucket in Redis is one key, `{prefix}ratelimit:{kind}:{user}`, the time (µs since
 * 1970, Redis's clock) at which it will be full again; it expires then. The answer, what the bucket lacks after this share,
 * replaces the host's own figure: so every host knows of the others, and a deleted key resets the limit here too.
 *
 * How exact: within a flush interval and a round trip each host lets through what its own bucket still holds, so n hosts
 * together at most n buckets in a burst. What was too much is owed: it fills up later, so that over minutes the sum is
 * the limit. While Redis is away each host limits alone; what was let through meanwhile is not told afterwards.
 *
 * A worker's own. A share is taken out of shared memory by the worker that tells it, for all workers of the host; when
 * two of them tell about one user in the same interval, the later answer counts until the next one. A worker that dies
 * in between loses the share that it had taken, one interval's at most. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_LIMIT_H
#define MOONX_GATEWAY_REDIS_REDIS_LIMIT_H

#include "gateway/redis/redis.h"
#include "shm/limit_table.h"

#define REDIS_LIMIT_FLUSH_MS 250
#define REDIS_LIMIT_KEYS     64 /* in one command */
#define REDIS_LIMIT_SHARES                                                                         \
    4096 /* of a worker in one interval; who comes later is told with his next message */

struct redis_limit;

/* `redis` has a loop; both outlive it. Its end tells what has not been told; answers that come later are for nobody.
 * -ENOMEM. */
int redis_limit_new(struct redis *redis, const struct limit_table *table,
                    struct redis_limit **out) MUST_CHECK;
void redis_limit_free(struct redis_limit *limit);

/* `user` has used cost_ns of the bucket at `index`, or has been refused (0): to be told with the next flush. `kind` and
 * `user` name the bucket and are copied. */
void redis_limit_touch(struct redis_limit *limit, uint32_t index, uint64_t cost_ns,
                       struct span kind, struct span user);

#endif
