/* A push-down automaton: where it stands (`enum place`) and the kind of the next byte choose the action
 * from a table; strings, numbers and literals are scanned by a loop of their own. */
#include "common/json.h"

#include "common/json_text.h"

enum byte_kind {
    KIND_OTHER,
    KIND_BLANK,
    KIND_QUOTE,
    KIND_NUMBER,
    KIND_LITERAL,
    KIND_OPEN_OBJECT,
    KIND_CLOSE_OBJECT,
    KIND_OPEN_ARRAY,
    KIND_CLOSE_ARRAY,
    KIND_COMMA,
    KIND_COLON,
    KIND_COUNT,
};

enum place {
    AT_VALUE,
    AT_FIRST_ELEMENT,
    AT_FIRST_KEY,
    AT_KEY,
    AT_COLON,
    AT_COMMA_OR_END,
    AT_END, /* behind the outermost value */
    PLACE_COUNT,
};

enum action { REFUSE, STRING, NUMBER, LITERAL, OPEN, CLOSE, KEY, COLON, COMMA };

/* clang-format off */
static const unsigned char kinds[256] = {
    [' '] = KIND_BLANK, ['\t'] = KIND_BLANK, ['\n'] = KIND_BLANK, ['\r'] = KIND_BLANK,
    ['"'] = KIND_QUOTE, ['-'] = KIND_NUMBER, ['0' ... '9'] = KIND_NUMBER,
    ['t'] = KIND_LITERAL, ['f'] = KIND_LITERAL, ['n'] = KIND_LITERAL,
    ['{'] = KIND_OPEN_OBJECT, ['}'] = KIND_CLOSE_OBJECT,
    ['['] = KIND_OPEN_ARRAY, [']'] = KIND_CLOSE_ARRAY, [','] = KIND_COMMA, [':'] = KIND_COLON,
};

#define A_VALUE                                                                                     \
    [KIND_QUOTE] = STRING, [KIND_NUMBER] = NUMBER, [KIND_LITERAL] = LITERAL,                        \
    [KIND_OPEN_OBJECT] = OPEN, [KIND_OPEN_ARRAY] = OPEN

static const unsigned char actions[PLACE_COUNT][KIND_COUNT] = {
    [AT_VALUE] = {A_VALUE},
    [AT_FIRST_ELEMENT] = {A_VALUE, [KIND_CLOSE_ARRAY] = CLOSE},
    [AT_FIRST_KEY] = {[KIND_QUOTE] = KEY, [KIND_CLOSE_OBJECT] = CLOSE},
    [AT_KEY] = {[KIND_QUOTE] = KEY},
    [AT_COLON] = {[KIND_COLON] = COLON},
    [AT_COMMA_OR_END] = {[KIND_COMMA] = COMMA, [KIND_CLOSE_OBJECT] = CLOSE, [KIND_CLOSE_ARRAY] = CLOSE},
};

/* Bytes of a string that stand for themselves and end nothing. */
static const bool plain[256] = {
    [0x20 ... '"' - 1] = true, ['"' + 1 ... '\\' - 1] = true, ['\\' + 1 ... 0x7f] = true,
};
/* clang-format on */

struct scan {
    struct span text;
    size_t at;
    enum place place;
    unsigned depth;
    char closers[JSON_MAX_DEPTH]; /* of each open object or array */
};

static enum json_result scan_action(struct scan *scan, enum action action);

enum json_result json_check(struct span text, struct json_value *out, size_t *error_at) {
    struct scan scan = {.text = text, .place = AT_VALUE};
    enum json_result result = JSON_OK;
    size_t first = SIZE_MAX, last = 0;

    while (scan.at < text.length) {
        unsigned char byte = (unsigned char)text.data[scan.at];
        if (kinds[byte] == KIND_BLANK) {
            scan.at++;
            continue;
        }
        first = first == SIZE_MAX ? scan.at : first;
        result = scan_action(&scan, actions[scan.place][kinds[byte]]);
        if (result != JSON_OK) {
            goto out;
        }
        last = scan.at;
    }
    if (scan.place != AT_END) {
        result = JSON_BAD_SYNTAX;
    }
out:
    if (result != JSON_OK) {
        if (error_at != NULL) {
            *error_at = scan.at;
        }
    } else if (out != NULL) {
        size_t quote = text.data[first] == '"';
        out->type = json_text_type(text.data[first]);
        out->text = (struct span){text.data + first + quote, last - first - 2 * quote};
    }
    return result;
}

