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
    size_t key_at;   /* a price: the four digits of its token, which differ by key */
    char text[PRODUCE_VALUE_MAX];
};

#define PRODUCE_KEY_DIGITS 4

enum produce_kind { PRODUCE_TRADE, PRODUCE_ORDER, PRODUCE_PRICE };

/* Type, and the data's beginning; %s is the user of an order. */
static const struct {
    const char *type, *head, *stamp;
} produce_kinds[] = {
    [PRODUCE_TRADE] = {"trade_update", "{\"tradeId\":\"1\",\"pad\":\"", STAMP_PUBLIC},
    [PRODUCE_ORDER] = {"order_update", "{\"orderId\":\"1\",\"userId\":\"%s\",\"pad\":\"",
                       STAMP_PRIVATE},
    [PRODUCE_PRICE] = {"price_update",
                       "{\"token\":\"T0000\",\"chainId\":1,\"price\":\"2150.45\",\"pad\":\"",
                       STAMP_PUBLIC},
};

/* The next key, 0 to 9999, of a price. */
static inline void produce_event_key(struct produce_value *value, unsigned key) {
    for (unsigned i = PRODUCE_KEY_DIGITS; i > 0; i--) {
        value->text[value->key_at + i - 1] = (char)('0' + key % 10);
        key /= 10;
    }
}

/* frame_bytes: size of the envelope (a frame's payload), exact for offsets of four digits. `user`: of an order. 0 or
 * -EINVAL when nothing is left for the data. */
static inline int produce_event_make(enum produce_kind kind, const char *topic, const char *user,
                                     size_t frame_bytes, struct produce_value *out) {
    char envelope[512];
    int around =
        snprintf(envelope, sizeof(envelope),
                 "{\"id\":\"%s:0:1000\",\"type\":\"%s\",\"timestamp\":1700000000000,\"data\":}",
                 topic, produce_kinds[kind].type);
    int head = snprintf(out->text, 512, produce_kinds[kind].head, user);
    char tail[64];
    int tail_length =
        snprintf(tail, sizeof(tail), "\",%s00000000000000000000\"}", produce_kinds[kind].stamp);
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
    out->key_at = strlen("{\"token\":\"T");
    return 0;
}

#endif
