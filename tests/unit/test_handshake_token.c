/* Where a handshake may carry a token, and where not. */
#include "gateway/access/handshake_token.h"
#include "gateway/http/head_gate.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define ABSENT  NULL
#define REFUSED "(refused)"

enum { NONE = 0, COOKIE = 1, QUERY = 2, BOTH = 3 };

static const struct {
    unsigned sources;
    const char *target, *headers;
    const char *token; /* what is found; ABSENT, REFUSED */
} rows[] = {
    {NONE, "/ws", "", ABSENT},
    {NONE, "/ws", "Authorization: Bearer a.b.c\r\n", "a.b.c"},
    {NONE, "/ws", "authorization:bearer   a.b.c  \r\n", "a.b.c"},
    {NONE, "/ws", "AUTHORIZATION: BEARER a.b.c\r\n", "a.b.c"},
    {NONE, "/ws", "Authorization: Bearer\r\n", REFUSED},
    {NONE, "/ws", "Authorization: Bearer  \r\n", REFUSED},
    {NONE, "/ws", "Authorization: \r\n", ABSENT},
    {NONE, "/ws", "Authorization: Basic YTpi\r\n", ABSENT},
    {NONE, "/ws", "Authorization: Bearera.b.c\r\n", ABSENT},
    {NONE, "/ws", "Authorization: Bear\r\n", ABSENT},
    {NONE, "/ws", "Authorization: a.b.c\r\n", ABSENT},
    {NONE, "/ws", "X-Authorization: Bearer a.b.c\r\n", ABSENT},
    {NONE, "/ws", "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", REFUSED},
    {NONE, "/ws", "Authorization: Basic a\r\nAuthorization: Bearer a\r\n", REFUSED},

    {NONE, "/ws", "Cookie: token=a.b.c\r\n", ABSENT},
    {QUERY, "/ws", "Cookie: token=a.b.c\r\n", ABSENT},
    {COOKIE, "/ws", "Cookie: token=a.b.c\r\n", "a.b.c"},
    {COOKIE, "/ws", "Cookie: x=1; token=a.b.c; y=2\r\n", "a.b.c"},
    {COOKIE, "/ws", "cookie: x=1;token=a.b.c;\r\n", "a.b.c"},
    {COOKIE, "/ws", "Cookie: x=token=a\r\n", ABSENT},
    {COOKIE, "/ws", "Cookie: mytoken=a; token2=b; Token=c\r\n", ABSENT},
    {COOKIE, "/ws", "Cookie: token=\"a.b.c\"; x=1\r\n", "a.b.c"},
    {COOKIE, "/ws", "Cookie: token=\"\"\r\n", REFUSED},
    {COOKIE, "/ws", "Cookie: token=\"\r\n", "\""}, /* a bad one */
    {COOKIE, "/ws", "Cookie: token=\r\n", REFUSED},
    {COOKIE, "/ws", "Cookie: token\r\n", ABSENT},
    {COOKIE, "/ws", "Cookie: token=a; token=b\r\n", REFUSED},
    {COOKIE, "/ws", "Cookie: token=a; token=a\r\n", REFUSED},
    {COOKIE, "/ws", "Cookie: x=1\r\nCookie: token=a\r\n", REFUSED},
    {COOKIE, "/ws", "Cookie: token=a\r\nAuthorization: Bearer b\r\n", "b"},
    {COOKIE, "/ws", "Cookie: token=a\r\nAuthorization: Basic b\r\n", "a"},

    {NONE, "/ws?token=a.b.c", "", ABSENT},
    {COOKIE, "/ws?token=a.b.c", "", ABSENT},
    {QUERY, "/ws?token=a.b.c", "", "a.b.c"},
    {QUERY, "/ws?x=1&token=a.b.c&y=2", "", "a.b.c"},
    {QUERY, "/ws?x=1&token=a%2bb%2Fc%3D%3d&y=%zz", "", "a+b/c=="},
    {QUERY, "/ws?token=a+b", "", "a+b"},
    {QUERY, "/ws?token=a%2", "", REFUSED},
    {QUERY, "/ws?token=a%00b", "", REFUSED},
    {QUERY, "/ws?token=a%2e&token=b", "", REFUSED},
    {QUERY, "/ws?xtoken=a", "", ABSENT},
    {QUERY, "/ws?x=token=a", "", ABSENT},
    {QUERY, "/ws?", "", ABSENT},
    {QUERY, "/ws?&&&", "", ABSENT},
    {QUERY, "/ws?token", "", ABSENT},
    {QUERY, "/ws?token=", "", REFUSED},
    {QUERY, "/ws?token=a&token=b", "", REFUSED},
    {BOTH, "/ws?token=q", "Cookie: token=c\r\n", "c"},
    {BOTH, "/ws?token=q", "Cookie: token=c\r\nAuthorization: Bearer h\r\n", "h"},
    {BOTH, "/ws?token=q", "Cookie: token=\r\n", REFUSED},
};

START_TEST(a_token_is_found_where_it_may_be_and_nowhere_else) {
    char head[1024], decoded[HANDSHAKE_TOKEN_BYTES];
    struct head_gate *gate;
    size_t consumed;
    struct span token = {NULL, 0};
    const struct handshake_token_sources sources = {.cookie = (rows[_i].sources & COOKIE) != 0,
                                                    .query = (rows[_i].sources & QUERY) != 0};
    int length = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n",
                          rows[_i].target, rows[_i].headers);
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_int_eq(head_gate_feed(gate, head, (size_t)length, &consumed), HEAD_DONE);
    int found = handshake_token_find(head_gate_request(gate), &sources, decoded, &token);
    if (rows[_i].token == ABSENT) {
        ck_assert_int_eq(found, 0);
    } else if (strcmp(rows[_i].token, REFUSED) == 0) {
        ck_assert_int_eq(found, -EINVAL);
    } else {
        ck_assert_int_eq(found, 1);
        ck_assert(span_is(token, rows[_i].token));
    }
    if (found != 1) {
        ck_assert_ptr_null(token.data);
    }
    head_gate_free(gate);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("handshake_token");
    TCase *tests = tcase_create("tokens");
    tcase_add_loop_test(tests, a_token_is_found_where_it_may_be_and_nowhere_else, 0,
                        (int)ARRAY_LENGTH(rows));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
