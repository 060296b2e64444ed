/* Telling that a user has come online or gone offline: `user_status_changed` {userId, status}, as an event to the room
 * `presence:{userId}`, so that the room policy says who may know, and that all hosts have it by Kafka. It is worth
 * something for a moment only: delivered within seconds or not at all, and no part of history.
 *
 * With Redis, Redis decides (redis/redis_presence.h). Without it, this host's table does: who has come first, and who has
 * not come back PRESENCE_GRACE after his last connection was closed. A mark in the table sees to it that of several workers
 * one tells.
 *
 * Without Redis it is told only while somebody on this host listens. At most PRESENCE_STATUS_A_SECOND are told; what is more is counted and left out, so that a host that fills up or empties
 * leaves the way to Kafka to what clients publish. Owned by struct presence. */
#ifndef MOONX_GATEWAY_PRESENCE_PRESENCE_STATUS_H
#define MOONX_GATEWAY_PRESENCE_PRESENCE_STATUS_H

#include "gateway/worker.h"

#define PRESENCE_STATUS_A_SECOND    500
#define PRESENCE_STATUS_LEAVING_MAX 65536 /* told at once when there are more */

struct presence_status;

/* Whether this user is to be told gone: he is nowhere on this host, and nobody has told it. */
typedef bool presence_status_look(const void *context, struct span user);

/* is_gone is asked, with context, before anybody is told. -ENOMEM. */
int presence_status_new(struct worker *worker, presence_status_look *is_gone, const void *context,
                        struct presence_status **out) MUST_CHECK;
void presence_status_free(struct presence_status *status);

/* His last connection to this host has gone; for a host alone. */
void presence_status_went(struct presence_status *status, struct span user);
/* Several times a second: who has not come back in time. */
void presence_status_tick(struct presence_status *status, uint64_t now_ms);

/* It is decided: says so. */
void presence_status_tell(struct presence_status *status, struct span user, bool online);

#endif
