/* Who is in a room, over hosts: a question lies in Redis as long as its asker waits, each host finds it there, asks its
 * own workers and leaves their answer beside it. Nothing is kept while nobody asks. Used by gateway/presence/.
 *
 * What stands in Redis, behind REDIS_KEY_PREFIX; times are milliseconds of Redis's own clock:
 *
 *   rooms:asked         zset   "{question} {room}", each with the time at which it is answered no more
 *   rooms:answer:{q}    hash   INSTANCE_ID: "" it is expected to answer, "?" it is about to, else its answer in JSON;
 *                              gone after REDIS_ROOMS_LIFE_MS
 *
 * The hosts that must answer are those of `instances` that live (redis_instances.h); one that is none of them, because it
 * has just started, answers all the same. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_ROOMS_H
#define MOONX_GATEWAY_REDIS_REDIS_ROOMS_H

#include "gateway/redis/redis.h"

#define REDIS_ROOMS_ID_BYTES 17 /* of a question's id: 16 hex digits and NUL */
#define REDIS_ROOMS_LIFE_MS  5000
#define REDIS_ROOMS_OPEN     1024 /* questions of all hosts */
#define REDIS_ROOMS_POLL     32   /* taken over by a host at a time */

/* `others`: how many other hosts will answer; -1: Redis is away, or has too many questions already. */
typedef void redis_rooms_asked(void *context, int others);
/* Every other host's answer so far, empty where there is none yet; a count of 0: Redis is away. */
typedef void redis_rooms_answers(void *context, const struct span *answers, unsigned count);
/* A question that this host must answer now; id NULL: there are no more. */
typedef void redis_rooms_question(void *context, const char *id, struct span room);

/* All of them: -EAGAIN Redis is away; -ENOMEM. Each calls back once, from the loop, but redis_rooms_poll() for each
 * question and then once more. `instance` is this host's own id. */
int redis_rooms_ask(struct redis *redis, const char *instance, const char *id, struct span room,
                    redis_rooms_asked *done, void *context) MUST_CHECK;
int redis_rooms_collect(struct redis *redis, const char *instance, const char *id,
                        redis_rooms_answers *done, void *context) MUST_CHECK;
int redis_rooms_poll(struct redis *redis, const char *instance, redis_rooms_question *each,
                     void *context) MUST_CHECK;
/* The answer to a question of another host. What gets lost, its asker misses. */
void redis_rooms_answer(struct redis *redis, const char *instance, const char *id,
                        struct span answer);

#endif
