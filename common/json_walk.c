/* The getters of json.h: they walk text that json_check() has passed, and so check nothing again. */
#include "common/json.h"

#include "common/json_text.h"
#include "common/utf8.h"

static int next_value(struct span text, size_t *at, struct json_value *out);
static void skip_blanks(struct span text, size_t *at);
static bool key_is(struct span key, const char *name);

int json_get(struct json_value object, const char *key, struct json_value *out) {
    struct json_value value, found = {.type = JSON_NULL};
    struct span member;
    size_t cursor = 0;
    int count = 0;

    while (json_next_member(object, &cursor, &member, &value) == 1) {
        if (key_is(member, key)) {
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

/* Blanks and the separators between values; checked text has them only where they belong. */
static void skip_blanks(struct span text, size_t *at) {
    while (*at < text.length &&
           (text.data[*at] == ' ' || text.data[*at] == ',' || text.data[*at] == ':' ||
            text.data[*at] == '\n' || text.data[*at] == '\r' || text.data[*at] == '\t')) {
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
        if (byte == '"') {
            at = string_end(text, at);
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if ((byte == '}' || byte == ']') && --depth == 0) {
            break;
        }
    }
    return at;
}

static size_t word_end(struct span text, size_t at) {
    static const bool ends[256] = {[' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true,
                                   [','] = true, [']'] = true,  ['}'] = true};

    while (at < text.length && !ends[(unsigned char)text.data[at]]) {
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

static bool key_is(struct span key, const char *name) {
    struct span wanted = span_of(name);

    if (key.length < wanted.length) {
        return false; /* an escape is never shorter than what it stands for */
    }
    if (key.length > 0 && memchr(key.data, '\\', key.length) != NULL) {
        return escaped_key_is(key, wanted);
    }
    return span_equal(key, wanted);
}
