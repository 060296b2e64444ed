#include "gateway/client/latency.h"

#define STEPS 8u /* buckets between a power of two and the next */

static unsigned bucket_of(uint64_t us);
static uint64_t bucket_end(unsigned bucket);

void latency_take_pong(struct latency *latency, int64_t server_ms, int64_t now_us,
                       uint64_t round_trip_us) {
    if (latency->clock_known && round_trip_us >= latency->round_trip_us) {
        return;
    }
    latency->clock_known = true;
    latency->round_trip_us = round_trip_us;
    /* half a millisecond: what was cut off when the server wrote whole ones, on average */
    latency->ahead_us = server_ms * 1000 + 500 - (now_us - (int64_t)(round_trip_us / 2));
}

void latency_take_event(struct latency *latency, int64_t event_ms, int64_t now_us) {
    if (!latency->clock_known) {
        return;
    }
    int64_t took = now_us + latency->ahead_us - (event_ms * 1000 + 500);
    uint64_t us = took < 0 ? 0 : (uint64_t)took;
    latency->count++;
    latency->most_us = us > latency->most_us ? us : latency->most_us;
    latency->buckets[bucket_of(us)]++;
}

uint64_t latency_percentile(const struct latency *latency, unsigned percent) {
    uint64_t wanted = (latency->count * percent + 99) / 100, seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS && wanted > 0; i++) {
        seen += latency->buckets[i];
        if (seen >= wanted) {
            uint64_t end = bucket_end(i);
            return end < latency->most_us ? end : latency->most_us;
        }
    }
    return latency->most_us;
}

/* Below STEPS a bucket is one microsecond wide; above, an eighth of the power of two below it. */
static unsigned bucket_of(uint64_t us) {
    if (us < STEPS) {
        return (unsigned)us;
    }
    unsigned power = 63u - (unsigned)__builtin_clzll(us); /* at least 3 */
    unsigned bucket = (power - 2) * STEPS + (unsigned)((us >> (power - 3)) - STEPS);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static uint64_t bucket_end(unsigned bucket) {
    if (bucket < STEPS) {
        return bucket;
    }
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(bucket % STEPS + STEPS + 1) << shift) - 1;
}
