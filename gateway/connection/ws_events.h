/* What wslay tells about an inbound stream, and what the gateway makes of it: text to message_receive(), ping to
 * pong, Close to the closing sequence; plus the checks that wslay lacks: how many fragments
 * a message may have, UTF-8 of inflated text and of the reason in a Close. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_EVENTS_H
#define MOONX_GATEWAY_CONNECTION_WS_EVENTS_H

#include "gateway/connection/ws_pool.h"

extern const struct wslay_event_callbacks ws_events_callbacks;

/* Feeds bytes that the client sent. Afterwards the connection may be closing or dead. */
void ws_events_feed(struct worker *worker, struct conn *conn, const unsigned char *data,
                    size_t length);
/* A whole text message, to be inflated first if it is `deflated`. 0; or what is wrong with it, as a close code. */
unsigned ws_events_text(struct worker *worker, struct conn *conn, struct span text,
                        bool deflated) MUST_CHECK;
/* A message that has begun and does not end holds a context that others may need: from now on it has a deadline, if its
 * client is somebody; none when nothing has begun. */
void ws_events_limit_time(struct worker *worker, struct conn *conn);

#endif
