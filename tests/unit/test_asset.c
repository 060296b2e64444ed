/* The files that browsers get: plain, gzipped, or not again; and how the console signs in. */
#include "http_fixture.h"

#include "gateway/access/auth.h"
#include "gateway/http/asset.h"
#include "tests/unit/unit.h"

static struct http_fixture fixture;
static struct http_response response;

static void start(void) {
    fixture_start(&fixture);
}

static void stop(void) {
    http_response_done(&response);
    fixture_stop(&fixture);
}

static const char *header(const char *name) {
    const char *line = strstr(response.extra_headers, name);
    return line != NULL ? line + strlen(name) : NULL;
}

START_TEST(each_asset_has_a_path_of_its_own_a_type_and_a_tag) {
    ck_assert_uint_gt(asset_count, 10);
    for (size_t i = 0; i < asset_count; i++) {
        const struct asset *asset = &asset_table[i];
        ck_assert_ptr_eq(asset_find(span_of(asset->path)), asset);
        ck_assert_uint_gt(asset->plain.length, 0);
        ck_assert_ptr_nonnull(strchr(asset->content_type, '/'));
        ck_assert_int_eq(asset->plain.tag[0], '"');
        if (asset->gzip.bytes != NULL) {
            ck_assert_uint_lt(asset->gzip.length, asset->plain.length);
            ck_assert_str_ne(asset->gzip.tag, asset->plain.tag);
        }
    }
    ck_assert_ptr_null(asset_find(span_of("/console/")));
    ck_assert_ptr_null(asset_find(span_of("/console/../console/main.mjs")));
}
END_TEST

START_TEST(the_page_comes_plain_to_who_does_not_ask_for_gzip) {
    fixture_answer(&fixture, "GET /", "", &response);
    ck_assert_uint_eq(response.status, 200);
    ck_assert_str_eq(response.content_type, "text/html; charset=utf-8");
    ck_assert_str_eq(response.cache_control, "no-cache");
    ck_assert_ptr_null(header("Content-Encoding: "));
    ck_assert_ptr_nonnull(
        header("Content-Security-Policy: default-src 'none'; script-src 'self';"));
    ck_assert_int_eq(memcmp(response.body, "<!doctype html>", 15), 0);
}
END_TEST

START_TEST(the_page_comes_gzipped_to_who_asks_for_it) {
    fixture_answer(&fixture, "GET /", "Accept-Encoding: br, gzip\r\n", &response);
    ck_assert_ptr_nonnull(header("Content-Encoding: gzip"));
    ck_assert_ptr_nonnull(header("Vary: Accept-Encoding"));
    ck_assert_int_eq(memcmp(response.body, "\x1f\x8b", 2), 0);
}
END_TEST

static const struct {
    const char *tags;
    unsigned status;
} conditions[] = {
    {"%s", 304}, {"W/%s", 304}, {"\"other\", %s", 304}, {"*", 304}, {"\"other\"", 200}, {"", 200},
};

START_TEST(who_has_the_bytes_does_not_get_them_again) {
    const struct asset *page = asset_find(span_of("/"));
    char tags[128], line[256], *bytes;
    size_t length;
    snprintf(tags, sizeof tags, conditions[_i].tags, page->plain.tag);
    snprintf(line, sizeof line, "If-None-Match: %s\r\n", tags);
    fixture_answer(&fixture, "GET /", line, &response);
    ck_assert_uint_eq(response.status, conditions[_i].status);
    ck_assert_int_eq(http_response_write(&response, false, &bytes, &length), 0);
    bool has_body = length > 15 && memmem(bytes, length, "\r\n\r\n<!doctype", 13) != NULL;
    ck_assert_int_eq(has_body, conditions[_i].status == 200);
    free(bytes);
}
END_TEST

static void session(const char *headers) {
    http_response_done(&response);
    fixture_answer(&fixture, "GET /console/session", headers, &response);
    ck_assert_uint_eq(response.status, 200);
}

START_TEST(outside_of_dev_the_console_gets_no_token) {
    session("");
    ck_assert_ptr_nonnull(strstr(response.body, "\"dev\":false"));
    ck_assert_ptr_null(strstr(response.body, "token"));
}
END_TEST

static const struct {
    const char *host;
    bool given;
} hosts[] = {
    {"localhost", true},          {"localhost:3008", true}, {"127.0.0.1:3008", true},
    {"[::1]:3008", true},         {"[::1]", true},          {"evil.example", false},
    {"localhost.evil.ex", false}, {"127.0.0.11", false},    {"[::2]:1", false},
};

/* The fixture's requests say `Host: localhost`: the head is written here. */
START_TEST(in_dev_a_token_is_given_under_this_machines_names_only) {
    const struct options options = {.jwt_secret = "0123456789abcdef0123456789abcdef",
                                    .jwt_secret_file = "",
                                    .jwt_algorithms = "HS256",
                                    .jwt_issuer = "",
                                    .jwt_audience = "",
                                    .dev_directory = "/nonexistent"};
    char error[512], head[128];
    struct auth *auth = NULL;
    ck_assert_int_eq(auth_new(&options, true, &auth, error, sizeof error), 0);
    struct head_gate *gate;
    snprintf(head, sizeof head, "GET /console/session HTTP/1.1\r\nHost: %s\r\n\r\n",
             hosts[_i].host);
    const struct http_request *request = fixture_request(&gate, head);
    fixture.context.dev_auth = auth;
    struct server_survey survey;
    ck_assert(server_answer(&fixture.context, request, &response, &survey));
    ck_assert_ptr_nonnull(strstr(response.body, "\"dev\":true"));
    ck_assert_int_eq(strstr(response.body, "\"token\":\"ey") != NULL, hosts[_i].given);
    head_gate_free(gate);
    auth_free(auth);
}
END_TEST

int main(void) {
    TCase *test_case = tcase_create("asset");
    tcase_add_checked_fixture(test_case, start, stop);
    tcase_add_test(test_case, each_asset_has_a_path_of_its_own_a_type_and_a_tag);
    tcase_add_test(test_case, the_page_comes_plain_to_who_does_not_ask_for_gzip);
    tcase_add_test(test_case, the_page_comes_gzipped_to_who_asks_for_it);
    tcase_add_loop_test(test_case, who_has_the_bytes_does_not_get_them_again, 0,
                        ARRAY_LENGTH(conditions));
    tcase_add_test(test_case, outside_of_dev_the_console_gets_no_token);
    tcase_add_loop_test(test_case, in_dev_a_token_is_given_under_this_machines_names_only, 0,
                        ARRAY_LENGTH(hosts));
    Suite *suite = suite_create("asset");
    suite_add_tcase(suite, test_case);
    return unit_run(suite);
}
