/* The hosts and their load: each says every two seconds how many connections it has, and reads what the others say.
 *
 *   instances        zset    INSTANCE_IDs by their number of connections: ZRANGE instances 0 0 is the least loaded
 *   instance:{id}    string  {"instance","status","connections","authenticated","capacity","workers","timestamp"},
 *                            gone after ten seconds; then whoever comes next takes it out of `instances` too
 *
 * The worker in the first place speaks for the host, all of them read. A worker's own; used by gateway/presence/. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_INSTANCES_H
#define MOONX_GATEWAY_REDIS_REDIS_INSTANCES_H

#include "gateway/redis/redis.h"

#define REDIS_INSTANCES_EVERY_MS 2000
#define REDIS_INSTANCES_LIFE_MS  10000
#define REDIS_INSTANCES_MAX      256 /* the least loaded ones are listed */

struct redis_instances;

/* `redis` outlives its use. -ENOMEM. */
int redis_instances_new(struct redis *redis, struct redis_instances **out) MUST_CHECK;
void redis_instances_free(struct redis_instances *instances);

/* Reads the list; with `id`, says first that this host has so many connections and what else `text`, JSON, tells. */
void redis_instances_refresh(struct redis_instances *instances, const char *id,
                             uint64_t connections, const char *text);

/* The hosts as last read, each as JSON, least loaded first; the texts live until the loop goes on. -EAGAIN: Redis has not
 * told for REDIS_INSTANCES_LIFE_MS. */
int redis_instances_list(const struct redis_instances *instances, const char *const **texts,
                         unsigned *count) MUST_CHECK;

#endif
