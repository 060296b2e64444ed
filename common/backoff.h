/* Exponential backoff with jitter: the delay doubles from first_ms to most_ms and is drawn evenly from
 * [half, whole] of that, so that many who failed together do not come back together. */
#ifndef MOONX_COMMON_BACKOFF_H
#define MOONX_COMMON_BACKOFF_H

#include "common/base.h"

struct backoff {
    uint32_t first_ms;
    uint32_t most_ms;
    uint32_t step; /* failures so far; 0 after backoff_reset */
};

uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random);
void backoff_reset(struct backoff *backoff);

#endif
