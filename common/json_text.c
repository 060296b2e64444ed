#include "common/json_text.h"

#include "common/utf8.h"

#define HIGH_SURROGATE 0xd800u
#define LOW_SURROGATE  0xdc00u

/* The character of a two-byte escape, by its second byte; 0: no such escape. */
static const unsigned char short_escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

static struct json_text_step next_escape(struct span text);
static struct json_text_step next_unicode_escape(struct span text);
static struct json_text_step next_surrogates(struct span text, uint32_t high);
static struct json_text_step step_bad(enum json_result result);
static long hex_unit(struct span text);
static long unescape_plain(struct span text, char *buffer, size_t size);
static unsigned escape_one(struct span text, size_t *at, char *to);

struct json_text_step json_text_next(struct span text) {
    struct json_text_step step = {.result = JSON_OK};
    unsigned char first = (unsigned char)text.data[0];

    if (first == '\\') {
        return next_escape(text);
    }
    if (first < 0x20 || first == '"') {
        return step_bad(first == 0 ? JSON_BAD_NUL : JSON_BAD_SYNTAX);
    }
    step.length = utf8_decode(text, &step.code_point);
    return step.length > 0 ? step : step_bad(JSON_BAD_UTF8);
}

enum json_type json_text_type(char first) {
    switch (first) {
    case '"':
        return JSON_STRING;
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

long json_unescape(struct json_value string, char *buffer, size_t size) {
    struct span rest = string.text;
    size_t length = 0;

    if (string.type != JSON_STRING) {
        return -EINVAL;
    }
    if (rest.length == 0 || memchr(rest.data, '\\', rest.length) == NULL) {
        return unescape_plain(rest, buffer, size);
    }
    while (rest.length > 0) {
        struct json_text_step step = json_text_next(rest);
        char character[4];
        unsigned width;

        if (step.result != JSON_OK) {
            return -EINVAL;
        }
        width = utf8_encode(step.code_point, character);
        if (width > size - length) {
            return -ENOSPC;
        }
        memcpy(buffer + length, character, width);
        length += width;
        rest = (struct span){rest.data + step.length, rest.length - step.length};
    }
    return (long)length;
}

long json_escape(struct span text, char *buffer, size_t size) {
    size_t at = 0, length = 0;

    while (at < text.length) {
        char piece[8];
        unsigned width = escape_one(text, &at, piece);
        if (width > size - length) {
            return -ENOSPC;
        }
        memcpy(buffer + length, piece, width);
        length += width;
    }
    return (long)length;
}

bool json_utf8_valid(struct span text) {
    size_t at = 0;

    while (at < text.length) {
        uint32_t code_point;
        unsigned width = utf8_decode((struct span){text.data + at, text.length - at}, &code_point);
        if (width == 0) {
            return false;
        }
        at += width;
    }
    return true;
}

/* Most strings have no escape at all. */
static long unescape_plain(struct span text, char *buffer, size_t size) {
    if (text.length > size) {
        return -ENOSPC;
    }
    if (text.length > 0) {
        memcpy(buffer, text.data, text.length);
    }
    return (long)text.length;
}

static struct json_text_step next_escape(struct span text) {
    unsigned char kind = text.length > 1 ? (unsigned char)text.data[1] : 0;

    if (kind == 'u') {
        return next_unicode_escape(text);
    }
    if (short_escapes[kind] == 0) {
        return step_bad(JSON_BAD_SYNTAX);
    }
    return (struct json_text_step){JSON_OK, 2, short_escapes[kind]};
}

static struct json_text_step next_unicode_escape(struct span text) {
    long unit = hex_unit(text);

    if (unit < 0) {
        return step_bad(JSON_BAD_SYNTAX);
    }
    if (unit == 0) {
        return step_bad(JSON_BAD_NUL);
    }
    if (unit >= (long)HIGH_SURROGATE && unit < (long)LOW_SURROGATE + 0x400) {
        return next_surrogates(text, (uint32_t)unit);
    }
    return (struct json_text_step){JSON_OK, 6, (uint32_t)unit};
}

static struct json_text_step next_surrogates(struct span text, uint32_t high) {
    long low = text.length >= 12 ? hex_unit((struct span){text.data + 6, text.length - 6}) : -1;

    if (high >= LOW_SURROGATE || low < (long)LOW_SURROGATE || low >= (long)LOW_SURROGATE + 0x400) {
        return step_bad(JSON_BAD_UTF8);
    }
    return (struct json_text_step){
        JSON_OK, 12, 0x10000 + ((high - HIGH_SURROGATE) << 10) + ((uint32_t)low - LOW_SURROGATE)};
}

static struct json_text_step step_bad(enum json_result result) {
    return (struct json_text_step){.result = result};
}

static int hex_digit(unsigned char byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The number of `\uXXXX`, or -1. */
static long hex_unit(struct span text) {
    long unit = 0;

    if (text.length < 6 || text.data[0] != '\\' || text.data[1] != 'u') {
        return -1;
    }
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit((unsigned char)text.data[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

static unsigned escape_control(unsigned char byte, char *to) {
    static const char names[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char digits[] = "0123456789abcdef";

    to[0] = '\\';
    if (names[byte] != 0) {
        to[1] = names[byte];
        return 2;
    }
    to[1] = 'u';
    to[2] = '0';
    to[3] = '0';
    to[4] = digits[byte >> 4];
    to[5] = digits[byte & 15];
    return 6;
}

/* Takes one character of `text` at *at; gives at most 6 bytes. */
static unsigned escape_one(struct span text, size_t *at, char *to) {
    const char *from = text.data + *at;
    uint32_t code_point = 0;
    unsigned width = utf8_decode((struct span){from, text.length - *at}, &code_point);

    *at += width > 0 ? width : 1;
    if (width == 0) {
        return utf8_encode(UTF8_REPLACEMENT, to);
    }
    if (code_point < 0x20) {
        return escape_control((unsigned char)code_point, to);
    }
    if (code_point == '"' || code_point == '\\') {
        to[0] = '\\';
        to[1] = (char)code_point;
        return 2;
    }
    memcpy(to, from, width);
    return width;
}
