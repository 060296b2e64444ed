#include "common/utf8.h"

/* By the first byte: the length, the bits that it gives, and the range of the second byte, which is what
 * keeps overlong forms, surrogates and numbers past U+10FFFF out (RFC 3629 section 4). */
struct lead {
    unsigned char first, last; /* first bytes of this row */
    unsigned char length;
    unsigned char bits;
    unsigned char second_from, second_to;
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 2, 0x1f, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0x0f, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x0f, 0x80, 0xbf}, {0xed, 0xed, 3, 0x0f, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x0f, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x07, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x07, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x07, 0x80, 0x8f},
};

static unsigned decode_long(const struct lead *lead, struct span text, uint32_t *code_point);

unsigned utf8_decode(struct span text, uint32_t *code_point) {
    unsigned char first;

    if (text.length == 0) {
        return 0;
    }
    first = (unsigned char)text.data[0];
    if (first < 0x80) {
        *code_point = first;
        return 1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(leads); i++) {
        if (first >= leads[i].first && first <= leads[i].last) {
            return decode_long(&leads[i], text, code_point);
        }
    }
    return 0;
}

unsigned utf8_encode(uint32_t code_point, char *to) {
    static const unsigned char marks[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned length = 1u + (code_point >= 0x80) + (code_point >= 0x800) + (code_point >= 0x10000);
    uint32_t rest = code_point;

    for (unsigned i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (rest & 0x3f));
        rest >>= 6;
    }
    to[0] = (char)(marks[length] | rest);
    return length;
}

static unsigned decode_long(const struct lead *lead, struct span text, uint32_t *code_point) {
    uint32_t number = (unsigned char)text.data[0] & lead->bits;
    unsigned char from = lead->second_from, to = lead->second_to;

    if (text.length < lead->length) {
        return 0;
    }
    for (unsigned i = 1; i < lead->length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < from || byte > to) {
            return 0;
        }
        number = number << 6 | (byte & 0x3f);
        from = 0x80;
        to = 0xbf;
    }
    *code_point = number;
    return lead->length;
}
