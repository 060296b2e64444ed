/* Templates: what compiles, what comes out, and what is dropped. */
#include "common/template.h"
#include "tests/unit/unit.h"

#include <stdio.h>

struct results {
    unsigned count;
    char text[8][TEMPLATE_MAX_BYTES + 1];
    unsigned stop_after;
    int stop_with;
};

static int collect(void *context, struct span result) {
    struct results *results = context;

    ck_assert_uint_lt(results->count, ARRAY_LENGTH(results->text));
    memcpy(results->text[results->count], result.data, result.length);
    results->text[results->count][result.length] = 0;
    results->count++;
    return results->count == results->stop_after ? results->stop_with : 0;
}

static struct template *compiled(const char *text) {
    struct template *template = NULL;
    const char *error = "";

    ck_assert_msg(template_new(span_of(text), &template, &error) == 0, "%s: %s", text, error);
    return template;
}

static struct json_value data_of(const char *text) {
    struct json_value value;

    ck_assert_msg(json_check(span_of(text), &value, NULL) == JSON_OK, "%s", text);
    return value;
}

static int expand(const char *text, const char *data, struct results *results, unsigned *dropped) {
    struct template *template = compiled(text);
    int result = template_expand(template, data_of(data), collect, results, dropped);

    template_free(template);
    return result;
}

/* `expected`: the results, separated by blanks. */
static void expect(const char *text, const char *data, const char *expected, unsigned drops) {
    struct results results = {0};
    unsigned dropped = 0;
    char joined[2048] = "";

    ck_assert_int_eq(expand(text, data, &results, &dropped), 0);
    for (unsigned i = 0; i < results.count; i++) {
        strcat(joined, i > 0 ? " " : "");
        strcat(joined, results.text[i]);
    }
    ck_assert_str_eq(joined, expected);
    ck_assert_uint_eq(dropped, drops);
}

START_TEST(literal_text_comes_out_as_it_is) {
    struct template *template = compiled("system_alerts");
    ck_assert(template_is_literal(template));
    template_free(template);
    expect("system_alerts", "{}", "system_alerts", 0);
    template = compiled("{a}");
    ck_assert(!template_is_literal(template));
    template_free(template);
    template_free(NULL);
}
END_TEST

START_TEST(fields_are_replaced_and_numbers_keep_their_text) {
    const char *data =
        "{\"chainId\":1.50e3,\"token\":\"E\\u0054H\",\"order\":{\"id\":7,\"a\":{\"b\":\"c\"}}}";
    expect("prices:{chainId}:{token}", data, "prices:1.50e3:ETH", 0);
    expect("{token}", data, "ETH", 0);
    expect("{token}{chainId}", data, "ETH1.50e3", 0);
    expect("order:{order.id}!", data, "order:7!", 0);
    expect("{order.a.b}", data, "c", 0);
    expect("{token}{token}", data, "ETHETH", 0);
}
END_TEST

START_TEST(an_array_gives_a_result_for_each_element) {
    const char *data =
        "{\"k\":\"x\",\"ids\":[\"a\",2,\"c\"],\"o\":{\"ids\":[9]},\"members\":[{\"id\":\"p\",\"u\":"
        "{\"n\":1}},{\"id\":\"q\",\"u\":{\"n\":2}}],\"none\":[]}";
    expect("user:{ids[]}", data, "user:a user:2 user:c", 0);
    expect("{k}:{ids[]}:{k}", data, "x:a:x x:2:x x:c:x", 0);
    expect("user:{o.ids[]}", data, "user:9", 0);
    expect("user:{members[].id}", data, "user:p user:q", 0);
    expect("{members[].u.n}.", data, "1. 2.", 0);
    expect("user:{none[]}", data, "", 0);
}
END_TEST

