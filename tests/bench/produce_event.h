/* The values that the bench produces: bare data of built-in routes, padded so that the envelope which the
 * gateway makes of it has the wanted size. */
#ifndef MOONX_BENCH_PRODUCE_EVENT_H
#define MOONX_BENCH_PRODUCE_EVENT_H

#include "tests/bench/stamp.h"

#include <stdio.h>

#define PRODUCE_VALUE_MAX 65536

struct produce_value {
    size_t length;
    size_t stamp_at; /* its digits */
    char text[PRODUCE_VALUE_MAX];
};

/* frame_bytes: size of the envelope (a frame's payload), exact for offsets of four digits. `user` NULL: a
 * trade for everyone, else an order of that user. 0 or -EINVAL when nothing is left for the data. */
static inline int produce_event_make(const char *topic, const char *user, size_t frame_bytes,
                                     struct produce_value *out) {
    char envelope[512];
    int around =
        snprintf(envelope, sizeof(envelope),
                 "{\"id\":\"%s:0:1000\",\"type\":\"%s\",\"timestamp\":1700000000000,\"data\":}",
                 topic, user == NULL ? "trade_update" : "order_update");
    int head = user == NULL ? snprintf(out->text, 512, "{\"tradeId\":\"1\",\"pad\":\"")
                            : snprintf(out->text, 512,
                                       "{\"orderId\":\"1\",\"userId\":\"%s\",\"pad\":\"", user);
    char tail[64];
    int tail_length = snprintf(tail, sizeof(tail), "\",%s00000000000000000000\"}",
                               user == NULL ? STAMP_PUBLIC : STAMP_PRIVATE);
    size_t fixed = (size_t)(around + head + tail_length);
    if (frame_bytes < fixed || frame_bytes > PRODUCE_VALUE_MAX) {
        return -EINVAL;
    }
    size_t pad = frame_bytes - fixed;
    unsigned digits = 1;
    for (size_t i = 0; i < pad; i++) { /* as random as addresses and hashes, half of a real one */
        digits = digits * 1103515245u + 12345u;
        out->text[(size_t)head + i] = "0123456789abcdef"[digits >> 28];
    }
    memcpy(out->text + (size_t)head + pad, tail, (size_t)tail_length);
    out->length = (size_t)(head + tail_length) + pad;
    out->stamp_at = out->length - 2 - STAMP_DIGITS;
    return 0;
}

#endif
