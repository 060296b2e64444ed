/* The inside of JSON strings: escapes and UTF-8. Shared by json.c (which checks whole texts),
 * json_text.c (which resolves and makes escapes) and json_walk.c (the getters); nobody else includes it. */
#ifndef MOONX_COMMON_JSON_TEXT_H
#define MOONX_COMMON_JSON_TEXT_H

#include "common/json.h"

/* What one step through a string's inside found. */
struct json_text_step {
    enum json_result result; /* JSON_OK: the fields below hold */
    unsigned length;         /* bytes of source text taken */
    uint32_t code_point;
};

/* One character at the start of `text`, which must not be empty: a plain one or an escape. A quote is
 * the caller's business; here it is JSON_BAD_SYNTAX. */
struct json_text_step json_text_next(struct span text);

/* What a value is, by its first byte. */
enum json_type json_text_type(char first);

#endif
