/* CONFIG_FILE: which lines are options, what beats what, and what a reload takes. */
#include "common/option_reload.h"
#include "common/option_row.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];
static char error[512];
static struct options options;
static struct option_command command;

static void start(void) {
    snprintf(path, sizeof(path), "/tmp/moonx-option-file-%d", (int)getpid());
    unsetenv("LOG_LEVEL");
    unsetenv("WS_PING_INTERVAL");
    unsetenv("WS_HEARTBEAT_INTERVAL");
    setenv("CONFIG_FILE", path, 1);
    error[0] = '\0';
}

static void finish(void) {
    unlink(path);
    option_done(&options);
}

static void write_file(const char *text) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static int parse(const char *flag) {
    char copy[64];
    char *argv[] = {copy, copy, NULL};
    snprintf(copy, sizeof(copy), "%s", flag);
    return option_parse(*flag != '\0' ? 2 : 1, argv, &options, &command, error, sizeof(error));
}

START_TEST(a_line_sets_an_option_and_comments_and_blanks_do_not_count) {
    write_file("# a comment\n\n ; another\n  WS_PING_INTERVAL = 20000 \r\n"
               "LOG_LEVEL=\"warn\"\nJWT_ISSUER='a \"b\" # c'\nJWT_AUDIENCE=\nJWT_SECRET=only=here");
    ck_assert_msg(parse("") == 0, "%s", error);
    ck_assert_int_eq(options.ws_ping_interval, 20000);
    ck_assert_str_eq(options.log_level, "warn");
    ck_assert_str_eq(options.jwt_issuer, "a \"b\" # c");
    ck_assert_str_eq(options.jwt_audience, "");
    ck_assert_str_eq(options.jwt_secret, "only=here");
}
END_TEST

START_TEST(a_flag_beats_the_environment_and_that_the_file) {
    write_file("WS_HEARTBEAT_INTERVAL=20000\n");
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.ws_ping_interval, 20000);
    option_done(&options);
    setenv("WS_PING_INTERVAL", "30001", 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.ws_ping_interval, 30001);
    option_done(&options);
    ck_assert_int_eq(parse("--ws-ping-interval=40000"), 0);
    ck_assert_int_eq(options.ws_ping_interval, 40000);
}
END_TEST

static const struct {
    const char *text, *error; /* behind the file's name */
} bad[] = {
    {"LOG_LEVEL=warn\nnothing\n", ":2: is not NAME=value"},
    {"LOG_LEVL=warn\n", ":1: \"LOG_LEVL\" is no option; did you mean LOG_LEVEL?"},
    {"export LOG_LEVEL=warn\n", ":1: \"export LOG_LEVEL\" is no option"},
    {"=warn\n", ":1: \"\" is no option"},
    {"LOG_LEVEL=warn\n\nLOG_LEVEL=info\n", ":3: LOG_LEVEL is set in line 1 already"},
    {"WS_PING_INTERVAL=\nWS_HEARTBEAT_INTERVAL=5000\n",
     ":2: WS_PING_INTERVAL is set in line 1 already"},
    {"CONFIG_FILE=/etc/other\n", ":1: CONFIG_FILE can't stand in the file itself"},
    {"LOG_LEVEL=\"warn\n",
     ":1: the value's quotes don't close, or it ends with \\; one line is one option"},
    {"LOG_LEVEL=warn\\\n",
     ":1: the value's quotes don't close, or it ends with \\; one line is one option"},
    {"\nWS_PING_INTERVAL=soon\n",
     ":2: WS_PING_INTERVAL: \"soon\" is not a whole number of ms from 100 to 3600000"},
};

START_TEST(a_wrong_line_is_named_and_nothing_is_taken) {
    char expected[512];
    write_file(bad[_i].text);
    ck_assert_int_eq(parse(""), -EINVAL);
    snprintf(expected, sizeof(expected), "%s%s", path, bad[_i].error);
    ck_assert_str_eq(error, expected);
}
END_TEST

START_TEST(a_wrong_value_is_told_though_a_flag_stands_in_for_it) {
    char expected[128];
    write_file("\nWS_PING_INTERVAL=1\n");
    ck_assert_int_lt(parse("--ws-ping-interval=40000"), 0);
    snprintf(expected, sizeof(expected), "%s:2: WS_PING_INTERVAL: \"1\" is not", path);
    ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "%s", error);
    setenv("WS_PING_INTERVAL", "30001", 1);
    ck_assert_int_lt(parse(""), 0);
}
END_TEST

START_TEST(a_secret_that_is_wrong_is_not_shown) {
    write_file("JWT_SECRET \"hunter2-and-more\"\n");
    ck_assert_int_eq(parse(""), -EINVAL);
    ck_assert_ptr_null(strstr(error, "hunter2"));
}
END_TEST

