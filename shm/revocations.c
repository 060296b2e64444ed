#include "shm/revocations.h"

#include "shm/region.h"

#include <unistd.h>

#define SLOTS_LEAST (1ull << 10)
#define SLOTS_MOST  (1ull << 24)
#define WHOLE_SET   1ull /* a key that concerns every key of its set */
#define FIRST_KEY   2ull

static uint64_t size_for(uint64_t slots);
static bool sound(const struct revocations_header *header, size_t size);
static struct revocations_entry *set_of(const struct revocations *table, uint64_t key);
static struct revocations_entry *place_for(struct revocations_entry *set, uint64_t key,
                                           uint64_t now_ms);
static void fill(struct revocations_entry *entry, uint64_t key, uint64_t before_ms,
                 uint64_t until_ms);
static void extend(shm_u64 *before_at, shm_u64 *until_at, uint64_t before_ms, uint64_t until_ms);

int revocations_create(uint64_t most, int *fd) {
    uint64_t slots = SLOTS_LEAST;
    while (slots < SLOTS_MOST && slots / 2 < most)
        slots *= 2;

    int made = -1;
    int result = region_create("moonx-revocations", size_for(slots), &made);
    if (result < 0)
        return result;
    void *region;
    size_t size;
    result = region_map(made, true, sizeof(struct revocations_header), &region, &size);
    if (result < 0) {
        close(made);
        return result;
    }
    struct revocations_header *header = region;
    header->magic = REVOCATIONS_MAGIC;
    header->version = REVOCATIONS_VERSION;
    header->slots = slots;
    header->size = size;
    region_unmap(region, size);
    *fd = made;
    return 0;
}

int revocations_map(int fd, bool writable, struct revocations *out) {
    void *region;
    size_t size;
    int result = region_map(fd, writable, sizeof(struct revocations_header), &region, &size);
    if (result < 0)
        return result;
    struct revocations_header *header = region;
    if (!sound(header, size)) {
        region_unmap(region, size);
        return -EPROTO;
    }
    *out = (struct revocations){.header = header,
                                .entries = (struct revocations_entry *)(void *)(header + 1),
                                .slots = header->slots,
                                .size = size};
    return 0;
}

void revocations_unmap(struct revocations *table) {
    region_unmap(table->header, table->size);
    *table = (struct revocations){.header = NULL};
}

/* The kind is hashed along: a user and a session of the same name are two. */
uint64_t revocations_key(const struct siphash_key *hash_key, enum revocation_kind kind,
                         struct span name) {
    char text[1 + REVOCATIONS_NAME_BYTES];
    size_t length = name.length < REVOCATIONS_NAME_BYTES ? name.length : REVOCATIONS_NAME_BYTES;
    text[0] = (char)kind;
    memcpy(text + 1, name.data, length);
    uint64_t key = siphash(hash_key, (struct span){text, 1 + length});
    return key >= FIRST_KEY ? key : key + FIRST_KEY;
}

bool revocations_put(const struct revocations *table, uint64_t key, uint64_t before_ms,
                     uint64_t until_ms, uint64_t now_ms) {
    struct revocations_entry *set = set_of(table, key);
    struct revocations_entry *entry = place_for(set, key, now_ms);
    if (entry == NULL) {
        entry = &set[REVOCATIONS_WAYS - 1];
        extend(&entry->before_ms, &entry->until_ms, before_ms, until_ms);
        store_release(&entry->key, WHOLE_SET);
        return false;
    }
    if (load_relaxed(&entry->key) == key)
        extend(&entry->before_ms, &entry->until_ms, before_ms, until_ms);
    else
        fill(entry, key, before_ms, until_ms);
    return true;
}

void revocations_put_all(const struct revocations *table, uint64_t before_ms, uint64_t until_ms) {
    extend(&table->header->all_before_ms, &table->header->all_until_ms, before_ms, until_ms);
}

void revocations_announce(const struct revocations *table, struct revocations_change *change) {
    uint64_t sequence = load_relaxed(&table->header->sequence) + 1;
    struct revocations_change *to = &table->header->changes[sequence % REVOCATIONS_CHANGES];
    const size_t behind = sizeof(to->sequence); /* that word is stored alone, before and after */
    store_relaxed(&to->sequence, 0);
    fence_release(); /* A: pairs with B, who sees a word of the copy sees the 0 as well */
    order_copy_in((char *)to + behind, (const char *)change + behind, sizeof(*to) - behind);
    store_release(&to->sequence, sequence); /* C: pairs with D */
    store_release(&table->header->sequence, sequence);
}

