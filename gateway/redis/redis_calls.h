/* The calls on one connection to Redis that have no answer yet, in the order in which the answers come. Inner part of
 * redis, which owns it; how many there may be is redis's to bound. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_CALLS_H
#define MOONX_GATEWAY_REDIS_REDIS_CALLS_H

#include "gateway/redis/redis.h"

#include <sys/queue.h>

struct bufferevent;

struct redis_calls {
    STAILQ_HEAD(, redis_call) list;
    unsigned count;
};

void redis_calls_init(struct redis_calls *calls);
/* Writes a command of at most REDIS_ARGUMENTS arguments; `done` as in redis_call(). -ENOMEM. */
int redis_calls_send(struct redis_calls *calls, struct bufferevent *socket, int count,
                     const struct span *arguments, redis_done *done, void *context) MUST_CHECK;
/* How long the oldest has waited; 0: there is none. */
uint64_t redis_calls_wait_ms(const struct redis_calls *calls, uint64_t now_ms);
/* Gives the oldest its reply (NULL: none). False: nobody has asked. */
bool redis_calls_settle(struct redis_calls *calls, const redisReply *reply);
/* No reply will come to any of them. */
void redis_calls_end(struct redis_calls *calls);

#endif
