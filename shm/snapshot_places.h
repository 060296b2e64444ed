/* What the writer of the snapshot table remembers of its slots, in memory of its own: where each key is, and which was
 * changed longest ago. Found again from the slots by a successor. */
#ifndef MOONX_SHM_SNAPSHOT_PLACES_H
#define MOONX_SHM_SNAPSHOT_PLACES_H

#include "shm/snapshot_table.h"

struct snapshot_places {
    const struct segment *segment;
    uint32_t *places;        /* hash table of slot + 1, twice as many places as slots */
    uint32_t *newer, *older; /* the slots in use in the order of their last change */
    uint32_t newest, oldest;
};

#define SNAPSHOT_NO_SLOT UINT32_MAX

/* Empty. -ENOMEM. */
int snapshot_places_open(struct snapshot_places *places, const struct segment *segment) MUST_CHECK;
void snapshot_places_done(struct snapshot_places *places);

/* The slot of the key with this hash, SNAPSHOT_NO_SLOT for none. */
uint32_t snapshot_places_find(const struct snapshot_places *places, uint64_t key_hash);
/* A slot comes into use, as the newest: its key_hash is set and not in here. */
void snapshot_places_add(struct snapshot_places *places, uint32_t slot);
/* It goes out of use; its key_hash is still the same. */
void snapshot_places_remove(struct snapshot_places *places, uint32_t slot);
/* It is the newest again. */
void snapshot_places_touch(struct snapshot_places *places, uint32_t slot);
/* Of those in use the one changed longest ago but for `kept`; SNAPSHOT_NO_SLOT when there is none. */
uint32_t snapshot_places_oldest(const struct snapshot_places *places, uint32_t kept);

#endif
