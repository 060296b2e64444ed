/* Strict reading of JSON text from outside, before anything believes it (RFC 8259; cJSON lets
 * bad UTF-8, "\u0000", duplicate keys, control bytes, BOM, 01 and trailing garbage pass).
 * json_check() is one pass without allocation; the getters walk text that has passed it and give back
 * the members' own bytes, so numbers keep their exact text. Pure functions, used by every process. */
#ifndef MOONX_COMMON_JSON_H
#define MOONX_COMMON_JSON_H

#include "common/base.h"

#define JSON_MAX_DEPTH 32

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

enum json_result {
    JSON_OK,
    JSON_BAD_SYNTAX, /* also a BOM, trailing bytes, empty text, raw control bytes */
    JSON_BAD_UTF8,   /* also lone or swapped \u surrogates */
    JSON_BAD_NUL,    /* \u0000 or a NUL byte */
    JSON_TOO_DEEP,   /* more than JSON_MAX_DEPTH levels */
};

/* A value inside a checked text. For a string `text` is between the quotes, escapes still in it. */
struct json_value {
    enum json_type type;
    struct span text;
};

/* On failure *error_at (may be NULL) is the offset of the offending byte. On success *out (may be NULL)
 * is the outermost value. */
enum json_result json_check(struct span text, struct json_value *out, size_t *error_at) MUST_CHECK;
const char *json_result_text(enum json_result result);

/* The member `key` of an object that has passed json_check. Keys are compared after unescaping and with
 * case. 1: found; 0: absent (or `object` is none); -EEXIST: the key stands there twice. */
int json_get(struct json_value object, const char *key, struct json_value *out) MUST_CHECK;

/* Walk: *cursor starts at 0. 1: next member/element; 0: end. */
int json_next_member(struct json_value object, size_t *cursor, struct span *key,
                     struct json_value *out);
int json_next_element(struct json_value array, size_t *cursor, struct json_value *out);

/* A string's value with escapes resolved, into buffer (not NUL-terminated). Returns the length or
 * -ENOSPC, -EINVAL when it is no string. */
long json_unescape(struct json_value string, char *buffer, size_t size) MUST_CHECK;

/* `text` as the inside of a JSON string: escapes quotes, backslash, control bytes; bad UTF-8 becomes
 * U+FFFD. Returns the length or -ENOSPC. */
long json_escape(struct span text, char *buffer, size_t size) MUST_CHECK;

/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool json_utf8_valid(struct span text);

#endif
