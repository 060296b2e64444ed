#include "gateway/access/digest.h"

#include <openssl/evp.h>

int digest_of(struct span text, unsigned char digest[DIGEST_BYTES]) {
    return EVP_Digest(text.data, text.length, digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

/* The i-th slot of the digest's set. */
static struct digest_slot *slot_of(const struct digest_slots *slots, const unsigned char *digest,
                                   unsigned i) {
    size_t sets = slots->count / DIGEST_WAYS;
    uint64_t number;

    memcpy(&number, digest, sizeof(number)); /* a digest is random enough as it is */
    return (void *)((char *)slots->first + (number % sets * DIGEST_WAYS + i) * slots->size);
}

struct digest_slot *digest_find(const struct digest_slots *slots,
                                const unsigned char digest[DIGEST_BYTES]) {
    for (unsigned i = 0; i < DIGEST_WAYS; i++) {
        struct digest_slot *slot = slot_of(slots, digest, i);

        if (slot->until_ms != 0 && memcmp(slot->digest, digest, sizeof(slot->digest)) == 0) {
            return slot;
        }
    }
    return NULL;
}

static struct digest_slot *first_to_end(const struct digest_slots *slots,
                                        const unsigned char *digest) {
    struct digest_slot *first = slot_of(slots, digest, 0);

    for (unsigned i = 1; i < DIGEST_WAYS; i++) {
        struct digest_slot *slot = slot_of(slots, digest, i);

        first = slot->until_ms < first->until_ms ? slot : first;
    }
    return first;
}

struct digest_slot *digest_place(const struct digest_slots *slots,
                                 const unsigned char digest[DIGEST_BYTES], int64_t until_ms) {
    struct digest_slot *slot = digest_find(slots, digest);

    slot = slot != NULL ? slot : first_to_end(slots, digest);
    memcpy(slot->digest, digest, sizeof(slot->digest));
    slot->until_ms = until_ms;
    return slot;
}
