#include "gateway/delivery/interest.h"

void interest_init(struct interest *interest, struct worker_block *block) {
    memset(interest->counts, 0, sizeof interest->counts);
    interest->block = block;
    store_relaxed(&block->presence_rooms, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(block->interest); i++) {
        store_relaxed(&block->interest[i], 0);
    }
}

static void set_bit(struct worker_block *block, unsigned bucket, bool on) {
    shm_u64 *word = &block->interest[bucket / 64];
    uint64_t bit = 1ull << (bucket % 64);
    uint64_t now = load_relaxed(word); /* single writer */
    store_relaxed(word, on ? now | bit : now & ~bit);
}

void interest_add(struct interest *interest, uint64_t hash) {
    unsigned bucket = worker_interest_bucket(hash);
    if (interest->counts[bucket]++ == 0) {
        set_bit(interest->block, bucket, true);
    }
}

void interest_remove(struct interest *interest, uint64_t hash) {
    unsigned bucket = worker_interest_bucket(hash);
    if (--interest->counts[bucket] == 0) {
        set_bit(interest->block, bucket, false);
    }
}

void interest_watch(struct interest *interest, int rooms) {
    shm_u32 *word = &interest->block->presence_rooms;
    store_relaxed(word, load_relaxed(word) + (uint32_t)rooms);
}
