/* What is remembered under a SHA-256: slots in sets of a few, the digest's own bits choose the set, and in a full set the
 * newcomer takes the slot that ends first. The owner's array, of structs that begin with a struct digest_slot; zeroed at
 * first. Workers; part of auth_cache and auth_rooms. */
#ifndef MOONX_GATEWAY_ACCESS_DIGEST_H
#define MOONX_GATEWAY_ACCESS_DIGEST_H

#include "common/base.h"

#define DIGEST_BYTES 32
#define DIGEST_WAYS  4 /* slots of a set */

struct digest_slot {
    unsigned char digest[DIGEST_BYTES];
    int64_t until_ms; /* of the owner's clock; 0: free */
};

struct digest_slots {
    void *first;
    size_t count; /* a multiple of DIGEST_WAYS */
    size_t size;  /* of the struct that begins with a slot */
};

/* -ENOMEM. */
int digest_of(struct span text, unsigned char digest[DIGEST_BYTES]) MUST_CHECK;

/* NULL: there is none. */
struct digest_slot *digest_find(const struct digest_slots *slots,
                                const unsigned char digest[DIGEST_BYTES]);
/* The digest's slot from now on, until until_ms (not 0). What the owner keeps beside it is still of whoever had it. */
struct digest_slot *digest_place(const struct digest_slots *slots,
                                 const unsigned char digest[DIGEST_BYTES], int64_t until_ms);

#endif
