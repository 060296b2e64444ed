#include "gateway/client/subscriptions.h"

#include <stdlib.h>

void subscriptions_free(struct subscriptions *subscriptions) {
    for (unsigned i = 0; i < subscriptions->count; i++) {
        free(subscriptions->names[i]);
    }
    subscriptions->count = 0;
}

/* Its index, or the count. */
static unsigned find(const struct subscriptions *subscriptions, struct span name) {
    unsigned i = 0;
    while (i < subscriptions->count && !span_is(name, subscriptions->names[i])) {
        i++;
    }
    return i;
}

void subscriptions_add(struct subscriptions *subscriptions, struct span name) {
    if (name.length == 0 || name.length >= SUBSCRIPTIONS_NAME_BYTES ||
        subscriptions->count == SUBSCRIPTIONS_MAX ||
        find(subscriptions, name) < subscriptions->count) {
        return;
    }
    char *copy = strndup(name.data, name.length);
    if (copy != NULL) {
        subscriptions->names[subscriptions->count++] = copy;
    }
}

void subscriptions_remove(struct subscriptions *subscriptions, struct span name) {
    unsigned i = find(subscriptions, name);
    if (i < subscriptions->count) {
        free(subscriptions->names[i]);
        subscriptions->names[i] = subscriptions->names[--subscriptions->count];
    }
}
