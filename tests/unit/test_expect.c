/* --expect: which messages count, and what is refused. */
#include "gateway/client/expect.h"
#include "tests/unit/unit.h"

#define MESSAGE                                                                                    \
    "{\"id\":\"t:0:1\",\"type\":\"hello\",\"ref\":\"r1\",\"from\":\"bob\",\"data\":{\"n\":1.50,"   \
    "\"text\":\"a\\u0062c\",\"ok\":true,\"user\":{\"id\":\"7\"},\"rooms\":[\"chat:a\",\"chat:b\"]" \
    ","                                                                                            \
    "\"empty\":\"\"}}"

static bool matches(const char *text) {
    struct expect expect;
    struct envelope envelope;
    ck_assert_msg(expect_parse(text, &expect) == 0, "%s", text);
    ck_assert(envelope_read(span_of(MESSAGE), &envelope));
    return expect_matches(&expect, &envelope);
}

START_TEST(a_type_alone_is_enough) {
    ck_assert(matches("hello"));
    ck_assert(!matches("hell"));
    ck_assert(!matches("hello2"));
}
END_TEST

START_TEST(fields_are_looked_for_in_the_data_then_in_the_message) {
    static const char *const good[] = {"hello:n=1.50",         "hello:text=abc",
                                       "hello:ok=true",        "hello:user.id=7",
                                       "hello:rooms=chat:b",   "hello:from=bob",
                                       "hello:ref=r1",         "hello:empty=",
                                       "hello:n=1.50,ok=true", "hello:data.user.id=7,n=1.50"};
    static const char *const bad[] = {"hello:n=1.5",      "hello:text=ab",  "hello:text=abcd",
                                      "hello:ok=false",   "hello:user=7",   "hello:rooms=chat:c",
                                      "hello:none=",      "hello:user.x=7", "hello:n=1.50,ok=no",
                                      "hello:text.x=abc", "other:n=1.50"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        ck_assert_msg(matches(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(!matches(bad[i]), "%s", bad[i]);
    }
}
END_TEST

START_TEST(what_can_not_be_read_is_refused) {
    static const char *const wrong[] = {
        "",         ":n=1",       "hello:",      "hello:n",
        "hello:=1", "hello:n=1,", "hello:n=1,m", "t:a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1"};
    struct expect expect;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_msg(expect_parse(wrong[i], &expect) == -EINVAL, "%s", wrong[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("expect");
    TCase *tests = tcase_create("expect");
    tcase_add_test(tests, a_type_alone_is_enough);
    tcase_add_test(tests, fields_are_looked_for_in_the_data_then_in_the_message);
    tcase_add_test(tests, what_can_not_be_read_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
