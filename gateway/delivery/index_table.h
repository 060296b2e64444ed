/* A hash table that holds only 32-bit slab indices: 5-8 bytes an entry where uthash needs 56. Open addressing
 * with linear probing and backward-shift deletion (Knuth, TAOCP 6.4, algorithm R), at most 3/4 full. The keyed
 * hash (SipHash) and the key live in the owner's objects. */
#ifndef MOONX_GATEWAY_DELIVERY_INDEX_TABLE_H
#define MOONX_GATEWAY_DELIVERY_INDEX_TABLE_H

#include "common/base.h"

struct index_table_owner {
    uint64_t (*hash_of)(const void *owner, uint32_t index);
    bool (*has_key)(const void *owner, uint32_t index, struct span key);
};

struct index_table {
    const struct index_table_owner *calls;
    const void *owner;
    uint32_t *slots; /* 0: empty */
    uint32_t capacity;
    uint32_t used;
};

void index_table_init(struct index_table *table, const struct index_table_owner *calls,
                      const void *owner);
void index_table_done(struct index_table *table);

/* 0 when there is none. */
uint32_t index_table_find(const struct index_table *table, uint64_t hash, struct span key);
/* The caller knows that the key is not there yet. -ENOMEM. */
int index_table_add(struct index_table *table, uint64_t hash, uint32_t index) MUST_CHECK;
void index_table_remove(struct index_table *table, uint64_t hash, uint32_t index);

#endif
