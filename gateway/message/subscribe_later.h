/* A `subscribe` that the auth service must decide (the rule `ask`): noted until it has. Its answer then comes after those
 * of the channels named beside it; a `subscribed` or `error` for each, as ever. Used by workers. */
#ifndef MOONX_GATEWAY_MESSAGE_SUBSCRIBE_LATER_H
#define MOONX_GATEWAY_MESSAGE_SUBSCRIBE_LATER_H

#include "gateway/message/message.h"

/* Asks about the channel's rooms and, if all are allowed, calls subscribe_channel() again, which then knows. When the
 * answer is no, the service away or memory out, the client is told. */
void subscribe_later(struct worker *worker, struct conn *conn, const char *channel,
                     struct span room, const char *ref);
/* The client unsubscribes meanwhile: what it waits for ends with an error, since it is to be in none of these rooms. */
void subscribe_later_cancel(struct worker *worker, struct conn *conn, const char *channel);

#endif
