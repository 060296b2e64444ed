#include "common/siphash.h"

#include <endian.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static void init(struct state *s, const struct siphash_key *key);
static void absorb(struct state *s, uint64_t word);
static uint64_t finish(struct state *s);
static uint64_t last_word(const char *tail, size_t whole_length);

uint64_t siphash(const struct siphash_key *key, struct span text) {
    struct state s;
    size_t whole_words = text.length / 8;

    init(&s, key);
    for (size_t i = 0; i < whole_words; i++) {
        uint64_t word;
        memcpy(&word, text.data + i * 8, 8);
        absorb(&s, le64toh(word));
    }
    /* An empty span may have no address to add to. */
    absorb(&s, last_word(whole_words > 0 ? text.data + whole_words * 8 : text.data, text.length));
    return finish(&s);
}

static inline uint64_t rotate_left(uint64_t word, unsigned bits) {
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(struct state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static void init(struct state *s, const struct siphash_key *key) {
    /* The paper's constants: "somepseudorandomlygeneratedbytes". */
    s->v0 = key->k0 ^ 0x736f6d6570736575ull;
    s->v1 = key->k1 ^ 0x646f72616e646f6dull;
    s->v2 = key->k0 ^ 0x6c7967656e657261ull;
    s->v3 = key->k1 ^ 0x7465646279746573ull;
}

static void absorb(struct state *s, uint64_t word) {
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static uint64_t finish(struct state *s) {
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(s);
    }
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The bytes that fill no whole word, and the length in the top byte. */
static uint64_t last_word(const char *tail, size_t whole_length) {
    uint64_t word = (uint64_t)(whole_length & 0xff) << 56;

    for (size_t i = 0; i < whole_length % 8; i++) {
        word |= (uint64_t)(unsigned char)tail[i] << (8 * i);
    }
    return word;
}
