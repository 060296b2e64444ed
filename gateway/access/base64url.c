#include "gateway/access/base64url.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit_value(char character);

long base64url_decode(struct span text, unsigned char *out, size_t size) {
    size_t rest = text.length % 4;
    size_t length = text.length / 4 * 3 + (rest == 0 ? 0 : rest - 1);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;

    if (rest == 1) {
        return -EINVAL;
    }
    if (length > size) {
        return -ENOSPC;
    }
    for (size_t i = 0; i < text.length; i++) {
        int value = digit_value(text.data[i]);
        if (value < 0) {
            return -EINVAL;
        }
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[at++] = (unsigned char)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    /* What is left over must be zero, or several texts would stand for the same bytes. */
    return bits == 0 ? (long)length : -EINVAL;
}

long base64url_encode(const unsigned char *bytes, size_t length, char *out, size_t size) {
    size_t rest = length % 3;
    size_t needed = length / 3 * 4 + (rest == 0 ? 0 : rest + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;

    if (needed > size) {
        return -ENOSPC;
    }
    for (size_t i = 0; i < length; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffffffu;
        held += 8;
        while (held >= 6) {
            held -= 6;
            out[at++] = alphabet[bits >> held & 63];
        }
    }
    if (held > 0) {
        out[at] = alphabet[bits << (6 - held) & 63];
    }
    return (long)needed;
}

static int digit_value(char character) {
    const char *found = character == '\0' ? NULL : strchr(alphabet, character);
    return found == NULL ? -1 : (int)(found - alphabet);
}
