/* Strict JSON: what RFC 8259 allows passes, all that cJSON lets pass beyond that is refused. */
#include "common/json.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static enum json_result check(const char *text) {
    return json_check(span_of(text), NULL, NULL);
}

static struct json_value value_of(const char *text) {
    struct json_value value = {0};

    ck_assert_int_eq(json_check(span_of(text), &value, NULL), JSON_OK);
    return value;
}

static void assert_span(struct span got, const char *expected) {
    ck_assert_msg(span_is(got, expected), "\"%.*s\" is not \"%s\"", (int)got.length, got.data,
                  expected);
}

/* A copy of exactly these bytes at the end of an allocation: a read past it is seen by ASan. */
static enum json_result check_exact(const char *data, size_t length) {
    char *copy = malloc(length > 0 ? length : 1);
    size_t error_at = SIZE_MAX;
    enum json_result result;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, length);
    result = json_check((struct span){copy, length}, NULL, &error_at);
    if (result != JSON_OK) {
        ck_assert_uint_le(error_at, length);
    }
    free(copy);
    return result;
}

START_TEST(valid_texts_pass) {
    static const char *const texts[] = {
        "{}",
        "[]",
        " { } ",
        "[ ]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-1.5e+10",
        "1E5",
        "1e-0",
        "0.000",
        "\"\"",
        "\"a\"",
        "\t\r\n [1,2 , 3]\n",
        "{\"a\":1,\"a\":2}",
        "[[],{}]",
        "{\"a\":{\"b\":[1,{\"c\":null}]}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uD83D\\uDE00\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\x7f\"",
        "\"\xef\xbf\xbf\"",
        "\"\xc2\x80\"",
        "\"\xf4\x8f\xbf\xbf\"",
        "1e999",
        "123456789012345678901234567890",
        "\"\\ufeff\"",
        "\"\xef\xbb\xbf\"",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        ck_assert_msg(check(texts[i]) == JSON_OK, "refused: %s", texts[i]);
    }
}
END_TEST

START_TEST(texts_with_wrong_syntax_are_refused) {
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "[1}",
        "{\"a\":1]",
        ",",
        ":",
        "[,]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1:2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\"::1}",
        "{null:1}",
        "01",
        "-01",
        "00",
        "+1",
        ".5",
        "1.",
        "-",
        "-.5",
        "1e",
        "1e+",
        "1e+-1",
        "1.e5",
        "0x10",
        "1_000",
        "Infinity",
        "NaN",
        "-Infinity",
        "nul",
        "nulll",
        "True",
        "truefalse",
        "1 2",
        "{} {}",
        "[] x",
        "null,",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\U0041\"",
        "\"\\'\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\x01\"",
        "\"\x1f\"",
        "\xef\xbb\xbf{}",
        "/**/1",
        "1//",
        "[1]#",
        "\x0b[]",
        "\x0c[]",
        "\xc2\xa0[]",
        "\"a\" \"b\"",
        "{\"a\":\"b\"\"c\":1}",
        "[\"a\"\"b\"]",
        "[[]",
        "[]]",
        "--1",
        "1-",
        "1.5.5",
        "1e5e5",
        "0e",
        "- 1",
        "tru e",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        ck_assert_msg(check(texts[i]) == JSON_BAD_SYNTAX, "%s: %s", texts[i],
                      json_result_text(check(texts[i])));
    }
}
END_TEST

START_TEST(bad_utf8_is_refused) {
    static const char *const texts[] = {
        "\"\x80\"",
        "\"\xbf\"",
        "\"\xc0\x80\"",
        "\"\xc1\xbf\"",
        "\"\xc3\"",
        "\"\xc3(\"",
        "\"\xe0\x80\x80\"",
        "\"\xe0\x9f\xbf\"",
        "\"\xed\xa0\x80\"",
        "\"\xed\xbf\xbf\"",
        "\"\xe2\x82\"",
        "\"\xe2(\xa1\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xf8\x88\x80\x80\x80\"",
        "\"\xfe\"",
        "\"\xff\"",
        "\"\xf0\x9f\x98\"",
        "{\"\xff\":1}",
        "\"\xc3",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ude00\\ude00\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\\udfff\"",
        "\"\\ud83d\\ude0\"",
        "{\"\\ud800\":1}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        ck_assert_msg(check(texts[i]) == JSON_BAD_UTF8, "%s: %s", texts[i],
                      json_result_text(check(texts[i])));
    }
}
END_TEST

