#include "gateway/http/http_query.h"

#include <stdlib.h>

static bool next_parameter(struct span *query, struct span *name, struct span *value) {
    if (query->length == 0) {
        return false;
    }
    const char *end = memchr(query->data, '&', query->length);
    size_t length = end != NULL ? (size_t)(end - query->data) : query->length;
    const char *equal = memchr(query->data, '=', length);
    size_t name_length = equal != NULL ? (size_t)(equal - query->data) : length;
    *name = (struct span){query->data, name_length};
    *value = equal != NULL ? (struct span){equal + 1, length - name_length - 1}
                           : (struct span){query->data + length, 0};
    size_t step = end != NULL ? length + 1 : length;
    *query = (struct span){query->data + step, query->length - step};
    return true;
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at *at, which moves on; -EINVAL. */
static int next_byte(struct span text, size_t *at) {
    if (text.data[*at] != '%') {
        return (unsigned char)text.data[(*at)++];
    }
    int high = *at + 2 < text.length ? digit_of(text.data[*at + 1]) : -1;
    int low = *at + 2 < text.length ? digit_of(text.data[*at + 2]) : -1;
    *at += 3;
    return high < 0 || low < 0 || high + low == 0 ? -EINVAL : high * 16 + low;
}

static int decode(struct span text, char *out, size_t size, size_t *length) {
    *length = 0;
    for (size_t at = 0; at < text.length;) {
        int byte = next_byte(text, &at);
        if (byte <= 0 || *length + 1 >= size) {
            return -EINVAL;
        }
        out[(*length)++] = (char)byte;
    }
    out[*length] = '\0';
    return 1;
}

int http_query_text(struct span query, const char *name, char *out, size_t size, size_t *length) {
    struct span key, value;

    while (next_parameter(&query, &key, &value)) {
        if (span_is(key, name)) {
            return decode(value, out, size, length);
        }
    }
    return 0;
}

int http_query_number(struct span query, const char *name, uint64_t low, uint64_t high,
                      uint64_t *out) {
    char text[21];
    size_t length;
    uint64_t number = 0;
    int result = http_query_text(query, name, text, sizeof(text), &length);

    if (result <= 0) {
        return result;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || number > high / 10) {
            return -EINVAL;
        }
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (length == 0 || number < low || number > high) {
        return -EINVAL;
    }
    *out = number;
    return 1;
}
