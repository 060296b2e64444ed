/* The few words that every file of the project uses.
 *
 * Conventions (whole tree):
 *  - A fallible function returns 0 or a negative errno and leaves its outputs untouched on failure.
 *  - free-like functions accept NULL.
 *  - `take_` moves ownership to the caller and empties its source.
 *  - Times carry their unit in the name: _ns, _ms, _s; mono = CLOCK_MONOTONIC, wall = since 1970.
 */
#ifndef MOONX_COMMON_BASE_H
#define MOONX_COMMON_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MOONX_VERSION "0.1.0"

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LENGTH(a)   (sizeof(a) / sizeof((a)[0]))
#define CACHE_LINE        64

/* Bytes somewhere else: never owned, never NUL-terminated. */
struct span {
    const char *data;
    size_t length;
};

#define SPAN_LITERAL(s) ((struct span){(s), sizeof(s) - 1})
#define SPAN_FORMAT     "%.*s"
#define SPAN_ARGS(s)    (int)(s).length, (s).data

static inline struct span span_of(const char *text) {
    return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool span_is(struct span a, const char *text) {
    return span_equal(a, span_of(text));
}

/* Whatever the case of its ASCII letters: names of headers and most words of HTTP are compared so. */
static inline bool span_equal_caseless(struct span a, struct span b) {
    return a.length == b.length && (a.length == 0 || strncasecmp(a.data, b.data, a.length) == 0);
}

static inline bool span_is_caseless(struct span a, const char *text) {
    return span_equal_caseless(a, span_of(text));
}

static inline bool span_is_blank(char byte, const char *blanks) {
    return byte != '\0' && strchr(blanks, byte) != NULL;
}

/* Without such bytes at its ends. */
static inline struct span span_trim(struct span text, const char *blanks) {
    while (text.length > 0 && span_is_blank(text.data[0], blanks)) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && span_is_blank(text.data[text.length - 1], blanks)) {
        text.length--;
    }
    return text;
}

#endif