START_TEST(what_has_no_text_gives_no_result_and_is_counted) {
    const char *data =
        "{\"n\":null,\"t\":true,\"f\":false,\"o\":{},\"a\":[1],\"e\":\"\",\"s\":\"x\","
        "\"mixed\":[\"a\",null,{},true,[],\"\",\"b\"],\"objects\":[{\"id\":1},{},2,{\"id\":null}]}";
    static const char *const without[] = {
        "{missing}", "{n}",   "{t}",          "{f}",         "{o}",   "{a}",   "{e}",
        "{s.x}",     "{o.x}", "{s}{missing}", "{missing[]}", "{s[]}", "{o[]}", "{missing}{mixed[]}",
        "{a.x[]}"};
    for (size_t i = 0; i < ARRAY_LENGTH(without); i++) {
        expect(without[i], data, "", 1);
    }
    expect("{mixed[]}", data, "a b", 5);
    expect("{objects[].id}", data, "1", 3);
    expect("{objects[]}", data, "2", 3);
    expect("{s}", "[1]", "", 1);
    expect("{s}", "\"s\"", "", 1);
}
END_TEST

START_TEST(dropped_may_be_null_and_counts_on_from_what_it_was) {
    struct results results = {0};
    unsigned dropped = 5;

    ck_assert_int_eq(expand("{x}", "{}", &results, NULL), 0);
    ck_assert_int_eq(expand("{x}", "{}", &results, &dropped), 0);
    ck_assert_uint_eq(dropped, 6);
    ck_assert_uint_eq(results.count, 0);
}
END_TEST

