/* Joining the rooms of the channels that a client names, for `subscribe` and for the `channels` of
 * `authenticate`: one answer for each channel, all with the request's ref. */
#ifndef MOONX_GATEWAY_MESSAGE_SUBSCRIBE_H
#define MOONX_GATEWAY_MESSAGE_SUBSCRIBE_H

#include "gateway/message/message.h"

/* In one message: as many as a connection may have (WS_MAX_SUBSCRIPTIONS), so that a resume can name all of them; where that
 * is less, this many. */
#define SUBSCRIBE_CHANNELS 100u

typedef void subscribe_action(struct worker *worker, struct conn *conn, const char *channel,
                              const char *ref);

/* Joins all rooms of the channel, or none: `subscribed` or `error`. */
subscribe_action subscribe_channel;

/* Calls the action for each string of the array `channels`; when it is no array of
 * strings, or they are too many, the one answer is INVALID_MESSAGE. */
void subscribe_each(struct worker *worker, struct conn *conn, const cJSON *channels,
                    const char *ref, subscribe_action *action);

/* The same for a message with either `channel` or `channels`. */
void subscribe_each_of_message(struct worker *worker, struct conn *conn,
                               const struct message *message, subscribe_action *action);

#endif
