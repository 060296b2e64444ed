/* Objects of one size addressed by 32-bit indices, in chunks that never move: an index is half a pointer and
 * stays valid while the slab grows. Index 0 is never handed out. One worker owns each slab. */
#ifndef MOONX_GATEWAY_DELIVERY_SLAB_H
#define MOONX_GATEWAY_DELIVERY_SLAB_H

#include "common/base.h"

#define SLAB_CHUNK_BITS  9
#define SLAB_CHUNK_ITEMS (1u << SLAB_CHUNK_BITS)

struct slab {
    unsigned char **chunks;
    uint32_t chunk_count;
    uint32_t item_size;
    uint32_t free_head; /* linked through the first four bytes of free items */
    uint32_t next_new;  /* lowest index never handed out */
    uint32_t used;
};

void slab_init(struct slab *slab, size_t item_size);
void slab_done(struct slab *slab);

/* A zeroed item; 0 when memory is out. */
uint32_t slab_take(struct slab *slab) MUST_CHECK;
/* Zeroes the item but for the free-list link in its first four bytes. */
void slab_give(struct slab *slab, uint32_t index);

static inline void *slab_at(const struct slab *slab, uint32_t index) {
    return slab->chunks[index >> SLAB_CHUNK_BITS] +
           (size_t)(index & (SLAB_CHUNK_ITEMS - 1)) * slab->item_size;
}

#endif
