/* Which pages may open a WebSocket. */
#include "gateway/access/origin.h"
#include "gateway/http/head_gate.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define LIST "https://app.example.org, http://localhost:3000,http://[::1]:8080"

static struct origin_list *list_of(const char *text) {
    struct origin_list *list = NULL;
    char error[256] = "";

    ck_assert_msg(origin_list_new(text, &list, error, sizeof(error)) == 0, "%s", error);
    return list;
}

static bool allowed(const struct origin_list *list, const char *headers) {
    char head[1024];
    struct head_gate *gate;
    size_t consumed;
    bool answer;

    snprintf(head, sizeof(head), "GET /ws HTTP/1.1\r\nHost: app.example.org\r\n%s\r\n", headers);
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_int_eq(head_gate_feed(gate, head, strlen(head), &consumed), HEAD_DONE);
    answer = origin_allowed(list, head_gate_request(gate));
    head_gate_free(gate);
    return answer;
}

static const struct {
    const char *headers;
    bool allowed;
} cases[] = {
    {"Origin: https://app.example.org\r\n", true},
    {"ORIGIN:  https://app.example.org \r\n", true},
    {"Origin: http://localhost:3000\r\n", true},
    {"Origin: http://[::1]:8080\r\n", true},
    {"Origin: https://app.example.org\r\nCookie: token=x\r\n", true},
    {"", true}, /* no browser */
    {"Cookie: session=1; mytoken=2; tokens=3\r\n", true},
    {"Origin: http://app.example.org\r\n", false},
    {"Origin: https://app.example.org:443\r\n", false},
    {"Origin: https://app.example.org:8443\r\n", false},
    {"Origin: https://app.example.org.evil.test\r\n", false},
    {"Origin: https://evil.test/https://app.example.org\r\n", false},
    {"Origin: https://sub.app.example.org\r\n", false},
    {"Origin: https://app.example.or\r\n", false},
    {"Origin: HTTPS://APP.EXAMPLE.ORG\r\n", false},
    {"Origin: http://localhost:3001\r\n", false},
    {"Origin: null\r\n", false},
    {"Origin: *\r\n", false},
    {"Origin:\r\n", false},
    {"Origin: https://app.example.org https://evil.test\r\n", false},
    {"Origin: https://app.example.org, http://localhost:3000\r\n", false},
    {"Origin: https://app.example.org\r\nOrigin: https://app.example.org\r\n", false},
    {"Cookie: token=x\r\n", false},
    {"cookie: a=b;  token=\r\n", false},
    {"Cookie: a=b\r\nCookie: c=d;token=e\r\n", false},
};

START_TEST(an_origin_passes_only_when_it_stands_in_the_list) {
    struct origin_list *list = list_of(LIST);

    ck_assert_msg(allowed(list, cases[_i].headers) == cases[_i].allowed, "%s", cases[_i].headers);
    origin_list_free(list);
}
END_TEST

START_TEST(without_a_list_and_with_a_star_every_origin_passes) {
    struct origin_list *empty = list_of(""), *star = list_of(" * ");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert(allowed(empty, cases[i].headers));
        ck_assert(allowed(star, cases[i].headers));
        ck_assert(allowed(NULL, cases[i].headers));
    }
    origin_list_free(empty);
    origin_list_free(star);
}
END_TEST

static const char *const bad[] = {
    "app.example.org",
    "https://app.example.org/",
    "https://app.example.org/x",
    "https://",
    "//app.example.org",
    "https:app.example.org",
    "https://App.example.org",
    "null",
    "https://a.org,*",
    "*,https://a.org",
    "https://*.example.org",
    "https://a.org;https://b.org",
    "https://a b.org",
    "https://a.org?x",
    "https://user@a.org",
    "https://a.org:443",
    "http://a.org:80",
    "https://[::1]:443",
    "https://a.org:",
    "https://a.org:0",
    "https://a.org:65536",
    "https://a.org:080",
    "https://a.org:8o",
};

START_TEST(what_no_browser_sends_is_refused_in_the_list) {
    struct origin_list *list = NULL;
    char error[256] = "";

    ck_assert_msg(origin_list_new(bad[_i], &list, error, sizeof(error)) == -EINVAL, "%s", bad[_i]);
    ck_assert_ptr_null(list);
    ck_assert_msg(strncmp(error, "ALLOWED_ORIGINS: \"", 18) == 0, "%s", error);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("origin");
    TCase *tests = tcase_create("origin");

    tcase_add_loop_test(tests, an_origin_passes_only_when_it_stands_in_the_list, 0,
                        (int)ARRAY_LENGTH(cases));
    tcase_add_test(tests, without_a_list_and_with_a_star_every_origin_passes);
    tcase_add_loop_test(tests, what_no_browser_sends_is_refused_in_the_list, 0,
                        (int)ARRAY_LENGTH(bad));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
