/* permessage-deflate (RFC 7692), negotiated: what of a client's offers the gateway takes. Always without context
 * takeover in both directions: an event is deflated once for all its listeners, and an idle connection keeps no
 * window. Pure functions; used by workers. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_EXTENSION_H
#define MOONX_GATEWAY_CONNECTION_WS_EXTENSION_H

#include "gateway/http/http_request.h"

/* What the 101 says when an offer is taken. */
#define WS_EXTENSION_DEFLATE                                                                       \
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* True when one of the offers in Sec-WebSocket-Extensions can be taken. An offer with a parameter that is unknown,
 * repeated or ill-formed is passed over (section 7.1), and so is one that wants a smaller window from the
 * server: the one compressor has the largest. */
bool ws_extension_takes_deflate(const struct http_request *request);

#endif
