#include "shm/snapshot_places.h"

#include <stdlib.h>

static uint32_t place_of(const struct snapshot_places *places, uint64_t hash);
static void forget_place(struct snapshot_places *places, uint64_t hash);
static void link_newest(struct snapshot_places *places, uint32_t slot);
static void unlink_slot(struct snapshot_places *places, uint32_t slot);

static uint32_t place_count(const struct snapshot_places *places) {
    return places->segment->snapshot_shape.slots * 2;
}

static uint64_t hash_at(const struct snapshot_places *places, uint32_t slot) {
    return load_relaxed(&snapshot_table_slot(places->segment, slot)->key_hash);
}

int snapshot_places_open(struct snapshot_places *places, const struct segment *segment) {
    uint32_t slots = segment->snapshot_shape.slots;

    *places = (struct snapshot_places){.segment = segment,
                                       .places = calloc((size_t)slots * 2, sizeof(uint32_t)),
                                       .newer = malloc(slots * sizeof(uint32_t)),
                                       .older = malloc(slots * sizeof(uint32_t)),
                                       .newest = SNAPSHOT_NO_SLOT,
                                       .oldest = SNAPSHOT_NO_SLOT};
    if (places->places == NULL || places->newer == NULL || places->older == NULL) {
        snapshot_places_done(places);
        return -ENOMEM;
    }
    return 0;
}

void snapshot_places_done(struct snapshot_places *places) {
    free(places->places);
    free(places->newer);
    free(places->older);
    *places = (struct snapshot_places){0};
}

uint32_t snapshot_places_find(const struct snapshot_places *places, uint64_t key_hash) {
    uint32_t found = places->places[place_of(places, key_hash)];

    return found != 0 ? found - 1 : SNAPSHOT_NO_SLOT;
}

void snapshot_places_add(struct snapshot_places *places, uint32_t slot) {
    places->places[place_of(places, hash_at(places, slot))] = slot + 1;
    link_newest(places, slot);
}

void snapshot_places_remove(struct snapshot_places *places, uint32_t slot) {
    forget_place(places, hash_at(places, slot));
    unlink_slot(places, slot);
}

void snapshot_places_touch(struct snapshot_places *places, uint32_t slot) {
    unlink_slot(places, slot);
    link_newest(places, slot);
}

uint32_t snapshot_places_oldest(const struct snapshot_places *places, uint32_t kept) {
    uint32_t slot = places->oldest;

    return slot != SNAPSHOT_NO_SLOT && slot == kept ? places->newer[slot] : slot;
}

/* Where it stands, or would stand: linear probing, at most half full. */
static uint32_t place_of(const struct snapshot_places *places, uint64_t hash) {
    uint32_t count = place_count(places), at = (uint32_t)(hash % count);

    while (places->places[at] != 0 && hash_at(places, places->places[at] - 1) != hash) {
        at = (at + 1) % count;
    }
    return at;
}

/* Those behind it that have been pushed past its place move up (Knuth, TAOCP 6.4, algorithm R). */
static void forget_place(struct snapshot_places *places, uint64_t hash) {
    uint32_t count = place_count(places), hole = place_of(places, hash), at = hole;

    places->places[hole] = 0;
    for (;;) {
        at = (at + 1) % count;
        if (places->places[at] == 0) {
            return;
        }
        uint32_t home = (uint32_t)(hash_at(places, places->places[at] - 1) % count);
        if ((at + count - home) % count >= (at + count - hole) % count) {
            places->places[hole] = places->places[at];
            places->places[at] = 0;
            hole = at;
        }
    }
}

static void link_newest(struct snapshot_places *places, uint32_t slot) {
    places->older[slot] = places->newest;
    places->newer[slot] = SNAPSHOT_NO_SLOT;
    if (places->newest != SNAPSHOT_NO_SLOT) {
        places->newer[places->newest] = slot;
    } else {
        places->oldest = slot;
    }
    places->newest = slot;
}

static void unlink_slot(struct snapshot_places *places, uint32_t slot) {
    uint32_t newer = places->newer[slot], older = places->older[slot];

    *(newer != SNAPSHOT_NO_SLOT ? &places->older[newer] : &places->newest) = older;
    *(older != SNAPSHOT_NO_SLOT ? &places->newer[older] : &places->oldest) = newer;
}
