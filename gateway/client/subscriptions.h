/* The channels to come back to: those of the command line, and what was subscribed to since. Bounded; a set of names. */
#ifndef MOONX_GATEWAY_CLIENT_SUBSCRIPTIONS_H
#define MOONX_GATEWAY_CLIENT_SUBSCRIPTIONS_H

#include "common/base.h"

#define SUBSCRIPTIONS_MAX        200u
#define SUBSCRIPTIONS_NAME_BYTES 129u

struct subscriptions {
    char *names[SUBSCRIPTIONS_MAX];
    unsigned count;
};

void subscriptions_free(struct subscriptions *subscriptions);

/* Names that are too long, one too many or already there are passed over: the server knows what it has granted. */
void subscriptions_add(struct subscriptions *subscriptions, struct span name);
void subscriptions_remove(struct subscriptions *subscriptions, struct span name);

#endif
