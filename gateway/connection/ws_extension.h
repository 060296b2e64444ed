/* permessage-deflate (RFC 7692), negotiated: what of a client's offers the gateway takes. Always without context
 * takeover in both directions: an event is deflated once for all its listeners, and an idle connection keeps no
 * window. Pure functions; used by workers. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_EXTENSION_H
#define MOONX_GATEWAY_CONNECTION_WS_EXTENSION_H

#include "gateway/http/http_request.h"

/* What the 101 says to the first of the offers in Sec-WebSocket-Extensions that can be taken, a static text; NULL when
 * there is none. An offer with a parameter that is unknown,
 * repeated or ill-formed is passed over (section 7.1), and so is one that wants a smaller window from the
 * server: the one compressor has the largest. */
const char *ws_extension_answer(const struct http_request *request);

#endif