START_TEST(nul_in_any_form_is_refused) {
    ck_assert_int_eq(check("\"al\\u0000ice\""), JSON_BAD_NUL);
    ck_assert_int_eq(check("{\"sub\\u0000x\":1}"), JSON_BAD_NUL);
    ck_assert_int_eq(check_exact("\"a\0b\"", 5), JSON_BAD_NUL);
    ck_assert_int_eq(check_exact("\0", 1), JSON_BAD_NUL);
    ck_assert_int_eq(check_exact("{}\0", 3), JSON_BAD_NUL);
    ck_assert_int_eq(check_exact("[1,\0]", 5), JSON_BAD_NUL);
    ck_assert_int_eq(check_exact("1\0", 2), JSON_BAD_NUL);
    ck_assert_int_eq(check("\"\\\\u0000\""), JSON_OK); /* an escaped backslash, then letters */
}
END_TEST

START_TEST(an_empty_span_without_address_is_refused) {
    size_t error_at = 7;
    ck_assert_int_eq(json_check((struct span){NULL, 0}, NULL, &error_at), JSON_BAD_SYNTAX);
    ck_assert_uint_eq(error_at, 0);
}
END_TEST

static void make_nested(char *text, size_t depth, bool objects) {
    *text = 0;
    for (size_t i = 0; i < depth; i++) {
        strcat(text, objects && i % 2 == 1 ? "{\"a\":" : "[");
    }
    if (objects && depth % 2 == 0) {
        strcat(text, "0");
    }
    for (size_t i = depth; i-- > 0;) {
        strcat(text, objects && i % 2 == 1 ? "}" : "]");
    }
}

START_TEST(thirty_two_levels_pass_and_thirty_three_do_not) {
    char text[512];
    size_t error_at = 0;

    for (int objects = 0; objects < 2; objects++) {
        make_nested(text, 32, objects);
        ck_assert_int_eq(check(text), JSON_OK);
        make_nested(text, 33, objects);
        ck_assert_int_eq(json_check(span_of(text), NULL, &error_at), JSON_TOO_DEEP);
    }
    make_nested(text, 33, false);
    ck_assert_int_eq(json_check(span_of(text), NULL, &error_at), JSON_TOO_DEEP);
    ck_assert_uint_eq(error_at, 32);
    /* Width is no depth. */
    ck_assert_int_eq(check("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                           "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                     JSON_OK);
}
END_TEST

START_TEST(a_million_open_brackets_need_no_stack) {
    size_t length = 1000000;
    char *text = malloc(length);

    ck_assert_ptr_nonnull(text);
    memset(text, '[', length);
    ck_assert_int_eq(json_check((struct span){text, length}, NULL, NULL), JSON_TOO_DEEP);
    free(text);
}
END_TEST

START_TEST(the_error_offset_is_the_offending_byte) {
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {{"{\"a\":1,}", 7},    {"{\"a\":\"\xff\"}", 6}, {"[1,2", 4}, {"[01]", 2},
                 {"\"ab\\u0000\"", 3}, {"\"a\\ud83d.\"", 2},    {"nulx", 3}, {"{} x", 3},
                 {"[1.]", 3}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t at = SIZE_MAX;
        ck_assert_int_ne(json_check(span_of(cases[i].text), NULL, &at), JSON_OK);
        ck_assert_msg(at == cases[i].at, "%s: at %zu", cases[i].text, at);
    }
}
END_TEST

START_TEST(outputs_stay_untouched_on_the_other_outcome) {
    struct json_value value = {JSON_ARRAY, {"x", 1}};
    size_t at = 77;

    ck_assert_int_ne(json_check(span_of("[1"), &value, NULL), JSON_OK);
    ck_assert_int_eq(value.type, JSON_ARRAY);
    ck_assert_str_eq(value.text.data, "x");
    ck_assert_int_eq(json_check(span_of("[1]"), NULL, &at), JSON_OK);
    ck_assert_uint_eq(at, 77);
}
END_TEST

static const char sample[] =
    "{\"id\":\"a\\u00e9\\n\",\"n\":-1.50e+3,\"list\":[true,false,null,{\"x\":\"\\ud83d\\ude00\"}],"
    "\"s\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\", \"o\" : { } }";

START_TEST(every_truncation_is_refused) {
    for (size_t length = 0; length < sizeof(sample) - 1; length++) {
        ck_assert_msg(check_exact(sample, length) != JSON_OK, "passed at %zu", length);
    }
    ck_assert_int_eq(check_exact(sample, sizeof(sample) - 1), JSON_OK);
}
END_TEST

/* Walks everything, so that whatever the check lets through is also safe to get at. */
static unsigned walk(struct json_value value) {
    struct json_value inner;
    struct span key;
    size_t cursor = 0;
    char buffer[256];
    unsigned count = 1;

    if (value.type == JSON_STRING) {
        ck_assert_int_ge(json_unescape(value, buffer, sizeof(buffer)), 0);
    }
    while (json_next_element(value, &cursor, &inner) == 1) {
        count += walk(inner);
    }
    while (json_next_member(value, &cursor, &key, &inner) == 1) {
        struct json_value as_string = {JSON_STRING, key};
        ck_assert_int_ge(json_unescape(as_string, buffer, sizeof(buffer)), 0);
        count += walk(inner);
    }
    return count;
}

START_TEST(every_single_byte_mutation_is_refused_or_can_be_walked) {
    size_t length = sizeof(sample) - 1;
    unsigned passed = 0;

    for (size_t at = 0; at < length; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char *copy = malloc(length);
            struct json_value value;

            ck_assert_ptr_nonnull(copy);
            memcpy(copy, sample, length);
            copy[at] = (char)byte;
            if (json_check((struct span){copy, length}, &value, NULL) == JSON_OK) {
                ck_assert_uint_ge(walk(value), 1);
                ck_assert(json_utf8_valid((struct span){copy, length}));
                passed++;
            }
            free(copy);
        }
    }
    ck_assert_uint_gt(passed, length); /* at least the unchanged ones */
}
END_TEST