START_TEST(a_field_that_stands_twice_is_refused) {
    struct results results = {0};
    unsigned dropped = 0;
    static const struct {
        const char *text, *data;
    } cases[] = {{"{u}", "{\"u\":1,\"u\":1}"},           {"{u}", "{\"u\":1,\"\\u0075\":2}"},
                 {"{o.u}", "{\"o\":{\"u\":1,\"u\":2}}"}, {"{o.u}", "{\"o\":{\"u\":1},\"o\":{}}"},
                 {"{u[]}", "{\"u\":[1],\"u\":[2]}"},     {"{m[].u}", "{\"m\":[{\"u\":1,\"u\":2}]}"},
                 {"{missing}{u}", "{\"u\":1,\"u\":1}"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_int_eq(expand(cases[i].text, cases[i].data, &results, &dropped), -EEXIST);
    }
    ck_assert_uint_eq(results.count, 0);
    ck_assert_uint_eq(dropped, 0);
    /* Twice, but not needed. */
    ck_assert_int_eq(expand("{a}", "{\"u\":1,\"a\":3,\"u\":1}", &results, &dropped), 0);
    ck_assert_uint_eq(results.count, 1);
}
END_TEST

START_TEST(emit_can_stop_and_its_answer_is_returned) {
    struct results results = {.stop_after = 2, .stop_with = -ENOSPC};

    ck_assert_int_eq(expand("{a[]}", "{\"a\":[1,2,3]}", &results, NULL), -ENOSPC);
    ck_assert_uint_eq(results.count, 2);
    results = (struct results){.stop_after = 1, .stop_with = 7};
    ck_assert_int_eq(expand("x", "{}", &results, NULL), 7);
}
END_TEST

START_TEST(a_result_has_at_most_512_bytes) {
    char data[TEMPLATE_MAX_BYTES + 64], value[TEMPLATE_MAX_BYTES + 2];
    struct results results = {0};
    unsigned dropped = 0;

    for (size_t length = TEMPLATE_MAX_BYTES - 1; length <= TEMPLATE_MAX_BYTES + 1; length++) {
        memset(value, 'v', length);
        value[length] = 0;
        snprintf(data, sizeof(data), "{\"a\":\"%s\"}", value);
        ck_assert_int_eq(expand("{a}", data, &results, &dropped), 0);
        ck_assert_int_eq(expand(":{a}", data, &results, &dropped), 0);
    }
    ck_assert_uint_eq(results.count, 3); /* 511 twice, 512 once */
    ck_assert_uint_eq(dropped, 3);
    memset(value, '7', TEMPLATE_MAX_BYTES + 1);
    value[TEMPLATE_MAX_BYTES + 1] = 0;
    snprintf(data, sizeof(data), "{\"a\":%s}", value);
    ck_assert_int_eq(expand("{a}", data, &results, &dropped), 0);
    ck_assert_uint_eq(dropped, 4);
}
END_TEST

START_TEST(bad_templates_are_refused_with_a_reason) {
    static const char *const texts[] = {
        "",         "{",        "}",      "a}",         "{a",          "{}",     "{a}}",
        "{{a}}",    "{a{b}}",   "{.a}",   "{a.}",       "{a..b}",      "{.}",    "{[]}",
        "{a[}",     "{a]}",     "{a[0]}", "{a[][]}",    "{a[].b[]}",   "{a[]b}", "{a[].}",
        "{a[]..b}", "{a[].b.}", "{a.[]}", "{a[]}{b[]}", "{a[]}:{a[]}", "{a b}",  "a b",
        "a\tb",     "a\n",      "\x7f",   "\xff",       "{\xc3}",      "{[].b}", "{a[]}.{b[].c}",
        "{a[].b]}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct template *template = NULL;
        const char *error = NULL;
        ck_assert_msg(template_new(span_of(texts[i]), &template, &error) == -EINVAL, "%s",
                      texts[i]);
        ck_assert_ptr_nonnull(error);
        ck_assert_ptr_null(template);
    }
}
END_TEST

START_TEST(limits_of_length_and_fields_hold_at_their_edges) {
    char text[TEMPLATE_MAX_BYTES + 1];
    struct template *template;
    const char *error = NULL;

    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(template_new((struct span){text, TEMPLATE_MAX_BYTES}, &template, &error), 0);
    template_free(template);
    ck_assert_int_eq(template_new((struct span){text, TEMPLATE_MAX_BYTES + 1}, &template, &error),
                     -EINVAL);
    text[0] = 0;
    for (int i = 0; i < 16; i++) {
        strcat(text, ".{a}");
    }
    strcat(text, ".");
    expect(text, "{\"a\":1}", ".1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.", 0);
    strcat(text, "{a}");
    ck_assert_int_eq(template_new(span_of(text), &template, &error), -EINVAL);
}
END_TEST

START_TEST(a_text_that_ends_within_a_field_is_not_read_past_its_end) {
    const char *text = "user:{members[].id}";

    for (size_t length = 0; length <= strlen(text); length++) {
        char copy[32];
        struct template *template = NULL;
        const char *error = NULL;
        memcpy(copy, text, length);
        int result = template_new((struct span){copy, length}, &template, &error);
        ck_assert_int_eq(result,
                         (length >= 1 && length <= 5) || length == strlen(text) ? 0 : -EINVAL);
        template_free(template);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("template");
    TCase *cases = tcase_create("template");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, literal_text_comes_out_as_it_is);
    tcase_add_test(cases, fields_are_replaced_and_numbers_keep_their_text);
    tcase_add_test(cases, an_array_gives_a_result_for_each_element);
    tcase_add_test(cases, what_has_no_text_gives_no_result_and_is_counted);
    tcase_add_test(cases, dropped_may_be_null_and_counts_on_from_what_it_was);
    tcase_add_test(cases, a_field_that_stands_twice_is_refused);
    tcase_add_test(cases, emit_can_stop_and_its_answer_is_returned);
    tcase_add_test(cases, a_result_has_at_most_512_bytes);
    tcase_add_test(cases, bad_templates_are_refused_with_a_reason);
    tcase_add_test(cases, limits_of_length_and_fields_hold_at_their_edges);
    tcase_add_test(cases, a_text_that_ends_within_a_field_is_not_read_past_its_end);
    return unit_run(suite);
}
