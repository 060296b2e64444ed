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

#endif