START_TEST(the_outermost_value_has_its_own_bytes) {
    struct json_value value = value_of(" \n{\"a\":1} \t");
    ck_assert_int_eq(value.type, JSON_OBJECT);
    assert_span(value.text, "{\"a\":1}");
    value = value_of(" \"x\\n\" ");
    ck_assert_int_eq(value.type, JSON_STRING);
    assert_span(value.text, "x\\n");
    value = value_of("\"\"");
    assert_span(value.text, "");
    value = value_of(" 10500.250 ");
    ck_assert_int_eq(value.type, JSON_NUMBER);
    assert_span(value.text, "10500.250");
    ck_assert_int_eq(value_of("true").type, JSON_TRUE);
    ck_assert_int_eq(value_of("false").type, JSON_FALSE);
    ck_assert_int_eq(value_of("null").type, JSON_NULL);
    ck_assert_int_eq(value_of("[ ]").type, JSON_ARRAY);
}
END_TEST

START_TEST(get_gives_the_member_with_its_exact_text) {
    struct json_value object =
        value_of(" { \"price\" : 10500.250 "
                 ",\"s\":\"a\\\"}]\",\"o\":{\"price\":[1,\"}\"]},\"t\":true,\"e\":\"\","
                 "\"n\":-0 }");
    struct json_value got;

    ck_assert_int_eq(json_get(object, "price", &got), 1);
    ck_assert_int_eq(got.type, JSON_NUMBER);
    assert_span(got.text, "10500.250");
    ck_assert_int_eq(json_get(object, "s", &got), 1);
    assert_span(got.text, "a\\\"}]");
    ck_assert_int_eq(json_get(object, "o", &got), 1);
    assert_span(got.text, "{\"price\":[1,\"}\"]}");
    ck_assert_int_eq(json_get(object, "t", &got), 1);
    ck_assert_int_eq(got.type, JSON_TRUE);
    ck_assert_int_eq(json_get(object, "e", &got), 1);
    ck_assert_uint_eq(got.text.length, 0);
    ck_assert_int_eq(json_get(object, "n", &got), 1);
    assert_span(got.text, "-0");
}
END_TEST

START_TEST(get_compares_keys_with_case_and_after_unescaping) {
    struct json_value object =
        value_of("{\"User\":1,\"u\\u0073er\":2,\"\\ud83d\\ude00\":3,\"a\\/b\":4,\"\":5}");
    struct json_value got;

    ck_assert_int_eq(json_get(object, "user", &got), 1);
    assert_span(got.text, "2");
    ck_assert_int_eq(json_get(object, "User", &got), 1);
    assert_span(got.text, "1");
    ck_assert_int_eq(json_get(object, "\xf0\x9f\x98\x80", &got), 1);
    assert_span(got.text, "3");
    ck_assert_int_eq(json_get(object, "a/b", &got), 1);
    assert_span(got.text, "4");
    ck_assert_int_eq(json_get(object, "", &got), 1);
    assert_span(got.text, "5");
    ck_assert_int_eq(json_get(object, "use", &got), 0);
    ck_assert_int_eq(json_get(object, "users", &got), 0);
    ck_assert_int_eq(json_get(object, "u\\u0073er", &got), 0);
}
END_TEST

