/* Rooms that users are in because the auth service has allowed it (the rule `ask`): each such right is asked about
 * again when its answer has run out, and when it is no more, the user's connections are taken out of the room with
 * `unsubscribed` {channel, reason}. While the service is away everybody stays. One lease for a user and a room,
 * whatever the number of his connections; it ends when none of them is in the room. Used by workers, at a bounded
 * rate. */
#ifndef MOONX_GATEWAY_MESSAGE_ROOM_LEASE_H
#define MOONX_GATEWAY_MESSAGE_ROOM_LEASE_H

#include "gateway/worker.h"

#define ROOM_LEASE_QUESTIONS_PER_SECOND 200

struct conn;

/* As conn_join(), of a room that the policy allows; with a lease where the auth service has allowed it. */
int room_lease_join(struct worker *worker, struct conn *conn, struct span room) MUST_CHECK;
/* The connection is in this room, or about to be, and the auth service rules it now. -ENOMEM. */
int room_lease_hold(struct worker *worker, const struct conn *conn, struct span room) MUST_CHECK;
/* All of them end, before the loop goes. */
void room_lease_stop(void);

#endif
