/* Who is in a room: on this host by asking all workers (gateway/survey.h), on all hosts by a question in Redis
 * (redis/redis_rooms.h). One for each worker; nothing is kept about rooms while nobody asks.
 *
 * A client's question waits until fewer than ROOM_PRESENCE_OPEN are under way and none about the same room; whoever asks the same
 * before it begins shares it, so that an answer counts all who had joined when it was asked for. On one host it takes a
 * few milliseconds, over hosts some two PRESENCE_FLUSH_MS, and ROOM_PRESENCE_TIMEOUT_MS at most when one is silent. */
#ifndef MOONX_GATEWAY_PRESENCE_ROOM_PRESENCE_H
#define MOONX_GATEWAY_PRESENCE_ROOM_PRESENCE_H

#include "gateway/presence/room_members.h"
#include "gateway/worker.h"

#define ROOM_PRESENCE_OPEN       32u   /* under way at once */
#define ROOM_PRESENCE_WAITING    1024u /* with those that wait */
#define ROOM_PRESENCE_ASKERS     4096u /* of all of them */
#define ROOM_PRESENCE_TIMEOUT_MS 2000u

struct room_presence;

/* Once for each question, from the loop. `members` NULL: nobody knows, since Redis is away or memory is out; it may be
 * sorted and is gone afterwards. */
typedef void room_presence_answer(void *context, struct room_members *members);

/* `worker` outlives it. -ENOMEM. */
int room_presence_new(struct worker *worker, struct room_presence **out) MUST_CHECK;
/* Nobody waits any more: the worker's surveys, its Redis and room_presence_stop() have ended every question. */
void room_presence_free(struct room_presence *presence);

/* Who is in this room, a valid name. -EAGAIN: Redis is away, or too much is being asked; -ENOMEM. */
int room_presence_ask(struct room_presence *presence, struct span room,
                      room_presence_answer *answer, void *context) MUST_CHECK;

/* Every PRESENCE_FLUSH_MS: begins what has waited, looks for answers of other hosts; `host`: and for their questions. */
void room_presence_tick(struct room_presence *presence, bool host);
/* Whoever waits for a question that has not begun hears that there is no answer; no more are taken. */
void room_presence_stop(struct room_presence *presence);

#endif
