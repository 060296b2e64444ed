#include "common/log_text.h"

#include "common/utf8.h"

#include <stdio.h>

#define CUT        "..."
#define CUT_LENGTH (sizeof(CUT) - 1)

/* Characters that end a line somewhere, steer a terminal, or make text look other than it is. */
static const struct {
    uint32_t from, to;
} hidden[] = {
    {0x00, 0x1f},     /* C0 */
    {0x7f, 0x9f},     /* DEL, C1: U+009B is CSI to some terminals */
    {0x61c, 0x61c},   /* Arabic letter mark */
    {0x200b, 0x200f}, /* zero width, direction marks */
    {0x2028, 0x202e}, /* line and paragraph separator, direction embeddings */
    {0x2060, 0x206f}, /* word joiner, direction isolates */
    {0xfeff, 0xfeff}, /* byte order mark */
};

static unsigned escape_next(struct span text, enum log_text_form form, char *to, unsigned *length);

size_t log_text_escape(struct span text, enum log_text_form form, char *buffer, size_t size) {
    size_t at = 0, length = 0, cut_at = 0;

    if (size == 0) {
        return 0;
    }
    while (at < text.length) {
        char piece[8];
        unsigned width;
        struct span rest = {text.data + at, text.length - at};

        at += escape_next(rest, form, piece, &width);
        if (length + width >= size) {
            size_t dots = size - 1 - cut_at < CUT_LENGTH ? size - 1 - cut_at : CUT_LENGTH;
            memcpy(buffer + cut_at, CUT, dots);
            length = cut_at + dots;
            break;
        }
        memcpy(buffer + length, piece, width);
        length += width;
        if (length + CUT_LENGTH < size) {
            cut_at = length; /* the last end of a character behind which the dots have room */
        }
    }
    buffer[length] = 0;
    return length;
}

static bool is_hidden(uint32_t code_point) {
    for (size_t i = 0; i < ARRAY_LENGTH(hidden); i++) {
        if (code_point >= hidden[i].from && code_point <= hidden[i].to) {
            return true;
        }
    }
    return false;
}

static unsigned escape_hidden(uint32_t code_point, char *to) {
    char escape[8];

    if (code_point == '\n' || code_point == '\r' || code_point == '\t') {
        to[0] = '\\';
        to[1] = "tn  r"[code_point - '\t'];
        return 2;
    }
    snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(code_point & 0xffff));
    memcpy(to, escape, 6);
    return 6;
}

/* The next character as it shall stand; returns the bytes of `text` that it took. */
static unsigned escape_next(struct span text, enum log_text_form form, char *to, unsigned *length) {
    uint32_t code_point = UTF8_REPLACEMENT;
    unsigned taken = utf8_decode(text, &code_point);

    if (taken == 0) {
        *length = escape_hidden(code_point, to);
        return 1;
    }
    if (code_point == '\\' || (code_point == '"' && form == LOG_TEXT_JSON)) {
        to[0] = '\\';
        to[1] = (char)code_point;
        *length = 2;
    } else if (is_hidden(code_point)) {
        *length = escape_hidden(code_point, to);
    } else {
        memcpy(to, text.data, taken);
        *length = taken;
    }
    return taken;
}
