/* The external service: what its answers mean, how it is asked, and which settings for it are refused. */
#include "common/http_client.h"
#include "gateway/external/enrich_answer.h"
#include "gateway/external/external.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    int status;
    const char *body;
    enum enrich_verdict verdict;
    const char *metadata;
} answers[] = {
    {200, "{\"metadata\":{\"a\":1.50}}", ENRICH_KNOWN, "{\"a\":1.50}"},
    {200, " {\"x\":1, \"metadata\" : { \"b\" : [ 1e3 ] } } ", ENRICH_KNOWN, "{ \"b\" : [ 1e3 ] }"},
    {200, "{\"priority\":\"high\"}", ENRICH_KNOWN, "{\"priority\":\"high\"}"},
    {200, "{\"a\":\"}{][\\\"\"}", ENRICH_KNOWN, "{\"a\":\"}{][\\\"\"}"},
    {200, "{}", ENRICH_NOTHING, NULL},
    {200, "{\"metadata\":{}}", ENRICH_NOTHING, NULL},
    {200, "{\"metadata\":{ }}", ENRICH_NOTHING, NULL},
    {200, "{\"metadata\":null,\"a\":1}", ENRICH_NOTHING, NULL},
    {204, "", ENRICH_NOTHING, NULL},
    {404, "<html>", ENRICH_NOTHING, NULL},
    {200, "{\"metadata\":[1]}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":\"{}\"}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":{\"a\":1},\"metadata\":{\"a\":2}}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":{\"a\":1},\"met\\u0061data\":{}}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":{\"a\":01}}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":{\"a\":\"\\u0000\"}}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":{\"a\":\"\xff\"}}", ENRICH_BAD, NULL},
    {200, "{\"metadata\":{}}}", ENRICH_BAD, NULL},
    {200, "[{}]", ENRICH_BAD, NULL},
    {200, "", ENRICH_BAD, NULL},
    {200, "<html>", ENRICH_BAD, NULL},
    {201, "{\"metadata\":{\"a\":1}}", ENRICH_BAD, NULL},
    {301, "", ENRICH_BAD, NULL},
    {401, "{\"metadata\":{\"a\":1}}", ENRICH_BAD, NULL},
    {0, "", ENRICH_AGAIN, NULL},
    {429, "", ENRICH_AGAIN, NULL},
    {500, "{\"metadata\":{\"a\":1}}", ENRICH_AGAIN, NULL},
    {503, "", ENRICH_AGAIN, NULL},
};

START_TEST(an_answer_is_read_strictly) {
    struct span metadata = SPAN_LITERAL("untouched");
    ck_assert_int_eq(enrich_answer_read(answers[_i].status, span_of(answers[_i].body), &metadata),
                     answers[_i].verdict);
    ck_assert(span_is(metadata, answers[_i].metadata != NULL ? answers[_i].metadata : "untouched"));
}
END_TEST

static enum enrich_verdict verdict_of_depth(unsigned depth) {
    char text[256];
    struct span metadata;
    size_t used = (size_t)snprintf(text, sizeof(text), "{\"metadata\":{\"a\":");
    for (unsigned i = 1; i < depth; i++) {
        text[used++] = '[';
    }
    for (unsigned i = 1; i < depth; i++) {
        text[used++] = ']';
    }
    text[used++] = '}';
    text[used++] = '}';
    return enrich_answer_read(200, (struct span){text, used}, &metadata);
}

START_TEST(metadata_is_not_deeper_than_an_event_may_be) {
    ck_assert_int_eq(verdict_of_depth(ENRICH_METADATA_DEPTH), ENRICH_KNOWN);
    ck_assert_int_eq(verdict_of_depth(ENRICH_METADATA_DEPTH + 1), ENRICH_BAD);
}
END_TEST

static enum enrich_verdict verdict_of_length(size_t length) {
    char *text = malloc(length + 32);
    struct span metadata;
    int used = snprintf(text, 32, "{\"metadata\":{\"a\":\"");
    size_t fill = length - sizeof("{\"a\":\"\"}") + 1;
    memset(text + used, 'x', fill);
    memcpy(text + (size_t)used + fill, "\"}}", 3);
    enum enrich_verdict verdict =
        enrich_answer_read(200, (struct span){text, (size_t)used + fill + 3}, &metadata);
    free(text);
    return verdict;
}

START_TEST(metadata_is_not_longer_than_allowed) {
    ck_assert_int_eq(verdict_of_length(ENRICH_METADATA_BYTES), ENRICH_KNOWN);
    ck_assert_int_eq(verdict_of_length(ENRICH_METADATA_BYTES + 1), ENRICH_BAD);
}
END_TEST

START_TEST(user_and_type_are_percent_encoded) {
    char query[128];
    long length =
        enrich_query(span_of("a.b:c@d|e+f=g~h-_%&#?/ \xc3"), span_of("info"), query, sizeof(query));
    ck_assert_int_gt(length, 0);
    query[length] = '\0';
    ck_assert_str_eq(query, "?userId=a.b%3Ac%40d%7Ce%2Bf%3Dg~h-_%25%26%23%3F%2F%20%C3&type=info");
}
END_TEST

START_TEST(a_query_has_room_or_is_none) {
    char query[64];
    memset(query, '#', sizeof(query));
    ck_assert_int_eq(enrich_query(span_of("::::::::::::::::"), span_of("info"), query, 48),
                     -ENOSPC);
    for (size_t size = 1; size < sizeof(query); size++) {
        long length = enrich_query(span_of(":::"), span_of("info"), query, size);
        ck_assert(length == -ENOSPC || (size_t)length < size);
    }
    ck_assert_int_eq(query[63], '#');
}
END_TEST

static const struct {
    const char *url, *key, *file, *error; /* error NULL: accepted */
} settings[] = {
    {"http://a", "", "", NULL},
    {"https://[::1]:8443/base", "secret-key", "", NULL},
    {"", "ignored", "", NULL},
    {"ftp://a", "", "", "EXTERNAL_SERVICE_URL: \"ftp://a\" is not http://"},
    {"http://user:pw@a", "", "", "EXTERNAL_SERVICE_URL"},
    {"http://a", "k", "/file", "EXTERNAL_SERVICE_API_KEY: set only one"},
    {"http://a", "", "/nowhere/at/all", "EXTERNAL_SERVICE_API_KEY_FILE: No such file"},
    {"http://a", "two words", "", "EXTERNAL_SERVICE_API_KEY: is not 1 to 4096 printable"},
    {"http://a", "line\r\nX-Other: 1", "", "EXTERNAL_SERVICE_API_KEY: is not"},
    {"http://a", "\xc3\xa4", "", "EXTERNAL_SERVICE_API_KEY: is not"},
};

START_TEST(a_wrong_setting_is_told_in_one_line_without_the_key) {
    const struct options options = {.external_service_url = settings[_i].url,
                                    .external_service_api_key = settings[_i].key,
                                    .external_service_api_key_file = settings[_i].file,
                                    .external_service_timeout = 1000};
    struct external *external = NULL;
    char error[512] = "";
    int result = external_new(&options, &external, error, sizeof(error));
    if (settings[_i].error == NULL) {
        ck_assert_msg(result == 0, "%s", error);
        ck_assert(settings[_i].url[0] == '\0' ? external == NULL : external != NULL);
    } else {
        ck_assert_int_lt(result, 0);
        ck_assert_ptr_null(external);
        ck_assert_msg(strstr(error, settings[_i].error) != NULL, "%s", error);
        ck_assert_ptr_null(strchr(error, '\n'));
        ck_assert(strlen(settings[_i].key) < 2 || strstr(error, settings[_i].key) == NULL);
    }
    external_free(external);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("enrich");
    TCase *tests = tcase_create("enrich");
    tcase_add_loop_test(tests, an_answer_is_read_strictly, 0, ARRAY_LENGTH(answers));
    tcase_add_test(tests, metadata_is_not_deeper_than_an_event_may_be);
    tcase_add_test(tests, metadata_is_not_longer_than_allowed);
    tcase_add_test(tests, user_and_type_are_percent_encoded);
    tcase_add_test(tests, a_query_has_room_or_is_none);
    tcase_add_loop_test(tests, a_wrong_setting_is_told_in_one_line_without_the_key, 0,
                        ARRAY_LENGTH(settings));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
