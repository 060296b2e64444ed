#include "common/clock.h"
#include "gateway/http/http_response.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static char *written(const struct http_response *response, bool head_only) {
    char *block;
    size_t length;
    clock_set_fake(1, 784111777000); /* RFC 9110's example of a date */
    ck_assert_int_eq(http_response_write(response, head_only, &block, &length), 0);
    clock_set_real();
    char *text = malloc(length + 1);
    memcpy(text, block, length);
    text[length] = '\0';
    ck_assert_uint_eq(strlen(text), length);
    free(block);
    return text;
}

START_TEST(an_answer_is_written_whole) {
    struct http_response response = {.status = 200, .content_type = "application/json"};
    response.body = strdup("{}");
    response.body_length = 2;
    snprintf(response.extra_headers, sizeof(response.extra_headers), "Retry-After: 5\r\n");
    char *text = written(&response, false);
    ck_assert_str_eq(text, "HTTP/1.1 200 OK\r\n"
                           "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                           "Connection: close\r\n"
                           "Content-Type: application/json\r\n"
                           "Content-Length: 2\r\n"
                           "Cache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Retry-After: 5\r\n"
                           "\r\n"
                           "{}");
    free(text);
    http_response_done(&response);
    ck_assert_ptr_null(response.body);
}
END_TEST

START_TEST(an_answer_to_head_tells_the_length_but_has_no_body) {
    struct http_response response = {.status = 200, .content_type = "text/plain"};
    response.body = strdup("hello");
    response.body_length = 5;
    char *text = written(&response, true);
    ck_assert_ptr_nonnull(strstr(text, "Content-Length: 5\r\n"));
    ck_assert_str_eq(text + strlen(text) - 4, "\r\n\r\n");
    free(text);
    http_response_done(&response);
}
END_TEST

START_TEST(an_answer_without_a_body_says_so) {
    struct http_response response = {.status = 500};
    char *text = written(&response, false);
    ck_assert_ptr_nonnull(strstr(text, "HTTP/1.1 500 Internal Server Error\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "Content-Length: 0\r\n"));
    free(text);
    http_response_done(&response);
}
END_TEST

static const struct {
    unsigned status;
    const char *line, *code;
} statuses[] = {
    {400, "HTTP/1.1 400 Bad Request\r\n", "BAD_REQUEST"},
    {401, "HTTP/1.1 401 Unauthorized\r\n", "UNAUTHORIZED"},
    {403, "HTTP/1.1 403 Forbidden\r\n", "FORBIDDEN"},
    {404, "HTTP/1.1 404 Not Found\r\n", "NOT_FOUND"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n", "METHOD_NOT_ALLOWED"},
    {408, "HTTP/1.1 408 Request Timeout\r\n", "REQUEST_TIMEOUT"},
    {413, "HTTP/1.1 413 Content Too Large\r\n", "CONTENT_TOO_LARGE"},
    {414, "HTTP/1.1 414 URI Too Long\r\n", "URI_TOO_LONG"},
    {426, "HTTP/1.1 426 Upgrade Required\r\n", "UPGRADE_REQUIRED"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n", "TOO_MANY_REQUESTS"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n", "REQUEST_HEADER_FIELDS_TOO_LARGE"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n", "INTERNAL_SERVER_ERROR"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n", "SERVICE_UNAVAILABLE"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n", "HTTP_VERSION_NOT_SUPPORTED"},
};

START_TEST(an_error_has_a_code_and_a_message_in_json) {
    struct http_response response = {0};
    char wanted[256];
    http_response_error(&response, statuses[_i].status, "say \"no\"\n");
    snprintf(wanted, sizeof(wanted),
             "{\"error\":{\"code\":\"%s\",\"message\":\"say \\\"no\\\"\\n\"}}", statuses[_i].code);
    ck_assert_str_eq(response.body, wanted);
    ck_assert_uint_eq(response.body_length, strlen(wanted));
    ck_assert_str_eq(response.content_type, "application/json");
    char *text = written(&response, false);
    ck_assert_ptr_eq(strstr(text, statuses[_i].line), text);
    free(text);
    http_response_done(&response);
}
END_TEST

START_TEST(an_error_replaces_what_was_prepared) {
    struct http_response response = {.status = 200, .body = strdup("{}"), .body_length = 2};
    http_response_error(&response, 503, "later");
    ck_assert_uint_eq(response.status, 503);
    ck_assert_uint_eq(response.body_length, strlen(response.body));
    http_response_done(&response);
}
END_TEST

START_TEST(an_upgrade_that_is_required_is_listed_in_connection) {
    struct http_response response = {0};
    http_response_error(&response, 426, "upgrade");
    char *text = written(&response, false);
    ck_assert_ptr_nonnull(strstr(text, "Connection: close, Upgrade\r\n"));
    free(text);
    http_response_done(&response);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_response");
    TCase *tests = tcase_create("http_response");
    tcase_add_test(tests, an_answer_is_written_whole);
    tcase_add_test(tests, an_answer_to_head_tells_the_length_but_has_no_body);
    tcase_add_test(tests, an_answer_without_a_body_says_so);
    tcase_add_loop_test(tests, an_error_has_a_code_and_a_message_in_json, 0,
                        (int)ARRAY_LENGTH(statuses));
    tcase_add_test(tests, an_error_replaces_what_was_prepared);
    tcase_add_test(tests, an_upgrade_that_is_required_is_listed_in_connection);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