START_TEST(a_file_that_is_not_there_or_too_long_is_an_error) {
    char expected[256];
    ck_assert_int_eq(parse(""), -EINVAL);
    snprintf(expected, sizeof(expected),
             "CONFIG_FILE: \"%s\": cannot be read: No such file or directory", path);
    ck_assert_str_eq(error, expected);
    write_file("#");
    ck_assert_int_eq(truncate(path, 1048577), 0);
    ck_assert_int_eq(parse(""), -EINVAL);
    snprintf(expected, sizeof(expected), "CONFIG_FILE: \"%s\": cannot be read: File too large",
             path);
    ck_assert_str_eq(error, expected);
    ck_assert_int_eq(truncate(path, 5), 0);
    ck_assert_int_eq(parse(""), -EINVAL);
    snprintf(expected, sizeof(expected), "CONFIG_FILE: \"%s\" has a NUL byte", path);
    ck_assert_str_eq(error, expected);
    ck_assert_int_eq(parse("--help"), 0); /* which reads nothing */
}
END_TEST

static struct option_file *file_of(const char *text) {
    struct option_file *file = NULL;
    ck_assert_msg(option_file_parse("f", span_of(text), &file, error, sizeof(error)) == 0, "%s",
                  error);
    return file;
}

START_TEST(a_reload_gives_each_role_what_it_may_take_and_of_the_rest_what_was) {
    struct option_file *held = file_of("RING_BYTES=2097152\nLOG_LEVEL=info\nROOMS_FILE=/old\n");
    struct option_file *fresh = file_of("RING_BYTES=4194304\nWORKERS=3\nLOG_LEVEL=warn\n"
                                        "KAFKA_CLIENT_ID=\"it's\"\nJWT_SECRET=secret\n");
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(option_file_merge(held, fresh, OPTION_READER_WORKERS, &text, &length), 0);
    ck_assert_str_eq(text, "RING_BYTES=\"2097152\"\nLOG_LEVEL=\"warn\"\nJWT_SECRET=\"secret\"\n");
    free(text);
    ck_assert_int_eq(option_file_merge(held, fresh, OPTION_READER_INGEST, &text, &length), 0);
    ck_assert_str_eq(text,
                     "RING_BYTES=\"2097152\"\nLOG_LEVEL=\"warn\"\nKAFKA_CLIENT_ID=\"it's\"\n");
    struct option_file *again = file_of(text);
    unsigned line;
    ck_assert_str_eq(option_file_value(again, OPTION_ROW_kafka_client_id, &line), "it's");
    ck_assert_uint_eq(line, 3);
    free(text);
    ck_assert_int_eq(option_file_merge(NULL, NULL, OPTION_READER_INGEST, &text, &length), 0);
    ck_assert_uint_eq(length, 0);
    free(text);
    option_file_free(again);
    option_file_free(held);
    option_file_free(fresh);
}
END_TEST

START_TEST(what_needs_a_restart_is_kept_and_named) {
    struct options held;
    char left[256];
    write_file("RING_BYTES=2097152\nWS_PING_INTERVAL=1000\nINSTANCE_ID=one\n");
    ck_assert_int_eq(parse(""), 0);
    held = options;
    write_file("RING_BYTES=4194304\nWS_PING_INTERVAL=2000\nINSTANCE_ID=two\nWS_DEFLATE=false\n");
    ck_assert_int_eq(parse(""), 0);
    option_reload_keep(&held, &options, left, sizeof(left));
    ck_assert_str_eq(left, "INSTANCE_ID RING_BYTES");
    ck_assert_int_eq(options.ring_bytes, 2097152);
    ck_assert_str_eq(options.instance_id, "one");
    ck_assert_int_eq(options.ws_ping_interval, 2000);
    option_reload_keep(&held, &options, left, sizeof(left));
    ck_assert_str_eq(left, "");
    option_done(&held);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("option_file");
    TCase *tests = tcase_create("option_file");

    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, a_line_sets_an_option_and_comments_and_blanks_do_not_count);
    tcase_add_test(tests, a_flag_beats_the_environment_and_that_the_file);
    tcase_add_loop_test(tests, a_wrong_line_is_named_and_nothing_is_taken, 0,
                        (int)ARRAY_LENGTH(bad));
    tcase_add_test(tests, a_wrong_value_is_told_though_a_flag_stands_in_for_it);
    tcase_add_test(tests, a_secret_that_is_wrong_is_not_shown);
    tcase_add_test(tests, a_file_that_is_not_there_or_too_long_is_an_error);
    tcase_add_test(tests, a_reload_gives_each_role_what_it_may_take_and_of_the_rest_what_was);
    tcase_add_test(tests, what_needs_a_restart_is_kept_and_named);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
