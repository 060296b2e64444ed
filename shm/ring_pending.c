#include "shm/ring_pending.h"

#include <stdlib.h>

static_assert(RING_PENDING_FULL + RECORD_MAX_ROOMS < RING_PENDING_PLACES, "a search ends");

static uint32_t find(const struct ring_pending *pending, uint32_t slot);

struct ring_pending *ring_pending_new(void) {
    struct ring_pending *pending = calloc(1, sizeof(*pending));
    if (pending)
        pending->generation = 1;
    return pending;
}

uint64_t ring_pending_get(const struct ring_pending *pending, uint32_t slot) {
    uint32_t at = find(pending, slot);
    return pending->places[at].generation == pending->generation ? pending->places[at].link : 0;
}

void ring_pending_set(struct ring_pending *pending, uint32_t slot, uint64_t link) {
    uint32_t at = find(pending, slot);
    if (pending->places[at].generation != pending->generation)
        pending->count++;
    pending->places[at].slot = slot;
    pending->places[at].generation = pending->generation;
    pending->places[at].link = link;
}

void ring_pending_clear(struct ring_pending *pending) {
    pending->count = 0;
    if (++pending->generation == 0) { /* wrapped: nothing old may look new */
        memset(pending, 0, sizeof(*pending));
        pending->generation = 1;
    }
}

/* Where the slot stands, or the free place where it would. */
static uint32_t find(const struct ring_pending *pending, uint32_t slot) {
    uint32_t at = slot * 2654435761u % RING_PENDING_PLACES;
    while (pending->places[at].generation == pending->generation &&
           pending->places[at].slot != slot)
        at = (at + 1) % RING_PENDING_PLACES;
    return at;
}
