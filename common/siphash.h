/* SipHash-2-4 (Aumasson, Bernstein 2012): the keyed hash of room names and user ids. Keyed, so that no
 * client can choose names that collide; the key lives in the segment's header and is the same in every
 * process of one host. */
#ifndef MOONX_COMMON_SIPHASH_H
#define MOONX_COMMON_SIPHASH_H

#include "common/base.h"

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, struct span text);

#endif
