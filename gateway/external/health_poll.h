/* Asks the external service for its health (GET /health) every few seconds, and shows in this worker's figures whether
 * it is there: 2xx in time, whatever the body says. Each worker asks for itself, a few hundred bytes every five seconds,
 * so that what /health tells is right whoever answers it, and whichever worker is just being replaced. Part of `struct
 * external`. */
#ifndef MOONX_GATEWAY_EXTERNAL_HEALTH_POLL_H
#define MOONX_GATEWAY_EXTERNAL_HEALTH_POLL_H

#include "gateway/external/external_settings.h"

#define HEALTH_POLL_MS                                                                             \
    5000 /* from an answer to the next question; half to whole, so that workers spread */

struct event_base;
struct health_poll;
struct stats;

/* The first question goes out at once. -ENOMEM. */
int health_poll_new(const struct external_settings *settings, struct event_base *base,
                    struct stats *stats, struct health_poll **out) MUST_CHECK;
void health_poll_free(struct health_poll *poll);

#endif
