/* The send time inside an event's data: "sentNs":"<20 digits>" in events for everyone, "privNs":"…" in those
 * of one user. CLOCK_MONOTONIC of the one host; 0 in events that only warm up. It stands where the last
 * frame had it, counted from the frame's end, so finding it is one comparison and no JSON parse. */
#ifndef MOONX_BENCH_STAMP_H
#define MOONX_BENCH_STAMP_H

#include "common/base.h"

#define STAMP_KEY_BYTES 10
#define STAMP_DIGITS    20
#define STAMP_PUBLIC    "\"sentNs\":\""
#define STAMP_PRIVATE   "\"privNs\":\""

enum stamp_kind { STAMP_NONE, STAMP_IS_PUBLIC, STAMP_IS_PRIVATE };

static inline void stamp_write(char digits[STAMP_DIGITS], uint64_t ns) {
    for (unsigned i = STAMP_DIGITS; i > 0; i--) {
        digits[i - 1] = (char)('0' + ns % 10);
        ns /= 10;
    }
}

static inline enum stamp_kind stamp_kind_at(const char *at) {
    if (memcmp(at, STAMP_PUBLIC, STAMP_KEY_BYTES) == 0) {
        return STAMP_IS_PUBLIC;
    }
    return memcmp(at, STAMP_PRIVATE, STAMP_KEY_BYTES) == 0 ? STAMP_IS_PRIVATE : STAMP_NONE;
}

/* *from_end: where the last one was; kept by the caller, 0 at first. */
static inline enum stamp_kind stamp_find(const char *payload, size_t length, size_t *from_end,
                                         uint64_t *ns) {
    const size_t whole = STAMP_KEY_BYTES + STAMP_DIGITS;
    const char *at = NULL;
    enum stamp_kind kind = STAMP_NONE;
    if (*from_end >= whole && *from_end <= length) {
        at = payload + length - *from_end;
        kind = stamp_kind_at(at);
    }
    for (size_t i = 0; kind == STAMP_NONE && i + whole <= length; i++) {
        at = memchr(payload + i, '"', length - whole - i + 1);
        if (at == NULL) {
            return STAMP_NONE;
        }
        i = (size_t)(at - payload);
        kind = stamp_kind_at(at);
    }
    if (kind != STAMP_NONE) {
        *from_end = (size_t)(payload + length - at);
        *ns = 0;
        for (unsigned i = 0; i < STAMP_DIGITS; i++) {
            *ns = *ns * 10 + (uint64_t)(at[STAMP_KEY_BYTES + i] - '0');
        }
    }
    return kind;
}

#endif
