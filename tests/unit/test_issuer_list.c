/* JWT_JWKS_FILE and JWT_JWKS_URL: one place, or one for each issuer. */
#include "common/issuer_list.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    int count; /* -1: refused */
    const char *last_issuer, *last_place;
} cases[] = {
    {"", 0, "", ""},
    {"/etc/keys.json", 1, "", "/etc/keys.json"},
    {"/etc/a,b.json", 1, "", "/etc/a,b.json"},
    {"https://a.example/keys", 1, "", "https://a.example/keys"},
    {"https://a.example/keys?p=1,2", 1, "", "https://a.example/keys?p=1,2"},
    {"a=https://a.example/keys?p=1,b=/y?q=2", 2, "b", "/y?q=2"},
    {"https://a.example=https://a.example/keys", 1, "https://a.example", "https://a.example/keys"},
    {"a=/x,b=/y", 2, "b", "/y"},
    {" a = /x , b = /y z ", 2, "b", "/y z"},
    {"a=/x=1", 1, "a", "/x=1"},
    {"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8", 8, "h", "8"},
    {"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9", -1, "", ""},
    {"a=/x,a=/y", -1, "", ""},
    {"a=/x,/y", -1, "", ""},
    {"a=/x,", -1, "", ""},
    {"a=", -1, "", ""},
    {"=/x", -1, "", ""},
    {"=", -1, "", ""},
    {",a=/x", -1, "", ""},
};

START_TEST(a_list_of_issuers_is_taken_apart_or_refused) {
    struct issuer_place places[ISSUER_LIST_MAX];
    const char *why = "";
    int count = issuer_list_read(cases[_i].text, places, &why);
    ck_assert_int_eq(count < 0 ? -1 : count, cases[_i].count);
    ck_assert((why[0] != '\0') == (count < 0));
    if (count > 0) {
        ck_assert(span_is(places[count - 1].issuer, cases[_i].last_issuer));
        ck_assert(span_is(places[count - 1].place, cases[_i].last_place));
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("issuer_list");
    TCase *tests = tcase_create("list");
    tcase_add_loop_test(tests, a_list_of_issuers_is_taken_apart_or_refused, 0,
                        (int)ARRAY_LENGTH(cases));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
