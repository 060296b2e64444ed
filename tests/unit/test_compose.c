/* What a user types or gives with --send and --publish, as messages; and the lines of standard input it comes from. */
#include "gateway/client/compose.h"
#include "gateway/client/envelope.h"
#include "gateway/client/input.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char error[256];

/* The message, taken apart; its text lives until the next call. */
static struct envelope compose(const char *line, struct composed *out) {
    static char *last;
    struct envelope envelope;
    free(last);
    last = NULL;
    ck_assert_msg(compose_line(span_of(line), out, error, sizeof(error)) == 0, "%s: %s", line,
                  error);
    last = out->text;
    ck_assert_msg(envelope_read(span_of(out->text), &envelope), "%s", out->text);
    return envelope;
}

START_TEST(a_bare_word_is_a_type_with_empty_data) {
    struct composed message;
    struct envelope envelope = compose("  get_rooms \r\n", &message);
    ck_assert(span_is(envelope.type, "get_rooms"));
    ck_assert(span_is(envelope.data.text, "{}"));
    ck_assert(span_is(envelope.id, message.id));
    ck_assert_str_eq(message.type, "get_rooms");
}
END_TEST

START_TEST(a_word_may_be_followed_by_its_data) {
    struct composed message;
    struct envelope envelope = compose("subscribe {\"channel\":\"trades\"}", &message);
    ck_assert(span_is(envelope.type, "subscribe"));
    ck_assert(span_is(envelope.data.text, "{\"channel\":\"trades\"}"));
}
END_TEST

START_TEST(a_message_without_an_id_gets_one_and_keeps_its_text) {
    struct composed message;
    struct envelope envelope = compose("{ \"type\":\"x\", \"data\":{\"n\":1.50} }", &message);
    ck_assert(span_is(envelope.id, message.id));
    ck_assert(strstr(message.text, " \"type\":\"x\", \"data\":{\"n\":1.50} }") != NULL);
    envelope = compose("{\"id\":\"mine\",\"type\":\"x\"}", &message);
    ck_assert_str_eq(message.id, "mine");
    ck_assert_str_eq(message.text, "{\"id\":\"mine\",\"type\":\"x\"}");
}
END_TEST

START_TEST(ids_do_not_repeat) {
    char first[COMPOSE_ID_BYTES], second[COMPOSE_ID_BYTES];
    compose_id(first);
    compose_id(second);
    ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(what_is_no_message_is_told_and_not_made) {
    static const char *const wrong[] = {"{",
                                        "{}",
                                        "[1]",
                                        "\"ping\"",
                                        "{\"type\":1}",
                                        "{\"type\":\"\"}",
                                        "{\"type\":\"x\",\"id\":5}",
                                        "{\"type\":\"x\",\"id\":\"\"}",
                                        "{\"type\":\"x\",\"type\":\"y\"}",
                                        "{\"type\":\"x\"} {}",
                                        "ping pong",
                                        "ping [1]",
                                        "pi\"ng",
                                        "!ping",
                                        "p\303\251ng"};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct composed message = {.text = NULL};
        error[0] = '\0';
        ck_assert_msg(compose_line(span_of(wrong[i]), &message, error, sizeof(error)) == -EINVAL,
                      "%s", wrong[i]);
        ck_assert_ptr_null(message.text);
        ck_assert_int_ne(error[0], '\0');
    }
    struct composed message;
    ck_assert_int_eq(compose_line(span_of(" \t\n"), &message, error, sizeof(error)), -ENODATA);
}
END_TEST

START_TEST(a_publish_has_room_event_and_an_object) {
    struct composed message;
    struct envelope envelope;
    ck_assert_int_eq(
        compose_publish("chat:\"x", "hello", "{\"t\":1.0}", &message, error, sizeof(error)), 0);
    ck_assert(envelope_read(span_of(message.text), &envelope));
    ck_assert(span_is(envelope.data.text,
                      "{\"room\":\"chat:\\\"x\",\"event\":\"hello\",\"payload\":{\"t\":1.0}}"));
    free(message.text);
    ck_assert_int_eq(compose_publish("r", "e", "hi", &message, error, sizeof(error)), -EINVAL);
    ck_assert_int_eq(compose_publish("r", "e", "[1]", &message, error, sizeof(error)), -EINVAL);
    ck_assert_int_eq(compose_publish("", "e", "{}", &message, error, sizeof(error)), -EINVAL);
}
END_TEST

/* Lines of standard input. */

static struct input input;
static int writer;

static void open_input(void) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    input = (struct input){.fd = ends[0]};
    writer = ends[1];
}

static void close_input(void) {
    close(input.fd);
    input_free(&input);
    close(writer);
}

static void type_in(const char *text) {
    ck_assert_int_eq(write(writer, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(input_read(&input), 0);
}

START_TEST(lines_come_one_at_a_time_however_they_were_cut) {
    struct span line;
    const char *text = "one\n\nthree\n";
    for (size_t i = 0; i < strlen(text); i++) {
        char byte[2] = {text[i], '\0'};
        ck_assert(!input_next(&input, &line));
        type_in(byte);
        if (text[i] == '\n') {
            ck_assert(input_next(&input, &line));
            ck_assert(span_is(line, i == 3 ? "one" : i == 4 ? "" : "three"));
        }
    }
    type_in("a\nb\nrest");
    ck_assert(input_next(&input, &line) && span_is(line, "a"));
    ck_assert(input_next(&input, &line) && span_is(line, "b"));
    ck_assert(!input_next(&input, &line));
    close(writer);
    ck_assert_int_eq(input_read(&input), 0);
    ck_assert(input.ended);
    ck_assert(input_next(&input, &line) && span_is(line, "rest"));
    ck_assert(!input_next(&input, &line));
}
END_TEST

START_TEST(an_overlong_line_is_passed_over_and_the_next_one_read) {
    static char much[4096];
    struct span line;
    int refused = 0;
    memset(much, 'x', sizeof(much));
    for (size_t sent = 0; sent < INPUT_LINE_BYTES + 2 * sizeof(much); sent += sizeof(much)) {
        ck_assert_int_eq(write(writer, much, sizeof(much)), (ssize_t)sizeof(much));
        int result = input_read(&input);
        if (result == -E2BIG) {
            refused++;
            result = input_read(&input);
        }
        ck_assert_int_eq(result, 0);
        ck_assert(!input_next(&input, &line));
    }
    type_in("tail\nping\n");
    ck_assert_int_eq(refused, 1);
    ck_assert(input_next(&input, &line) && span_is(line, "ping"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("compose");
    TCase *tests = tcase_create("compose");
    tcase_add_test(tests, a_bare_word_is_a_type_with_empty_data);
    tcase_add_test(tests, a_word_may_be_followed_by_its_data);
    tcase_add_test(tests, a_message_without_an_id_gets_one_and_keeps_its_text);
    tcase_add_test(tests, ids_do_not_repeat);
    tcase_add_test(tests, what_is_no_message_is_told_and_not_made);
    tcase_add_test(tests, a_publish_has_room_event_and_an_object);
    suite_add_tcase(suite, tests);
    TCase *lines = tcase_create("input");
    tcase_add_checked_fixture(lines, open_input, close_input);
    tcase_add_test(lines, lines_come_one_at_a_time_however_they_were_cut);
    tcase_add_test(lines, an_overlong_line_is_passed_over_and_the_next_one_read);
    suite_add_tcase(suite, lines);
    return unit_run(suite);
}
