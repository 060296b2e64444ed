/* The deflated twin of a shared frame (RFC 7692, no context takeover): made at most once an event, for all listeners
 * that have negotiated it. One stream for the whole worker. */
#ifndef MOONX_GATEWAY_DELIVERY_FRAME_DEFLATE_H
#define MOONX_GATEWAY_DELIVERY_FRAME_DEFLATE_H

#include "gateway/delivery/frame.h"

/* Shorter ones gain nothing. */
#define FRAME_DEFLATE_MIN_BYTES 128u

struct frame_deflate;

/* -ENOMEM. */
int frame_deflate_new(struct frame_deflate **out) MUST_CHECK;
void frame_deflate_free(struct frame_deflate *deflater);

/* A text frame with RSV1. -ENODATA: it would not be shorter, the plain one serves everybody; -ENOMEM. */
int frame_deflate_make(struct frame_deflate *deflater, struct frame_arena *arena,
                       struct span payload, struct frame_piece *out) MUST_CHECK;

#endif