static bool concerns(const shm_u64 *before_at, const shm_u64 *until_at, uint64_t issued_ms,
                     uint64_t now_ms) {
    return issued_ms < load_full(before_at) && now_ms < load_full(until_at);
}

bool revocations_has(const struct revocations *table, uint64_t key, uint64_t issued_ms,
                     uint64_t now_ms) {
    const struct revocations_entry *set = set_of(table, key);
    for (unsigned i = 0; i < REVOCATIONS_WAYS; i++) {
        uint64_t found = load_full(&set[i].key);
        /* the key once more: the place may have become another's in between */
        if ((found == key || found == WHOLE_SET) &&
            concerns(&set[i].before_ms, &set[i].until_ms, issued_ms, now_ms) &&
            load_full(&set[i].key) == found)
            return true;
    }
    return false;
}

bool revocations_has_all(const struct revocations *table, uint64_t issued_ms, uint64_t now_ms) {
    return concerns(&table->header->all_before_ms, &table->header->all_until_ms, issued_ms, now_ms);
}

bool revocations_change(const struct revocations *table, uint64_t sequence,
                        struct revocations_change *out) {
    struct revocations_change *from = &table->header->changes[sequence % REVOCATIONS_CHANGES];
    const size_t behind = sizeof(from->sequence);
    if (load_acquire(&from->sequence) != sequence) /* D: pairs with C */
        return false;
    order_copy_out((char *)out + behind, (char *)from + behind, sizeof(*out) - behind);
    fence_acquire(); /* B: pairs with A */
    if (load_relaxed(&from->sequence) != sequence)
        return false;
    store_relaxed(&out->sequence, sequence);
    if (out->name_length > REVOCATIONS_NAME_BYTES)
        out->name_length = 0;
    if (out->reason_length > REVOCATIONS_REASON_BYTES)
        out->reason_length = 0;
    return true;
}

static uint64_t size_for(uint64_t slots) {
    return sizeof(struct revocations_header) + slots * sizeof(struct revocations_entry);
}

static bool sound(const struct revocations_header *header, size_t size) {
    uint64_t slots = header->slots;
    return header->magic == REVOCATIONS_MAGIC && header->version == REVOCATIONS_VERSION &&
           slots >= SLOTS_LEAST && slots <= SLOTS_MOST && (slots & (slots - 1)) == 0 &&
           header->size == size && size == size_for(slots);
}

static struct revocations_entry *set_of(const struct revocations *table, uint64_t key) {
    uint64_t sets = table->slots / REVOCATIONS_WAYS;
    return &table->entries[(key >> 32 & (sets - 1)) * REVOCATIONS_WAYS];
}

/* Its own entry, else one that is free or whose time is over; NULL when there is neither. */
static struct revocations_entry *place_for(struct revocations_entry *set, uint64_t key,
                                           uint64_t now_ms) {
    struct revocations_entry *place = NULL;
    for (unsigned i = 0; i < REVOCATIONS_WAYS; i++) {
        uint64_t found = load_relaxed(&set[i].key);
        if (found == key)
            return &set[i];
        if (place == NULL && (found == 0 || load_relaxed(&set[i].until_ms) <= now_ms))
            place = &set[i];
    }
    return place;
}

/* The key goes first and comes last: a reader never sees the new times under the old key. */
static void fill(struct revocations_entry *entry, uint64_t key, uint64_t before_ms,
                 uint64_t until_ms) {
    (void)exchange_full(&entry->key, 0);
    (void)exchange_full(&entry->before_ms, before_ms);
    (void)exchange_full(&entry->until_ms, until_ms);
    (void)exchange_full(&entry->key, key);
}

static void extend(shm_u64 *before_at, shm_u64 *until_at, uint64_t before_ms, uint64_t until_ms) {
    if (load_relaxed(before_at) < before_ms)
        store_release(before_at, before_ms);
    if (load_relaxed(until_at) < until_ms)
        store_release(until_at, until_ms);
}
