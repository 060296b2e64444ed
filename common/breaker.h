/* A circuit breaker: after some failures in a row a service is left alone for a while, then asked once; the
 * answer to this probe decides. The while doubles from cool_first_ms to cool_most_ms as long as probes fail. Pure;
 * the caller brings the time. Used by whatever calls another service. */
#ifndef MOONX_COMMON_BREAKER_H
#define MOONX_COMMON_BREAKER_H

#include "common/base.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    unsigned most_failures; /* in a row */
    uint32_t cool_first_ms, cool_most_ms;
    enum breaker_state state; /* the rest is zero at first */
    unsigned failures;
    uint32_t cool_ms;
    uint64_t open_until_ms;
};

/* Whether a call may be made now. In half-open state only one may, until it has been reported. */
bool breaker_allow(struct breaker *breaker, uint64_t now_mono_ms) MUST_CHECK;
/* How a call that was allowed has ended. */
void breaker_report(struct breaker *breaker, bool good, uint64_t now_mono_ms);

#endif
