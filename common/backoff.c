#include "common/backoff.h"

static uint32_t whole_delay_ms(const struct backoff *backoff);

uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random) {
    uint32_t whole = whole_delay_ms(backoff);
    uint32_t half = whole / 2;
    uint64_t choices = (uint64_t)whole - half + 1;

    if (backoff->step < UINT32_MAX) {
        backoff->step++;
    }
    /* Scales the random number instead of taking its remainder: even for every range. */
    return half + (uint32_t)((random * choices) >> 32);
}

void backoff_reset(struct backoff *backoff) {
    backoff->step = 0;
}

static uint32_t whole_delay_ms(const struct backoff *backoff) {
    /* 32 doublings take every delay but 0 past 32 bits. */
    unsigned doublings = backoff->step < 32 ? backoff->step : 32;
    uint64_t delay = (uint64_t)backoff->first_ms << doublings;

    return delay < backoff->most_ms ? (uint32_t)delay : backoff->most_ms;
}
