#include "gateway/delivery/slab.h"

#include <stdlib.h>

void slab_init(struct slab *slab, size_t item_size) {
    *slab = (struct slab){.item_size = (uint32_t)item_size, .next_new = 1};
}

void slab_done(struct slab *slab) {
    for (uint32_t i = 0; i < slab->chunk_count; i++) {
        free(slab->chunks[i]);
    }
    free(slab->chunks);
    slab_init(slab, slab->item_size);
}

static bool slab_grow(struct slab *slab) {
    if (slab->chunk_count == 1u << (32 - SLAB_CHUNK_BITS)) {
        return false;
    }
    unsigned char **chunks = realloc(slab->chunks, (slab->chunk_count + 1) * sizeof *chunks);
    if (chunks == NULL) {
        return false;
    }
    slab->chunks = chunks;
    unsigned char *chunk = calloc(SLAB_CHUNK_ITEMS, slab->item_size);
    if (chunk == NULL) {
        return false;
    }
    slab->chunks[slab->chunk_count++] = chunk;
    return true;
}

uint32_t slab_take(struct slab *slab) {
    uint32_t index = slab->free_head;
    if (index != 0) {
        memcpy(&slab->free_head, slab_at(slab, index), sizeof slab->free_head);
        memset(slab_at(slab, index), 0, sizeof slab->free_head);
    } else {
        if (slab->next_new >> SLAB_CHUNK_BITS >= slab->chunk_count && !slab_grow(slab)) {
            return 0;
        }
        index = slab->next_new++;
    }
    slab->used++;
    return index;
}

void slab_give(struct slab *slab, uint32_t index) {
    memset(slab_at(slab, index), 0, slab->item_size);
    memcpy(slab_at(slab, index), &slab->free_head, sizeof slab->free_head);
    slab->free_head = index;
    slab->used--;
}
