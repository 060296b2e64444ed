/* Addresses of services, as options give them. */
#include "common/http_url.h"
#include "tests/unit/unit.h"

static const struct {
    const char *url, *path;
    const char *authority, *target;
    uint16_t port;
    bool https;
} good[] = {
    {"http://auth", "/verify", "auth", "/verify", 80, false},
    {"http://auth:80", "/verify", "auth", "/verify", 80, false},
    {"http://auth:3001", "", "auth:3001", "/", 3001, false},
    {"https://auth", "/verify", "auth", "/verify", 443, true},
    {"HTTPS://auth:80", "/verify", "auth:80", "/verify", 80, true},
    {"http://[::1]:3001", "/verify", "[::1]:3001", "/verify", 3001, false},
    {"http://auth/base", "/verify", "auth", "/base/verify", 80, false},
    /* the slash that people leave at the end is not doubled: most services know no //verify */
    {"http://auth/", "/verify", "auth", "/verify", 80, false},
    {"http://auth/base/", "/verify", "auth", "/base/verify", 80, false},
    {"https://issuer/.well-known/jwks.json", "", "issuer", "/.well-known/jwks.json", 443, true},
    {"https://issuer/keys/", "", "issuer", "/keys/", 443, true},
};

START_TEST(an_address_is_taken_apart) {
    struct http_url url;
    char error[256] = "";

    ck_assert_msg(http_url_check("OPTION", good[_i].url, error, sizeof(error)) == 0, "%s", error);
    ck_assert_int_eq(http_url_read(good[_i].url, good[_i].path, &url), 0);
    ck_assert_str_eq(url.authority, good[_i].authority);
    ck_assert_str_eq(url.target, good[_i].target);
    ck_assert_uint_eq(url.port, good[_i].port);
    ck_assert_int_eq(url.https, good[_i].https);
    http_url_done(&url);
}
END_TEST

static const char *const bad_urls[] = {
    "",           "auth",       "auth:3001",  "ftp://auth",   "http://",        "http://auth:0",
    "http://a b", "http://a?x", "http://a#x", "http://u:p@a", "http://a:65536", "http://a/b c",
};

START_TEST(an_address_that_nothing_is_appended_to_may_have_a_query) {
    struct http_url url;
    char error[256] = "";
    const char *text = "https://issuer/keys?p=b2c_1&x=%20y";

    ck_assert_int_eq(http_url_check("OPTION", text, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "more than a host, a port and a path"));
    ck_assert_int_eq(http_url_check_whole("OPTION", text, error, sizeof(error)), 0);
    ck_assert(http_url_is_https(text));
    ck_assert_int_eq(http_url_shown(text), (int)strlen("https://issuer/keys"));
    ck_assert_int_eq(http_url_read(text, "", &url), 0);
    ck_assert_str_eq(url.target, "/keys?p=b2c_1&x=%20y");
    http_url_done(&url);
    ck_assert_int_eq(http_url_read("http://issuer?p=1", "", &url), 0);
    ck_assert_str_eq(url.target, "/?p=1");
    http_url_done(&url);
    ck_assert_int_eq(http_url_check_whole("OPTION", "http://a/#x", error, sizeof(error)), -EINVAL);
    ck_assert_int_eq(http_url_check_whole("OPTION", "http://u:p@a/", error, sizeof(error)),
                     -EINVAL);
    ck_assert_ptr_null(strstr(error, "u:p"));
}
END_TEST

START_TEST(what_is_no_address_is_refused_with_its_option) {
    char error[256] = "";

    ck_assert_msg(http_url_check("OPTION", bad_urls[_i], error, sizeof(error)) == -EINVAL, "%s",
                  bad_urls[_i]);
    ck_assert_msg(strncmp(error, "OPTION: \"", 9) == 0, "%s", error);
    ck_assert_ptr_null(strstr(error, "u:p"));
}
END_TEST

static const char *const bad_paths[] = {"", "verify", "/a b", "/a#b", "/\xc3\xa4", "/a\tb"};

START_TEST(a_path_has_nothing_that_a_request_line_can_t_have) {
    char error[256] = "";

    ck_assert_int_eq(http_url_check_path("OPTION", "/api/v1/verify?x=1%20", error, sizeof(error)),
                     0);
    ck_assert_str_eq(error, "");
    ck_assert_msg(http_url_check_path("OPTION", bad_paths[_i], error, sizeof(error)) == -EINVAL,
                  "%s", bad_paths[_i]);
    ck_assert_msg(strncmp(error, "OPTION: \"", 9) == 0, "%s", error);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_url");
    TCase *tests = tcase_create("http_url");

    tcase_add_loop_test(tests, an_address_is_taken_apart, 0, (int)ARRAY_LENGTH(good));
    tcase_add_test(tests, an_address_that_nothing_is_appended_to_may_have_a_query);
    tcase_add_loop_test(tests, what_is_no_address_is_refused_with_its_option, 0,
                        (int)ARRAY_LENGTH(bad_urls));
    tcase_add_loop_test(tests, a_path_has_nothing_that_a_request_line_can_t_have, 0,
                        (int)ARRAY_LENGTH(bad_paths));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