START_TEST(get_refuses_a_key_that_stands_twice_in_any_spelling) {
    struct json_value got = {JSON_TRUE, {"untouched", 9}};

    ck_assert_int_eq(json_get(value_of("{\"sub\":1,\"x\":0,\"sub\":2}"), "sub", &got), -EEXIST);
    ck_assert_int_eq(json_get(value_of("{\"sub\":1,\"s\\u0075b\":2}"), "sub", &got), -EEXIST);
    ck_assert_int_eq(json_get(value_of("{\"\\u0073ub\":1,\"s\\u0075b\":1}"), "sub", &got), -EEXIST);
    assert_span(got.text, "untouched");
    /* The inner one is another object's. */
    ck_assert_int_eq(json_get(value_of("{\"sub\":{\"sub\":1}}"), "sub", &got), 1);
}
END_TEST

START_TEST(get_of_what_is_no_object_finds_nothing) {
    struct json_value got;

    ck_assert_int_eq(json_get(value_of("[\"a\",1]"), "a", &got), 0);
    ck_assert_int_eq(json_get(value_of("\"{\\\"a\\\":1}\""), "a", &got), 0);
    ck_assert_int_eq(json_get(value_of("{}"), "a", &got), 0);
    ck_assert_int_eq(json_get(value_of(" { } "), "a", &got), 0);
    ck_assert_int_eq(json_get(value_of("1"), "a", &got), 0);
}
END_TEST

START_TEST(walking_visits_every_member_and_element_in_order) {
    struct json_value object = value_of("{ \"a\" : [ 1 , [ 2 ] , {} , \"x\" ] , \"b\\n\" : null }");
    struct json_value value, element;
    struct span key;
    size_t cursor = 0, inner = 0;

    ck_assert_int_eq(json_next_member(object, &cursor, &key, &value), 1);
    assert_span(key, "a");
    ck_assert_int_eq(value.type, JSON_ARRAY);
    static const char *const expected[] = {"1", "[ 2 ]", "{}", "x"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(json_next_element(value, &inner, &element), 1);
        assert_span(element.text, expected[i]);
    }
    ck_assert_int_eq(json_next_element(value, &inner, &element), 0);
    ck_assert_int_eq(json_next_element(value, &inner, &element), 0);
    ck_assert_int_eq(json_next_member(object, &cursor, &key, &value), 1);
    assert_span(key, "b\\n");
    ck_assert_int_eq(value.type, JSON_NULL);
    ck_assert_int_eq(json_next_member(object, &cursor, &key, &value), 0);
    ck_assert_int_eq(json_next_member(object, &cursor, &key, &value), 0);
    cursor = 0;
    ck_assert_int_eq(json_next_element(object, &cursor, &value), 0);
}
END_TEST

START_TEST(unescape_resolves_every_escape) {
    char buffer[64];
    struct json_value string =
        value_of("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00z\"");
    const char *expected = "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    long length = json_unescape(string, buffer, sizeof(buffer));

    ck_assert_int_eq(length, (long)strlen(expected));
    ck_assert_mem_eq(buffer, expected, strlen(expected));
    for (size_t size = 0; size < strlen(expected); size++) {
        ck_assert_int_eq(json_unescape(string, buffer, size), -ENOSPC);
    }
    ck_assert_int_eq(json_unescape(string, buffer, strlen(expected)), length);
    ck_assert_int_eq(json_unescape(value_of("12"), buffer, sizeof(buffer)), -EINVAL);
    ck_assert_int_eq(json_unescape(value_of("\"\""), NULL, 0), 0);
}
END_TEST

START_TEST(escape_makes_any_bytes_the_inside_of_a_string) {
    char buffer[64], text[80];
    struct span wild = SPAN_LITERAL("a\"b\\c\n\x01\x1f\x7f\xff\xc3(\xe2\x82\xac");
    const char *expected = "a\\\"b\\\\c\\n\\u0001\\u001f\x7f\xef\xbf\xbd\xef\xbf\xbd(\xe2\x82\xac";
    long length = json_escape(wild, buffer, sizeof(buffer));

    ck_assert_int_eq(length, (long)strlen(expected));
    ck_assert_mem_eq(buffer, expected, strlen(expected));
    snprintf(text, sizeof(text), "\"%.*s\"", (int)length, buffer);
    ck_assert_int_eq(check(text), JSON_OK);
    for (size_t size = 0; size < strlen(expected); size++) {
        ck_assert_int_eq(json_escape(wild, buffer, size), -ENOSPC);
    }
    ck_assert_int_eq(json_escape((struct span){"\0", 1}, buffer, sizeof(buffer)), 6);
    ck_assert_mem_eq(buffer, "\\u0000", 6);
}
END_TEST

