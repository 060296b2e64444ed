/* Who is online, over hosts. Used by gateway/presence/, one for each worker; nothing here knows a socket.
 *
 * What stands in Redis, behind REDIS_KEY_PREFIX; LIFE is REDIS_EXPIRY, times are milliseconds of Redis's own clock:
 *
 *   socket:{connectionId}   string  {"userId","instance"}, gone after LIFE unless it is told again
 *   user:{userId}:sockets   zset    his connections on all hosts, each with the time at which it counts no more
 *   online                  zset    users, each with the time until which he counts as online: that of his newest
 *                                   connection, or PRESENCE_GRACE after the last one has been closed
 *
 * A connection is one entry in a command of up to REDIS_PRESENCE_ENTRIES: when it comes, when it goes, and three times in
 * LIFE so that the rest of a killed host runs out by itself. Each entry is three writes; 100,000 connections with the
 * usual LIFE of 90 s are 3,300 entries in 26 commands a second, spread evenly.
 *
 * Redis decides who has come online (a new member of `online`) and who has gone offline (a member whose time is up, taken
 * out by whoever asks first), so of all workers of all hosts exactly one is told of each change. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_PRESENCE_H
#define MOONX_GATEWAY_REDIS_REDIS_PRESENCE_H

#include "common/option.h"
#include "gateway/redis/redis.h"

#define REDIS_PRESENCE_ENTRIES 128 /* in one command */
#define REDIS_PRESENCE_GONE    100 /* users told to be offline in one answer */

struct redis_presence;

/* From the loop: this user has come online, or has gone offline, as far as all hosts know. */
typedef void redis_presence_change(void *context, struct span user, bool online);
/* As redis_done: NULL when Redis is away; else online[i] tells about the user asked for at i. */
typedef void redis_presence_answer(void *context, const bool *online, unsigned count);

/* `redis` outlives its use, `context` too. -ENOMEM. */
int redis_presence_new(struct redis *redis, const struct options *options,
                       redis_presence_change *change, void *context,
                       struct redis_presence **out) MUST_CHECK;
/* Questions under way still get their answer. */
void redis_presence_free(struct redis_presence *presence);

/* The connection is there, is still there, or is gone: told with the next flush, or at once when a command is full. */
void redis_presence_hold(struct redis_presence *presence, const char *connection, struct span user);
void redis_presence_drop(struct redis_presence *presence, const char *connection, struct span user);
/* Tells what has been noted. `sweep`: look for users who have gone, even if there is nothing to tell. */
void redis_presence_flush(struct redis_presence *presence, bool sweep);

/* At most REDIS_PRESENCE_ENTRIES users. -EAGAIN: Redis is away; -ENOMEM. */
int redis_presence_ask(struct redis_presence *presence, const struct span *users, unsigned count,
                       redis_presence_answer *answer, void *context) MUST_CHECK;

#endif
