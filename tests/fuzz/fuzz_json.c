/* libFuzzer: json_check() and the getters. What json_check() passes, cJSON must read as the same tree; what
 * json_escape() makes, json_unescape() must undo.
 * clang -fsanitize=fuzzer,address,undefined */
#include "common/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          16384

/* cJSON reads no number of more than 63 characters. */
static bool has_long_number(struct span text) {
    size_t run = 0;
    for (size_t i = 0; i < text.length; i++) {
        run = text.data[i] != '\0' && strchr("0123456789+-.eE", text.data[i]) ? run + 1 : 0;
        if (run > 60) {
            return true;
        }
    }
    return false;
}

static void compare(struct json_value value, const cJSON *other);

static void compare_string(struct json_value value, const char *other) {
    size_t size = value.text.length + 1;
    char *text = malloc(size);
    REQUIRE(text != NULL);
    long length = json_unescape(value, text, size);
    REQUIRE(length >= 0 && (size_t)length == strlen(other) &&
            memcmp(text, other, (size_t)length) == 0);
    REQUIRE(length == 0 || json_unescape(value, text, (size_t)length - 1) == -ENOSPC);
    free(text);
}

static void compare_number(struct json_value value, const cJSON *other) {
    char text[64];
    REQUIRE(value.text.length < sizeof text);
    memcpy(text, value.text.data, value.text.length);
    text[value.text.length] = '\0';
    REQUIRE(strtod(text, NULL) == other->valuedouble);
}

static void compare_object(struct json_value value, const cJSON *other) {
    size_t cursor = 0;
    struct span key;
    struct json_value member;
    const cJSON *other_member = other->child;
    while (json_next_member(value, &cursor, &key, &member)) {
        REQUIRE(other_member != NULL);
        compare_string((struct json_value){JSON_STRING, key}, other_member->string);
        struct json_value found;
        int result = json_get(value, other_member->string, &found);
        REQUIRE(result == 1 || result == -EEXIST);
        REQUIRE(result != 1 || found.text.data == member.text.data);
        compare(member, other_member);
        other_member = other_member->next;
    }
    REQUIRE(other_member == NULL);
}

static void compare_array(struct json_value value, const cJSON *other) {
    size_t cursor = 0;
    struct json_value element;
    const cJSON *other_element = other->child;
    while (json_next_element(value, &cursor, &element)) {
        REQUIRE(other_element != NULL);
        compare(element, other_element);
        other_element = other_element->next;
    }
    REQUIRE(other_element == NULL);
}

static void compare(struct json_value value, const cJSON *other) {
    static const int types[] = {
        [JSON_NULL] = cJSON_NULL,     [JSON_FALSE] = cJSON_False,   [JSON_TRUE] = cJSON_True,
        [JSON_NUMBER] = cJSON_Number, [JSON_STRING] = cJSON_String, [JSON_ARRAY] = cJSON_Array,
        [JSON_OBJECT] = cJSON_Object};
    REQUIRE((other->type & 0xff) == types[value.type]);
    if (value.type == JSON_STRING) {
        compare_string(value, other->valuestring);
    } else if (value.type == JSON_NUMBER) {
        compare_number(value, other);
    } else if (value.type == JSON_OBJECT) {
        compare_object(value, other);
    } else if (value.type == JSON_ARRAY) {
        compare_array(value, other);
    }
}

static void check_tree(struct span text) {
    struct json_value value = {0};
    size_t error_at = SIZE_MAX;
    enum json_result result = json_check(text, &value, &error_at);
    REQUIRE(json_result_text(result) != NULL);
    if (result != JSON_OK) {
        REQUIRE(error_at <= text.length);
        return;
    }
    REQUIRE(json_utf8_valid(text));
    if (has_long_number(text)) {
        return;
    }
    cJSON *other = cJSON_ParseWithLength(text.data, text.length);
    REQUIRE(other != NULL);
    compare(value, other);
    cJSON_Delete(other);
}

static void check_escape(struct span text) {
    size_t size = text.length * 6 + 2;
    char *quoted = malloc(size), *back = malloc(size);
    REQUIRE(quoted != NULL && back != NULL);
    quoted[0] = '"';
    long length = json_escape(text, quoted + 1, size - 2);
    REQUIRE(length >= 0);
    quoted[1 + length] = '"';
    struct json_value value;
    bool has_nul = memchr(text.data, '\0', text.length) != NULL;
    enum json_result result = json_check((struct span){quoted, (size_t)length + 2}, &value, NULL);
    REQUIRE(has_nul || result == JSON_OK);
    if (result == JSON_OK && json_utf8_valid(text) && !has_nul) {
        long got = json_unescape(value, back, size);
        REQUIRE(got >= 0 && (size_t)got == text.length &&
                memcmp(back, text.data, text.length) == 0);
    }
    free(quoted);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span text = {(const char *)data, size};
    if (size == 0 || size > MAX_INPUT) {
        return 0;
    }
    check_tree(text);
    check_escape(text);
    return 0;
}