START_TEST(escaped_text_of_every_two_bytes_is_valid_and_comes_back_when_it_was) {
    for (unsigned pair = 0; pair < 65536; pair++) {
        char raw[2] = {(char)(pair >> 8), (char)pair}, text[24] = "\"", back[8];
        long length = json_escape((struct span){raw, 2}, text + 1, sizeof(text) - 2);
        struct json_value value;

        ck_assert_int_gt(length, 0);
        text[length + 1] = '"';
        struct span whole = {text, (size_t)length + 2};
        if (raw[0] == 0 || raw[1] == 0) {
            ck_assert_int_eq(json_check(whole, NULL, NULL), JSON_BAD_NUL);
            continue;
        }
        ck_assert_int_eq(json_check(whole, &value, NULL), JSON_OK);
        if (json_utf8_valid((struct span){raw, 2})) {
            ck_assert_int_eq(json_unescape(value, back, sizeof(back)), 2);
            ck_assert_mem_eq(back, raw, 2);
        }
    }
}
END_TEST

START_TEST(utf8_has_exactly_the_characters_of_unicode) {
    /* Every one, two and three byte sequence: as many are valid as there are code points. */
    unsigned valid[4] = {0};
    char bytes[3];

    for (unsigned n = 0; n < 1u << 24; n += 1) {
        bytes[0] = (char)(n >> 16);
        bytes[1] = (char)(n >> 8);
        bytes[2] = (char)n;
        if ((n & 0xffff) == 0) {
            valid[1] += json_utf8_valid((struct span){bytes, 1});
        }
        if ((n & 0xff) == 0 && (unsigned char)bytes[0] >= 0x80) {
            valid[2] += json_utf8_valid((struct span){bytes, 2});
        }
        if ((unsigned char)bytes[0] >= 0xe0) {
            valid[3] += json_utf8_valid((struct span){bytes, 3});
        }
    }
    ck_assert_uint_eq(valid[1], 0x80);
    ck_assert_uint_eq(valid[2], 0x800 - 0x80);
    ck_assert_uint_eq(valid[3], 0x10000 - 0x800 - 0x800);
    ck_assert(json_utf8_valid((struct span){NULL, 0}));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("json");
    TCase *cases = tcase_create("json");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, valid_texts_pass);
    tcase_add_test(cases, texts_with_wrong_syntax_are_refused);
    tcase_add_test(cases, bad_utf8_is_refused);
    tcase_add_test(cases, nul_in_any_form_is_refused);
    tcase_add_test(cases, an_empty_span_without_address_is_refused);
    tcase_add_test(cases, thirty_two_levels_pass_and_thirty_three_do_not);
    tcase_add_test(cases, a_million_open_brackets_need_no_stack);
    tcase_add_test(cases, the_error_offset_is_the_offending_byte);
    tcase_add_test(cases, outputs_stay_untouched_on_the_other_outcome);
    tcase_add_test(cases, every_truncation_is_refused);
    tcase_add_test(cases, every_single_byte_mutation_is_refused_or_can_be_walked);
    tcase_add_test(cases, the_outermost_value_has_its_own_bytes);
    tcase_add_test(cases, get_gives_the_member_with_its_exact_text);
    tcase_add_test(cases, get_compares_keys_with_case_and_after_unescaping);
    tcase_add_test(cases, get_refuses_a_key_that_stands_twice_in_any_spelling);
    tcase_add_test(cases, get_of_what_is_no_object_finds_nothing);
    tcase_add_test(cases, walking_visits_every_member_and_element_in_order);
    tcase_add_test(cases, unescape_resolves_every_escape);
    tcase_add_test(cases, escape_makes_any_bytes_the_inside_of_a_string);
    tcase_add_test(cases, escaped_text_of_every_two_bytes_is_valid_and_comes_back_when_it_was);
    tcase_add_test(cases, utf8_has_exactly_the_characters_of_unicode);
    return unit_run(suite);
}
