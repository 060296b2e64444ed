/* How moonx-client shows messages, and which of them it counts as events. */
#include "gateway/client/print.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static char shown[512];

static const char *show(enum print_style style, unsigned columns, const char *text) {
    struct envelope envelope;
    bool readable = envelope_read(span_of(text), &envelope);
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    print_message(out, style, columns, span_of(text), readable ? &envelope : NULL, NULL);
    fclose(out);
    return shown;
}

static bool is_event(const char *id) {
    return envelope_is_event(&(struct envelope){.id = span_of(id)});
}

START_TEST(only_ids_of_topic_partition_and_offset_are_events) {
    ck_assert(is_event("price.updates:0:12"));
    ck_assert(is_event("a:b:3:4"));
    static const char *const others[] = {"",      ":0:1",   "0:1",    "a:0:",  "a::1",
                                         "a:x:1", "a:0:1x", "a:0:-1", "auth-1"};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        ck_assert_msg(!is_event(others[i]), "%s", others[i]);
    }
}
END_TEST

START_TEST(a_text_without_a_type_is_no_envelope) {
    struct envelope envelope;
    ck_assert(!envelope_read(span_of("{}"), &envelope));
    ck_assert(!envelope_read(span_of("{\"type\":1}"), &envelope));
    ck_assert(!envelope_read(span_of("[\"type\"]"), &envelope));
    ck_assert(!envelope_read(span_of("{\"type\":\"x\""), &envelope));
    ck_assert(envelope_read(span_of("{\"type\":\"x\",\"id\":5,\"data\":{\"n\":1.50}}"), &envelope));
    ck_assert(span_is(envelope.type, "x"));
    ck_assert_uint_eq(envelope.id.length, 0);
    ck_assert(span_is(envelope.data.text, "{\"n\":1.50}"));
}
END_TEST

START_TEST(json_is_shown_as_it_came_on_one_line) {
    ck_assert_str_eq(show(PRINT_JSON, 10, "{\"type\":\"x\",\n \"data\":{\"n\":1.50}}"),
                     "{\"type\":\"x\",  \"data\":{\"n\":1.50}}\n");
}
END_TEST

START_TEST(nothing_that_is_sent_reaches_the_terminal_as_a_control) {
    const char *line = show(PRINT_JSON, 0, "bad \033[2J\x7f\xc2\x9b x");
    ck_assert_str_eq(line, "bad  [2J   x\n");
}
END_TEST

START_TEST(a_long_line_ends_at_the_width_with_an_ellipsis) {
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    print_clean(out, span_of("h\xc3\xa9llo"), 4);
    fclose(out);
    ck_assert_str_eq(shown, "h\xc3\xa9l\xe2\x80\xa6");
    out = fmemopen(shown, sizeof(shown), "w");
    print_clean(out, span_of("h\xc3\xa9ll"), 4);
    fclose(out);
    ck_assert_str_eq(shown, "h\xc3\xa9ll");
}
END_TEST

START_TEST(a_short_line_has_time_type_and_data) {
    setenv("TZ", "UTC", 1);
    const char *line = show(PRINT_SHORT, 0,
                            "{\"type\":\"price_update\",\"timestamp\":3723004,\"data\":{\"p\":1}}");
    ck_assert_str_eq(line, "01:02:03.004 \033[36mprice_update       \033[0m {\"p\":1}\n");
}
END_TEST

START_TEST(an_answer_says_what_it_answers) {
    struct envelope envelope;
    struct span text = SPAN_LITERAL("{\"type\":\"pong\",\"data\":{\"serverTime\":5}}");
    ck_assert(envelope_read(text, &envelope));
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    print_message(out, PRINT_SHORT, 0, text, &envelope, "answers ping, 0.4 ms");
    fclose(out);
    ck_assert_str_eq(shown, "             \033[2mpong               \033[0m "
                            "\033[2manswers ping, 0.4 ms\033[0m {\"serverTime\":5}\n");
}
END_TEST

START_TEST(a_terminal_too_narrow_shows_an_ellipsis_and_no_second_line) {
    for (unsigned columns = 1; columns < 40; columns++) {
        const char *line = show(PRINT_SHORT, columns, "{\"type\":\"t\",\"data\":{\"a\":12345}}");
        ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
        ck_assert(strstr(line, "12345}") == NULL);
    }
}
END_TEST

START_TEST(quiet_shows_nothing) {
    shown[0] = '\0';
    ck_assert_str_eq(show(PRINT_NOTHING, 0, "{\"type\":\"x\"}"), "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("print");
    TCase *tests = tcase_create("print");
    tcase_add_test(tests, only_ids_of_topic_partition_and_offset_are_events);
    tcase_add_test(tests, a_text_without_a_type_is_no_envelope);
    tcase_add_test(tests, json_is_shown_as_it_came_on_one_line);
    tcase_add_test(tests, nothing_that_is_sent_reaches_the_terminal_as_a_control);
    tcase_add_test(tests, a_long_line_ends_at_the_width_with_an_ellipsis);
    tcase_add_test(tests, a_short_line_has_time_type_and_data);
    tcase_add_test(tests, an_answer_says_what_it_answers);
    tcase_add_test(tests, a_terminal_too_narrow_shows_an_ellipsis_and_no_second_line);
    tcase_add_test(tests, quiet_shows_nothing);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
