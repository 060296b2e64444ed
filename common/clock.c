#include "common/clock.h"

#include <time.h>

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull

static struct {
    bool on;
    uint64_t mono_ns;
    int64_t wall_ms;
} fake;

uint64_t clock_mono_ns(void) {
    struct timespec now;

    if (fake.on) {
        return fake.mono_ns;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ms(void) {
    return clock_mono_ns() / NS_PER_MS;
}

int64_t clock_wall_ms(void) {
    struct timespec now;

    if (fake.on) {
        return fake.wall_ms;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / (int64_t)NS_PER_MS;
}

void clock_set_fake(uint64_t mono_ns, int64_t wall_ms) {
    fake.mono_ns = mono_ns;
    fake.wall_ms = wall_ms;
    fake.on = true;
}

void clock_set_real(void) {
    fake.on = false;
}
