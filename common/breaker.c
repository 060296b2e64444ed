#include "common/breaker.h"

static void trip(struct breaker *breaker, uint64_t now_mono_ms) {
    uint32_t doubled = breaker->cool_ms == 0 ? breaker->cool_first_ms : breaker->cool_ms * 2;

    breaker->cool_ms = doubled < breaker->cool_most_ms ? doubled : breaker->cool_most_ms;
    breaker->state = BREAKER_OPEN;
    breaker->open_until_ms = now_mono_ms + breaker->cool_ms;
}

bool breaker_allow(struct breaker *breaker, uint64_t now_mono_ms) {
    if (breaker->state == BREAKER_CLOSED) {
        return true;
    }
    if (breaker->state == BREAKER_HALF_OPEN || now_mono_ms < breaker->open_until_ms) {
        return false;
    }
    breaker->state = BREAKER_HALF_OPEN;
    return true;
}

void breaker_report(struct breaker *breaker, bool good, uint64_t now_mono_ms) {
    if (good) {
        /* Also one that was under way when the breaker opened: the service answers. */
        breaker->state = BREAKER_CLOSED;
        breaker->failures = 0;
        breaker->cool_ms = 0;
    } else if (breaker->state == BREAKER_HALF_OPEN ||
               (breaker->state == BREAKER_CLOSED &&
                ++breaker->failures >= breaker->most_failures)) {
        trip(breaker, now_mono_ms);
    }
}
