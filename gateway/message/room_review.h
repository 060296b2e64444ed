/* Rooms that a connection may no longer be in: after a reload, and when it has authenticated anew with fewer roles or
 * claims, each of its rooms is judged again, and from those that it may not join any more it is taken out with
 * `unsubscribed` {channel, reason}. Used by workers; keeps nothing. */
#ifndef MOONX_GATEWAY_MESSAGE_ROOM_REVIEW_H
#define MOONX_GATEWAY_MESSAGE_ROOM_REVIEW_H

#include "gateway/worker.h"

struct conn;

/* How many rooms it has left. Out of memory the connection is closed, rather than left to listen on. */
unsigned room_review(struct worker *worker, struct conn *conn);

#endif
