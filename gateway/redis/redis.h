/* Redis for a worker: one connection, kept by itself, and calls on it that are answered from the loop or, when Redis
 * is away or slow, end without an answer. Nothing here ever waits, and nothing that clients are promised depends on it.
 *
 * hiredis gives the protocol (redisFormatCommandArgv() and the reader, redis_reply.h); the socket is a libevent
 * bufferevent. hiredis's own asynchronous half has no deadlines, looks names up with a blocking getaddrinfo(), queues
 * without a bound, and aborts the process when somebody on that port says more than he was asked.
 *
 *   state       what is under way                         ends by
 *   OFF         nothing: not started, or no memory         redis_start
 *   WAITING     the pause before the next attempt          its end, with jitter: CONNECTING
 *   CONNECTING  the name, then the connection              CONNECTED; failure or REDIS_TIMEOUT: WAITING
 *   GREETING    AUTH, SELECT and a probe that writes       its answer: UP; error or REDIS_TIMEOUT: WAITING
 *   UP          calls                                      the first that has no answer in time, an answer that says
 *                                                          this Redis is of no use (NOAUTH, READONLY, OOM, LOADING,
 *                                                          MOVED, ...), rubbish, end of file: WAITING
 *
 * This is a circuit breaker whose probe is the greeting: outside UP no call is taken. The probe is a SET, so that a
 * replica or a full Redis counts as down; while UP is idle it is sent every second. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_H
#define MOONX_GATEWAY_REDIS_REDIS_H

#include "common/option.h"

#include <hiredis/hiredis.h>

#define REDIS_CALLS_MAX 4096       /* without an answer yet */
#define REDIS_OUT_BYTES (8u << 20) /* not yet taken by the socket */
#define REDIS_ARGUMENTS 160        /* of one command */

struct event_base;
struct redis;
struct stats;

/* Once for each call, from the loop, never from within redis_call(). `reply` NULL: none came; it may be an error that
 * concerns this call alone. It is freed afterwards. */
typedef void redis_done(void *context, const redisReply *reply);

/* *out stays NULL when no Redis is configured. `error` has one line that names the option. */
int redis_new(const struct options *options, struct redis **out, char *error,
              size_t error_size) MUST_CHECK;
/* Whether both lead to the same place in the same way, so that a reload need not connect anew. NULL: none. */
bool redis_same(const struct redis *a, const struct redis *b);
/* For good: calls under way end without an answer, no more are taken; the gauges say that there is none. */
void redis_stop(struct redis *redis);
/* Stops it first. What others have borrowed (redis_loop, redis_prefix) is theirs no more. */
void redis_free(struct redis *redis);
/* The gauges of this one, after another one of the same worker has been stopped. */
void redis_show(const struct redis *redis);
/* Begins to connect; the loop must outlive `redis`. -ENOMEM. */
int redis_start(struct redis *redis, struct event_base *base, struct stats *stats) MUST_CHECK;

bool redis_is_up(const struct redis *redis);
/* NULL before redis_start(). */
struct event_base *redis_loop(const struct redis *redis);
struct stats *redis_stats(const struct redis *redis);
/* What each key begins with. */
const char *redis_prefix(const struct redis *redis);
/* One command. -EAGAIN: Redis is not up, or too much waits for it; -ENOMEM. */
int redis_call(struct redis *redis, int count, const struct span *arguments, redis_done *done,
               void *context) MUST_CHECK;

#endif
