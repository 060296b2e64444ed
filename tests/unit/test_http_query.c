/* Parameters of a query. */
#include "gateway/http/http_query.h"
#include "tests/unit/unit.h"

static const struct {
    const char *query, *name;
    int result;
    const char *value;
} texts[] = {
    {"", "a", 0, ""},
    {"a", "a", 1, ""},
    {"a=", "a", 1, ""},
    {"a=b", "a", 1, "b"},
    {"aa=1&a=2", "a", 1, "2"},
    {"a=1&a=2", "a", 1, "1"},
    {"&&x&a=2&", "a", 1, "2"},
    {"a=b=c", "a", 1, "b=c"},
    {"a=%41%3a%3A%2B+", "a", 1, "A::++"},
    {"A=1", "a", 0, ""},
    {"a=1234567", "a", 1, "1234567"},
    {"a=12345678", "a", -EINVAL, ""},
    {"a=%", "a", -EINVAL, ""},
    {"a=%4", "a", -EINVAL, ""},
    {"a=%4&b=1", "a", -EINVAL, ""},
    {"a=%g0", "a", -EINVAL, ""},
    {"a=x%00", "a", -EINVAL, ""},
};

START_TEST(a_parameter_is_found_and_decoded) {
    char out[8] = "before";
    size_t length = 99;
    int result =
        http_query_text(span_of(texts[_i].query), texts[_i].name, out, sizeof out, &length);
    ck_assert_int_eq(result, texts[_i].result);
    if (result == 1) {
        ck_assert_str_eq(out, texts[_i].value);
        ck_assert_uint_eq(length, strlen(texts[_i].value));
    }
}
END_TEST

static const struct {
    const char *query;
    int result;
    uint64_t value;
} numbers[] = {
    {"", 0, 7},
    {"n=1", 1, 1},
    {"n=1000", 1, 1000},
    {"n=0001", 1, 1},
    {"n=0", -EINVAL, 7},
    {"n=", -EINVAL, 7},
    {"n", -EINVAL, 7},
    {"n=1001", -EINVAL, 7},
    {"n=-1", -EINVAL, 7},
    {"n=+1", -EINVAL, 7},
    {"n=1x", -EINVAL, 7},
    {"n=99999999999999999999", -EINVAL, 7},
    {"n=999999999999999999999", -EINVAL, 7},
};

START_TEST(a_number_is_taken_within_its_bounds_only) {
    uint64_t value = 7;
    ck_assert_int_eq(http_query_number(span_of(numbers[_i].query), "n", 1, 1000, &value),
                     numbers[_i].result);
    ck_assert_uint_eq(value, numbers[_i].value);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_query");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, a_parameter_is_found_and_decoded, 0, ARRAY_LENGTH(texts));
    tcase_add_loop_test(all, a_number_is_taken_within_its_bounds_only, 0, ARRAY_LENGTH(numbers));
    suite_add_tcase(suite, all);
    return unit_run(suite);
}
