/* Inflating a client's message (RFC 7692 section 7.2.2): bounded in what comes out, whatever goes in. One stream for
 * the whole worker, reset for each message, since no context is taken over. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_INFLATE_H
#define MOONX_GATEWAY_CONNECTION_WS_INFLATE_H

#include "common/base.h"

struct ws_inflate;

/* most: the longest message, bytes. -ENOMEM. */
int ws_inflate_new(size_t most, struct ws_inflate **out) MUST_CHECK;
void ws_inflate_free(struct ws_inflate *inflater);

/* *out is valid until the next call. -EMSGSIZE: longer than `most`, noticed before the rest is looked at;
 * -EBADMSG: no such stream; -ENOMEM. */
int ws_inflate_message(struct ws_inflate *inflater, struct span deflated,
                       struct span *out) MUST_CHECK;

#endif
