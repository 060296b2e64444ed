/* The producer's own memory of links that the room index does not have yet: of records committed and not
 * published. A record's room finds its predecessor here first, then in the index. Private to ingest; emptied
 * at each publish by raising the generation. */
#ifndef MOONX_SHM_RING_PENDING_H
#define MOONX_SHM_RING_PENDING_H

#include "shm/record.h"

#define RING_PENDING_PLACES 4096u
/* So many are asked to be published before more are committed: one record's rooms still fit then. */
#define RING_PENDING_FULL (RING_PENDING_PLACES / 2)

struct ring_pending {
    uint32_t generation;
    uint32_t count;
    struct {
        uint32_t slot;
        uint32_t generation; /* another than the table's: free */
        uint64_t link;
    } places[RING_PENDING_PLACES];
};

/* NULL: out of memory. Freed by free(). */
struct ring_pending *ring_pending_new(void);
/* The link of the slot, or 0. */
uint64_t ring_pending_get(const struct ring_pending *pending, uint32_t slot);
void ring_pending_set(struct ring_pending *pending, uint32_t slot, uint64_t link);
void ring_pending_clear(struct ring_pending *pending);

#endif
