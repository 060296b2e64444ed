#include "gateway/delivery/index_table.h"

#include <stdlib.h>

#define INDEX_TABLE_FIRST_CAPACITY 64u

void index_table_init(struct index_table *table, const struct index_table_owner *calls,
                      const void *owner) {
    *table = (struct index_table){.calls = calls, .owner = owner};
}

void index_table_done(struct index_table *table) {
    free(table->slots);
    index_table_init(table, table->calls, table->owner);
}

static uint32_t home_of(const struct index_table *table, uint64_t hash) {
    return (uint32_t)hash & (table->capacity - 1);
}

static uint32_t slot_home(const struct index_table *table, uint32_t slot) {
    return home_of(table, table->calls->hash_of(table->owner, table->slots[slot]));
}

uint32_t index_table_find(const struct index_table *table, uint64_t hash, struct span key) {
    if (table->used == 0) {
        return 0;
    }
    for (uint32_t slot = home_of(table, hash);; slot = (slot + 1) & (table->capacity - 1)) {
        uint32_t index = table->slots[slot];
        if (index == 0) {
            return 0;
        }
        if (table->calls->hash_of(table->owner, index) == hash &&
            table->calls->has_key(table->owner, index, key)) {
            return index;
        }
    }
}

static void place(struct index_table *table, uint64_t hash, uint32_t index) {
    uint32_t slot = home_of(table, hash);
    while (table->slots[slot] != 0) {
        slot = (slot + 1) & (table->capacity - 1);
    }
    table->slots[slot] = index;
}

static int grow(struct index_table *table) {
    uint32_t *old = table->slots, old_capacity = table->capacity;
    uint32_t capacity = old_capacity == 0 ? INDEX_TABLE_FIRST_CAPACITY : old_capacity * 2;
    uint32_t *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL) {
        return -ENOMEM;
    }
    table->slots = slots;
    table->capacity = capacity;
    for (uint32_t slot = 0; slot < old_capacity; slot++) {
        if (old[slot] != 0) {
            place(table, table->calls->hash_of(table->owner, old[slot]), old[slot]);
        }
    }
    free(old);
    return 0;
}

int index_table_add(struct index_table *table, uint64_t hash, uint32_t index) {
    if ((table->used + 1) * 4ull > table->capacity * 3ull) {
        int error = grow(table);
        if (error != 0) {
            return error;
        }
    }
    place(table, hash, index);
    table->used++;
    return 0;
}

/* True when an entry whose home is `home` may move from `from` into the hole: the hole lies on its probe
 * path, that is cyclically in [home, from). */
static bool may_fill(const struct index_table *table, uint32_t hole, uint32_t home, uint32_t from) {
    uint32_t mask = table->capacity - 1;
    return ((from - home) & mask) >= ((from - hole) & mask);
}

void index_table_remove(struct index_table *table, uint64_t hash, uint32_t index) {
    uint32_t mask = table->capacity - 1;
    uint32_t hole = home_of(table, hash);
    while (table->slots[hole] != index) {
        if (table->slots[hole] == 0) {
            return;
        }
        hole = (hole + 1) & mask;
    }
    table->slots[hole] = 0;
    table->used--;
    for (uint32_t from = (hole + 1) & mask; table->slots[from] != 0; from = (from + 1) & mask) {
        if (may_fill(table, hole, slot_home(table, from), from)) {
            table->slots[hole] = table->slots[from];
            table->slots[from] = 0;
            hole = from;
        }
    }
}
