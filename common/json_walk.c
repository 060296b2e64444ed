/* The getters of json.h: they walk text that json_check() has passed, and so check nothing again. */
#include "common/json.h"

#include "common/json_text.h"
#include "common/utf8.h"

static int next_value(struct span text, size_t *at, struct json_value *out);
static void skip_blanks(struct span text, size_t *at);
static bool key_is(struct span key, struct span name);

int json_get(struct json_value object, const char *key, struct json_value *out) {
    struct json_value value, found = {.type = JSON_NULL};
    struct span member;
    struct span name = span_of(key);
    size_t cursor = 0;
    int count = 0;

    while (json_next_member(object, &cursor, &member, &value) == 1) {
        if (key_is(member, name)) {
            if (count++ > 0) {
                return -EEXIST;
            }
            found = value;
        }
    }
    if (count > 0) {
        *out = found;
    }
    return count;
}

int json_next_member(struct json_value object, size_t *cursor, struct span *key,
                     struct json_value *out) {
    struct json_value name;
    size_t at = *cursor == 0 ? 1 : *cursor; /* past the brace */

    if (object.type != JSON_OBJECT || next_value(object.text, &at, &name) == 0) {
        return 0;
    }
    if (next_value(object.text, &at, out) == 0) {
        return 0;
    }
    *key = name.text;
    *cursor = at;
    return 1;
}

int json_next_element(struct json_value array, size_t *cursor, struct json_value *out) {
    size_t at = *cursor == 0 ? 1 : *cursor;

    if (array.type != JSON_ARRAY || next_value(array.text, &at, out) == 0) {
        return 0;
    }
    *cursor = at;
    return 1;
}

/* clang-format off */
/* Blanks and the separators between values; checked text has them only where they belong. */
static const bool blank[256] = {
    [' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true, [','] = true, [':'] = true,
};

/* What ends a number or literal. */
static const bool ends_word[256] = {
    [' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true, [','] = true, [']'] = true, ['}'] = true,
};

/* What matters on the way to the end of an object or array. */
static const bool structural[256] = {
    ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true,
};
/* clang-format on */

static void skip_blanks(struct span text, size_t *at) {
    while (*at < text.length && blank[(unsigned char)text.data[*at]]) {
        (*at)++;
    }
}

/* From behind the opening quote to behind the closing one: the first quote with an even number of backslashes
 * before it. By memchr, since a walk spends its time in strings: with a loop over their bytes it took three
 * times as long. */
static size_t string_end(struct span text, size_t at) {
    const char *start = text.data + at, *end = text.data + text.length;
    const char *quote = start;

    while (quote < end && (quote = memchr(quote, '"', (size_t)(end - quote))) != NULL) {
        const char *slash = quote;
        while (slash > start && slash[-1] == '\\') {
            slash--;
        }
        if ((quote - slash) % 2 == 0) {
            return (size_t)(quote - text.data) + 1;
        }
        quote++;
    }
    return text.length;
}

static size_t container_end(struct span text, size_t at) {
    unsigned depth = 0;

    while (at < text.length) {
        char byte = text.data[at++];
        if (!structural[(unsigned char)byte]) {
            continue;
        }
        if (byte == '"') {
            at = string_end(text, at);
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if (--depth == 0) {
            break;
        }
    }
    return at;
}

static size_t word_end(struct span text, size_t at) {
    while (at < text.length && !ends_word[(unsigned char)text.data[at]]) {
        at++;
    }
    return at;
}

/* The value at *at, which moves behind it; 0 at the closing bracket. */
static int next_value(struct span text, size_t *at, struct json_value *out) {
    size_t from, end;

    skip_blanks(text, at);
    if (*at >= text.length || text.data[*at] == '}' || text.data[*at] == ']') {
        return 0;
    }
    from = *at;
    out->type = json_text_type(text.data[from]);
    if (out->type == JSON_STRING) {
        end = string_end(text, from + 1);
        out->text = (struct span){text.data + from + 1, end - from - 2};
    } else {
        end = out->type >= JSON_ARRAY ? container_end(text, from) : word_end(text, from);
        out->text = (struct span){text.data + from, end - from};
    }
    *at = end;
    return 1;
}

/* Compares character by character, so that an escaped key of any length needs no buffer. */
static bool escaped_key_is(struct span key, struct span name) {
    while (key.length > 0) {
        struct json_text_step step = json_text_next(key);
        char character[4];
        unsigned width;

        if (step.result != JSON_OK) {
            return false;
        }
        width = utf8_encode(step.code_point, character);
        if (width > name.length || memcmp(name.data, character, width) != 0) {
            return false;
        }
        name = (struct span){name.data + width, name.length - width};
        key = (struct span){key.data + step.length, key.length - step.length};
    }
    return name.length == 0;
}

/* An escape is never shorter than what it stands for: so a shorter key can't be the one, one of the same
 * length only without escapes, and a longer one only with them. */
static bool key_is(struct span key, struct span name) {
    if (key.length < name.length) {
        return false;
    }
    if (key.length == name.length) {
        return key.length == 0 || (memcmp(key.data, name.data, key.length) == 0 &&
                                   memchr(key.data, '\\', key.length) == NULL);
    }
    return memchr(key.data, '\\', key.length) != NULL && escaped_key_is(key, name);
}