const char *json_result_text(enum json_result result) {
    static const char *const texts[] = {
        [JSON_OK] = "valid",
        [JSON_BAD_SYNTAX] = "not JSON",
        [JSON_BAD_UTF8] = "not UTF-8",
        [JSON_BAD_NUL] = "has a NUL character",
        [JSON_TOO_DEEP] = "nested too deeply",
    };
    return (unsigned)result < ARRAY_LENGTH(texts) ? texts[result] : "not JSON";
}

static enum place after_value(const struct scan *scan) {
    return scan->depth > 0 ? AT_COMMA_OR_END : AT_END;
}

/* From the opening quote to behind the closing one. */
static enum json_result scan_string(struct scan *scan) {
    const char *data = scan->text.data;
    size_t end = scan->text.length;
    size_t at = scan->at + 1;

    for (;;) {
        struct json_text_step step;
        while (at < end && plain[(unsigned char)data[at]]) {
            at++;
        }
        scan->at = at;
        if (at == end) {
            return JSON_BAD_SYNTAX;
        }
        if (data[at] == '"') {
            scan->at = at + 1;
            return JSON_OK;
        }
        step = json_text_next((struct span){data + at, end - at});
        if (step.result != JSON_OK) {
            return step.result;
        }
        at += step.length;
    }
}

/* At least one digit; false when there is none. */
static bool scan_digits(struct scan *scan) {
    size_t from = scan->at;

    while (scan->at < scan->text.length && scan->text.data[scan->at] >= '0' &&
           scan->text.data[scan->at] <= '9') {
        scan->at++;
    }
    return scan->at > from;
}

static bool scan_byte(struct scan *scan, char byte) {
    if (scan->at < scan->text.length && scan->text.data[scan->at] == byte) {
        scan->at++;
        return true;
    }
    return false;
}

/* A second digit behind a leading zero is left where it is: no place allows a number to begin there. */
static enum json_result scan_number(struct scan *scan) {
    scan_byte(scan, '-');
    if (!scan_byte(scan, '0') && !scan_digits(scan)) {
        return JSON_BAD_SYNTAX;
    }
    if (scan_byte(scan, '.') && !scan_digits(scan)) {
        return JSON_BAD_SYNTAX;
    }
    if (scan_byte(scan, 'e') || scan_byte(scan, 'E')) {
        if (!scan_byte(scan, '+')) {
            scan_byte(scan, '-');
        }
        return scan_digits(scan) ? JSON_OK : JSON_BAD_SYNTAX;
    }
    return JSON_OK;
}

static enum json_result scan_literal(struct scan *scan) {
    char first = scan->text.data[scan->at];
    const char *word = first == 't' ? "true" : first == 'f' ? "false" : "null";

    for (; *word != 0; word++) {
        if (!scan_byte(scan, *word)) {
            return JSON_BAD_SYNTAX;
        }
    }
    return JSON_OK;
}

static enum json_result scan_open(struct scan *scan) {
    bool object = scan->text.data[scan->at] == '{';

    if (scan->depth == JSON_MAX_DEPTH) {
        return JSON_TOO_DEEP;
    }
    scan->closers[scan->depth++] = object ? '}' : ']';
    scan->place = object ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
    scan->at++;
    return JSON_OK;
}

static enum json_result scan_close(struct scan *scan) {
    if (scan->closers[scan->depth - 1] != scan->text.data[scan->at]) {
        return JSON_BAD_SYNTAX;
    }
    scan->depth--;
    scan->place = after_value(scan);
    scan->at++;
    return JSON_OK;
}

static enum json_result scan_refuse(struct scan *scan) {
    return scan->text.data[scan->at] == 0 ? JSON_BAD_NUL : JSON_BAD_SYNTAX;
}

static enum json_result scan_comma(struct scan *scan) {
    scan->place = scan->closers[scan->depth - 1] == '}' ? AT_KEY : AT_VALUE;
    scan->at++;
    return JSON_OK;
}

static enum json_result scan_colon(struct scan *scan) {
    scan->place = AT_VALUE;
    scan->at++;
    return JSON_OK;
}

static enum json_result scan_key(struct scan *scan) {
    scan->place = AT_COLON;
    return scan_string(scan);
}

static enum json_result scan_action(struct scan *scan, enum action action) {
    typedef enum json_result scanner(struct scan * scan);
    static scanner *const scanners[] = {
        [REFUSE] = scan_refuse,   [STRING] = scan_string, [NUMBER] = scan_number,
        [LITERAL] = scan_literal, [OPEN] = scan_open,     [CLOSE] = scan_close,
        [KEY] = scan_key,         [COLON] = scan_colon,   [COMMA] = scan_comma,
    };

    if (action == STRING || action == NUMBER || action == LITERAL) {
        scan->place = after_value(scan);
    }
    return scanners[action](scan);
}
