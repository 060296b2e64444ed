/* Ordered accesses, two pairs:
 *   A  rotate: a key's words, then store_release(generation)   find: load_acquire(generation), then the words
 *   B  rotate: generation, fence, then zeros over an old key   find: the words, fence, then generation again: a key
 *      that was being wiped meanwhile is not taken */
#include "shm/ticket_keys.h"

#include "shm/region.h"

#include <strings.h>
#include <sys/mman.h>
#include <sys/random.h>

static const struct block_head head = {TICKET_KEYS_MAGIC, TICKET_KEYS_VERSION,
                                       sizeof(struct ticket_keys)};

int ticket_keys_create(int *fd) {
    return block_create("moonx-tickets", &head, fd);
}

int ticket_keys_map(int fd, bool writable, struct ticket_keys **out) {
    void *block;
    int result = block_map(fd, writable, &head, &block);
    if (result == 0) {
        (void)madvise(block, sizeof(struct ticket_keys), MADV_DONTDUMP);
        *out = block;
    }
    return result;
}

void ticket_keys_unmap(struct ticket_keys *keys) {
    region_unmap(keys, sizeof(*keys));
}

static void store_words(shm_u64 *to, const uint64_t *from) {
    for (unsigned i = 0; i < TICKET_KEY_WORDS; i++) {
        store_relaxed(&to[i], from[i]);
    }
}

int ticket_keys_rotate(struct ticket_keys *keys) {
    static const uint64_t zeros[TICKET_KEY_WORDS];
    uint64_t fresh[TICKET_KEY_WORDS];
    uint64_t next = load_relaxed(&keys->generation) + 1;
    if (getrandom(fresh, sizeof(fresh), 0) != (ssize_t)sizeof(fresh)) {
        return -EIO;
    }
    store_words(keys->keys[next % TICKET_KEYS_SLOTS], fresh);
    explicit_bzero(fresh, sizeof(fresh));
    store_release(&keys->generation, next);                         /* ticket_keys:A */
    fence_release();                                                /* ticket_keys:B */
    store_words(keys->keys[(next + 2) % TICKET_KEYS_SLOTS], zeros); /* of generation next - 2 */
    return 0;
}

/* The key of that generation, if it was still there after it had been read. */
static bool take(const struct ticket_keys *keys, uint64_t generation, struct ticket_key *out) {
    const shm_u64 *from = keys->keys[generation % TICKET_KEYS_SLOTS];
    uint64_t words[TICKET_KEY_WORDS];
    for (unsigned i = 0; i < TICKET_KEY_WORDS; i++) {
        words[i] = load_relaxed(&from[i]);
    }
    fence_acquire(); /* ticket_keys:B */
    bool whole = load_relaxed(&keys->generation) <= generation + 1;
    if (whole) {
        memcpy(out, words, sizeof(*out));
    }
    explicit_bzero(words, sizeof(words));
    return whole;
}

bool ticket_keys_present(const struct ticket_keys *keys, struct ticket_key *out) {
    uint64_t generation = load_acquire(&keys->generation); /* ticket_keys:A */
    return generation > 0 && take(keys, generation, out);
}

enum ticket_age ticket_keys_find(const struct ticket_keys *keys,
                                 const unsigned char name[TICKET_KEY_NAME_BYTES],
                                 struct ticket_key *out) {
    uint64_t generation = load_acquire(&keys->generation); /* ticket_keys:A */
    struct ticket_key key;
    enum ticket_age age = TICKET_UNKNOWN;
    for (uint64_t back = 0; back < 2 && back < generation && age == TICKET_UNKNOWN; back++) {
        /* names are no secrets */
        if (take(keys, generation - back, &key) && memcmp(key.name, name, sizeof(key.name)) == 0) {
            age = back == 0 ? TICKET_PRESENT : TICKET_OLD;
            *out = key;
        }
    }
    explicit_bzero(&key, sizeof(key));
    return age;
}
