/* Who is online: on this host by shared memory, on all hosts by Redis. One for each worker, from its start to its end.
 *
 * This host: the first connection of a user on a worker counts one for him in the table of limits (shm/limit_table.h,
 * under a key of its own), the last one takes it back; the supervisor takes back what a dead worker held. So any worker
 * knows, exactly, who is here.
 *
 * All hosts: each connection is told to Redis when it comes and when it goes, within PRESENCE_FLUSH_MS, and again three
 * times in REDIS_EXPIRY, a slice of the table at a time (redis/redis_presence.h). Without Redis one host is all there is;
 * with a Redis that is away nobody knows, and that is what is answered. */
#ifndef MOONX_GATEWAY_PRESENCE_PRESENCE_H
#define MOONX_GATEWAY_PRESENCE_PRESENCE_H

#include "gateway/redis/redis_presence.h"
#include "gateway/worker.h"

#define PRESENCE_FLUSH_MS  250
#define PRESENCE_USERS_MAX 100 /* asked about at once */

struct presence;
struct redis_instances;
struct room_presence;

/* After the loop and the shared memory. -errno. */
int presence_new(struct worker *worker, struct presence **out) MUST_CHECK;
void presence_free(struct presence *presence);
/* With the worker's Redis and options, at the start and after each reload, while those before are still there. -ENOMEM:
 * nothing is shared. */
int presence_share(struct presence *presence) MUST_CHECK;
/* The worker is about to end: tells Redis that its connections go, as far as one turn of the loop can. */
void presence_leave(struct presence *presence);

/* The connection has just become a user's; it is about to be nobody's. `presence` may be NULL. */
void presence_came(struct presence *presence, const struct conn *conn);
void presence_went(struct presence *presence, const struct conn *conn);

/* Whether the user has a connection to this host. */
bool presence_is_here(const struct presence *presence, struct span user);
/* Whether users are online anywhere; at most PRESENCE_USERS_MAX. 1: online[] tells; 0: `answer` will be called, from the
 * loop; -EAGAIN: Redis is away; -ENOMEM. */
int presence_ask(struct presence *presence, const struct span *users, unsigned count, bool *online,
                 redis_presence_answer *answer, void *context) MUST_CHECK;

/* Who is in a room. */
struct room_presence *presence_rooms(const struct presence *presence);
/* NULL: no Redis is configured. */
const struct redis_instances *presence_instances(const struct presence *presence);

#endif
