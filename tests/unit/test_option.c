/* The option table as the user meets it: flags, environment, defaults, errors and --help. */
#include "common/option.h"
#include "tests/unit/unit.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_ARGUMENTS 16

static struct options options;
static struct option_command command;
static char error[512];

static const char *const variables[] = {
#define X(type, field, environment, aliases, flags, fallback, dev, min, max, unit, group, reload,  \
          prose)                                                                                   \
    environment,
    OPTION_TABLE(X)
#undef X
        "PORT",
    "HOST", "MAX_CONNECTIONS", "WS_HEARTBEAT_INTERVAL"};

static void start(void) {
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        unsetenv(variables[i]);
    }
    error[0] = 0;
}

/* `line`: the arguments, separated by blanks. They live on, as argv does. */
static int parse(const char *line) {
    static char copies[64][8192];
    static unsigned turn;
    static char *argv[MOST_ARGUMENTS + 2];
    char *copy = copies[turn++ % 64];
    int argc = 0;

    snprintf(copy, sizeof(copies[0]), "%s", line);
    argv[argc++] = (char[]){"moonx-gateway"};
    for (char *word = strtok(copy, " "); word != NULL && argc <= MOST_ARGUMENTS;
         word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return option_parse(argc, argv, &options, &command, error, sizeof(error));
}

static void expect_error(const char *line, const char *expected) {
    options.workers = 77;
    command.argument_count = 77;
    ck_assert_msg(parse(line) == -EINVAL, "accepted: %s", line);
    ck_assert_str_eq(error, expected);
    ck_assert_int_eq(options.workers, 77); /* untouched */
    ck_assert_int_eq(command.argument_count, 77);
}

START_TEST(defaults_are_those_of_the_table) {
    ck_assert_msg(parse("") == 0, "%s", error);
    ck_assert_int_eq(options.websocket_service_port, 3008);
    ck_assert_str_eq(options.websocket_service_host, "0.0.0.0");
    ck_assert_int_eq(options.ring_bytes, 268435456);
    ck_assert_str_eq(options.log_format, "json");
    ck_assert_str_eq(options.jwt_secret, "");
    ck_assert_str_eq(options.routes_file, "");
    ck_assert(!command.help && !command.version && !command.check_config && !command.dev);
    ck_assert_int_eq(command.argument_count, 0);
}
END_TEST

START_TEST(workers_are_the_cores_when_auto) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    cores = cores < 1 ? 1 : cores > 64 ? 64 : cores;
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.workers, cores);
    ck_assert_int_eq(parse("--workers auto"), 0);
    ck_assert_int_eq(options.workers, cores);
    ck_assert_int_eq(parse("--workers=5"), 0);
    ck_assert_int_eq(options.workers, 5);
    expect_error("--port auto", "--port: \"auto\" is not a whole number from 1 to 65535");
}
END_TEST

START_TEST(development_mode_has_defaults_of_its_own) {
    ck_assert_int_eq(parse("--dev"), 0);
    ck_assert(command.dev);
    ck_assert_str_eq(options.websocket_service_host, "127.0.0.1");
    ck_assert_int_eq(options.ring_bytes, 33554432);
    ck_assert_int_eq(options.drain_timeout, 1000);
    ck_assert_str_eq(options.log_format, "text");
    ck_assert_int_eq(options.websocket_service_port, 3008);
    setenv("LOG_FORMAT", "json", 1);
    ck_assert_int_eq(parse("--host ::1 --dev"), 0);
    ck_assert_str_eq(options.log_format, "json");
    ck_assert_str_eq(options.websocket_service_host, "::1");
}
END_TEST

START_TEST(flag_beats_environment_beats_alias_beats_default) {
    setenv("PORT", "1001", 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.websocket_service_port, 1001);
    setenv("WEBSOCKET_SERVICE_PORT", "1002", 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.websocket_service_port, 1002);
    ck_assert_int_eq(parse("--port 1003"), 0);
    ck_assert_int_eq(options.websocket_service_port, 1003);
    ck_assert_int_eq(parse("--websocket-service-port=1004"), 0);
    ck_assert_int_eq(options.websocket_service_port, 1004);
    ck_assert_int_eq(parse("--port=1 --websocket-service-port 2"), 0); /* the last one counts */
    ck_assert_int_eq(options.websocket_service_port, 2);
}
END_TEST

START_TEST(an_empty_variable_counts_as_unset) {
    setenv("WEBSOCKET_SERVICE_PORT", "", 1);
    setenv("PORT", "1001", 1);
    setenv("LOG_LEVEL", "", 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.websocket_service_port, 1001);
    ck_assert_str_eq(options.log_level, "info");
    setenv("PORT", "", 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.websocket_service_port, 3008);
}
END_TEST

START_TEST(numbers_are_strict) {
    static const char *const bad[] = {"lots",
                                      "",
                                      "0",
                                      "65536",
                                      "-1",
                                      "+1",
                                      "1x",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "--",
                                      "-",
                                      "99999999999999999999999",
                                      "9223372036854775808",
                                      "18446744073709551617",
                                      "\xd9\xa3"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char line[64];
        snprintf(line, sizeof(line), "--port=%s", bad[i]);
        ck_assert_msg(parse(line) == -EINVAL, "%s", line);
    }
    setenv("PORT", " 80", 1);
    expect_error("", "PORT: \" 80\" is not a whole number from 1 to 65535");
    setenv("PORT", "80 ", 1);
    ck_assert_int_eq(parse(""), -EINVAL);
    setenv("PORT", "80\n", 1);
    expect_error("", "PORT: \"80\\n\" is not a whole number from 1 to 65535");
    unsetenv("PORT");
    ck_assert_int_eq(parse("--port 65535"), 0);
    ck_assert_int_eq(parse("--port 1"), 0);
    ck_assert_int_eq(parse("--ring-bytes 68719476736"), 0);
    ck_assert_int_eq(options.ring_bytes, 68719476736);
    ck_assert_int_eq(parse("--ring-bytes 68719476737"), -EINVAL);
    ck_assert_int_eq(parse("--ring-bytes 1048575"), -EINVAL);
}
END_TEST

START_TEST(errors_name_the_option_the_value_and_what_is_allowed) {
    setenv("WORKERS", "lots", 1);
    expect_error("", "WORKERS: \"lots\" is not auto or a whole number from 1 to 64");
    unsetenv("WORKERS");
    expect_error("--workers lots",
                 "--workers: \"lots\" is not auto or a whole number from 1 to 64");
    expect_error("--workers=65", "--workers: \"65\" is not auto or a whole number from 1 to 64");
    expect_error("--ws-ping-interval 5",
                 "--ws-ping-interval: \"5\" is not a whole number of ms from 100 to 3600000");
    setenv("WS_HEARTBEAT_INTERVAL", "soon", 1);
    expect_error("",
                 "WS_HEARTBEAT_INTERVAL: \"soon\" is not a whole number of ms from 100 to 3600000");
    unsetenv("WS_HEARTBEAT_INTERVAL");
    expect_error("--log-level loud", "--log-level: \"loud\" is not error, warn, info or debug");
    expect_error("--log-level=", "--log-level: \"\" is not error, warn, info or debug");
    expect_error("--log-level error|warn",
                 "--log-level: \"error|warn\" is not error, warn, info or debug");
    expect_error("--host=", "--host: \"\" is not 1 to 64 bytes of text");
    expect_error("--workers", "--workers: needs a value: auto or a whole number from 1 to 64");
    expect_error("--routes --dev", "--routes: needs a value: at most 4096 bytes of text");
    expect_error("--dev=yes", "--dev: takes no value");
}
END_TEST

START_TEST(an_error_is_one_line_whatever_the_value) {
    char value[300];

    memset(value, '\n', sizeof(value) - 1);
    value[sizeof(value) - 1] = 0;
    setenv("WORKERS", value, 1);
    ck_assert_int_eq(parse(""), -EINVAL);
    ck_assert_ptr_null(strchr(error, '\n'));
    ck_assert_ptr_nonnull(strstr(error, "\\n...\" is not auto or"));
    setenv("WORKERS", "\x1b[31m\xff", 1);
    expect_error("",
                 "WORKERS: \"\\u001b[31m\xef\xbf\xbd\" is not auto or a whole number from 1 to 64");
    unsetenv("WORKERS");
    setenv("INSTANCE_ID", "a\nb", 1);
    expect_error("", "INSTANCE_ID: \"a\\nb\" is not at most 128 bytes of text");
    setenv("INSTANCE_ID", "a\xff", 1);
    ck_assert_int_eq(parse(""), -EINVAL);
}
END_TEST

START_TEST(texts_have_their_lengths_checked) {
    char value[140] = "";

    memset(value, 'i', 128);
    setenv("INSTANCE_ID", value, 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_uint_eq(strlen(options.instance_id), 128);
    value[128] = 'i';
    setenv("INSTANCE_ID", value, 1);
    ck_assert_int_eq(parse(""), -EINVAL);
    unsetenv("INSTANCE_ID");
    ck_assert_int_eq(parse("--routes="), 0);
    ck_assert_str_eq(options.routes_file, "");
}
END_TEST

START_TEST(an_instance_without_a_name_has_the_hosts) {
    char host[256] = "";

    ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_str_eq(options.instance_id, host);
    ck_assert_int_eq(parse("--instance-id="), 0);
    ck_assert_str_eq(options.instance_id, host);
    ck_assert_int_eq(parse("--instance-id=a"), 0);
    ck_assert_str_eq(options.instance_id, "a");
}
END_TEST

START_TEST(secrets_come_from_the_environment_and_are_never_shown) {
    char *longer = malloc(70000);

    setenv("JWT_SECRET", "hunter2", 1);
    ck_assert_int_eq(parse(""), 0);
    ck_assert_str_eq(options.jwt_secret, "hunter2");
    setenv("JWT_SECRET", "caf\xe9 \x01", 1); /* any bytes */
    ck_assert_int_eq(parse(""), 0);
    expect_error("--jwt-secret hunter2",
                 "--jwt-secret: a secret can't be a flag, others would see it; name a file with "
                 "JWT_SECRET_FILE or set JWT_SECRET in the environment");
    ck_assert_int_eq(parse("--jwt-secret=hunter2"), -EINVAL);
    ck_assert_ptr_null(strstr(error, "hunter2"));
    ck_assert_ptr_nonnull(longer);
    memset(longer, 's', 69999);
    longer[69999] = 0;
    setenv("JWT_SECRET", longer, 1);
    expect_error("", "JWT_SECRET: not at most 65536 bytes of text");
    free(longer);
}
END_TEST

START_TEST(an_unknown_flag_gets_the_nearest_known_one) {
    expect_error("--wrokers 3", "--wrokers: no such flag; did you mean --workers?");
    expect_error("--worker=3", "--worker: no such flag; did you mean --workers?");
    expect_error("--prot 3", "--prot: no such flag; did you mean --port?");
    expect_error("--hepl", "--hepl: no such flag; did you mean --help?");
    expect_error("--jwt-isuer x", "--jwt-isuer: no such flag; did you mean --jwt-issuer?");
    expect_error("--Workers 3", "--Workers: no such flag; did you mean --workers?");
    expect_error("--ws_ping_interval=3",
                 "--ws_ping_interval: no such flag; did you mean --ws-ping-interval?");
    expect_error("--check", "--check: no such flag; did you mean --check-config?");
    expect_error("--no-dev", "--no-dev: no such flag; --help lists them");
    expect_error("--zzzzzz", "--zzzzzz: no such flag; --help lists them");
    expect_error("-p 3", "-p: no such flag; --help lists them");
    expect_error("-", "-: no such flag; --help lists them");
    expect_error("--=3", "--: no such flag; --help lists them");
    /* A mistyped secret's flag is not led to the flag that is refused anyway. */
    ck_assert_int_eq(parse("--jwt-secre x"), -EINVAL);
    ck_assert_ptr_null(strstr(error, "--jwt-secret?"));
}
END_TEST

START_TEST(a_flag_of_any_length_is_no_harm) {
    char line[8000];

    memset(line, 'w', sizeof(line));
    memcpy(line, "--", 2);
    line[sizeof(line) - 1] = 0;
    ck_assert_int_eq(parse(line), -EINVAL);
    ck_assert_uint_lt(strlen(error), 200);
    memcpy(line, "--no-", 5);
    ck_assert_int_eq(parse(line), -EINVAL);
}
END_TEST

START_TEST(a_short_error_buffer_is_respected) {
    char *argv[] = {(char[]){"x"}, (char[]){"--wrokers"}, NULL};
    char small[8] = "zzzzzzz";

    ck_assert_int_eq(option_parse(2, argv, &options, &command, small, 5), -EINVAL);
    ck_assert_str_eq(small, "--wr");
    ck_assert_int_eq(small[5], 'z');
}
END_TEST

START_TEST(parsing_stops_at_the_subcommand) {
    ck_assert_int_eq(parse("--dev token --user alice --help"), 0);
    ck_assert(command.dev && !command.help);
    ck_assert_int_eq(command.argument_count, 4);
    ck_assert_str_eq(command.arguments[0], "token");
    ck_assert_str_eq(command.arguments[1], "--user");
    ck_assert_str_eq(command.arguments[3], "--help");
    ck_assert_int_eq(parse("--check-config -- --dev"), 0);
    ck_assert(command.check_config && !command.dev);
    ck_assert_int_eq(command.argument_count, 1);
    ck_assert_str_eq(command.arguments[0], "--dev");
    ck_assert_int_eq(parse("--port 80 x"), 0);
    ck_assert_int_eq(command.argument_count, 1);
}
END_TEST

START_TEST(help_and_version_are_given_in_spite_of_bad_values) {
    setenv("WORKERS", "lots", 1);
    ck_assert_int_eq(parse("--help"), 0);
    ck_assert(command.help);
    ck_assert_int_eq(parse("--port none --version"), 0);
    ck_assert(command.version);
    ck_assert_int_eq(options.websocket_service_port, 3008);
    ck_assert_int_eq(parse("--check-config"), -EINVAL);
}
END_TEST

START_TEST(no_arguments_at_all_is_the_defaults) {
    char *argv[] = {NULL};
    ck_assert_int_eq(option_parse(0, argv, &options, &command, error, sizeof(error)), 0);
    ck_assert_int_eq(command.argument_count, 0);
}
END_TEST

static char *help_of(unsigned columns) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    option_print_help(out, "moonx-gateway", columns);
    fclose(out);
    return text;
}

START_TEST(help_lists_every_row) {
    char *help = help_of(80);
    const char *at = help;

#define X(type, field, environment, aliases, flags, fallback, dev, min, max, unit, group, reload,  \
          prose)                                                                                   \
    at = strstr(at, environment);                                                                  \
    ck_assert_msg(at != NULL, "%s is not in --help, or out of order", environment);
    OPTION_TABLE(X)
#undef X
    static const char *const needed[] = {"\nserver\n",
                                         "\nauthentication\n",
                                         "\nKafka\n",
                                         "\nconnections\n",
                                         "moonx-gateway --dev\n",
                                         "JWT_SECRET_FILE=",
                                         "moonx-gateway --kafka HOST:PORT\n",
                                         "token --user ID [--email E] [--role R] [--ttl",
                                         "--help",
                                         "--version",
                                         "--check-config",
                                         "--port, --websocket-service-port N",
                                         "1 to 64",
                                         "TCP port for WebSocket and HTTP.",
                                         "30000 (--dev: 1000)",
                                         "100 to 3600000 ms",
                                         "error|warn|info|debug",
                                         "WS_PING_INTERVAL, WS_HEARTBEAT_INTERVAL;"};
    for (size_t i = 0; i < ARRAY_LENGTH(needed); i++) {
        ck_assert_msg(strstr(help, needed[i]) != NULL, "no \"%s\"", needed[i]);
    }
    ck_assert_ptr_null(strstr(help, "--jwt-secret "));
    free(help);
}
END_TEST

START_TEST(help_keeps_to_the_width) {
    static const unsigned widths[] = {0, 40, 60, 80, 100, 1000};

    for (size_t i = 0; i < ARRAY_LENGTH(widths); i++) {
        unsigned wide = widths[i] < 40 ? 40 : widths[i] > 120 ? 120 : widths[i];
        char *help = help_of(widths[i]);
        char *options_part = strstr(help, "\nserver\n");
        for (char *line = strtok(options_part, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            bool one_word = strchr(line + strspn(line, " "), ' ') == NULL;
            bool names = line[2] == '-';
            ck_assert_msg(strlen(line) <= wide || one_word || names, "%u: %s", wide, line);
            ck_assert_int_ne(line[strlen(line) - 1], ' ');
        }
        free(help);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("option");
    TCase *cases = tcase_create("option");

    tcase_add_checked_fixture(cases, start, NULL);
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, defaults_are_those_of_the_table);
    tcase_add_test(cases, workers_are_the_cores_when_auto);
    tcase_add_test(cases, development_mode_has_defaults_of_its_own);
    tcase_add_test(cases, flag_beats_environment_beats_alias_beats_default);
    tcase_add_test(cases, an_empty_variable_counts_as_unset);
    tcase_add_test(cases, numbers_are_strict);
    tcase_add_test(cases, errors_name_the_option_the_value_and_what_is_allowed);
    tcase_add_test(cases, an_error_is_one_line_whatever_the_value);
    tcase_add_test(cases, texts_have_their_lengths_checked);
    tcase_add_test(cases, an_instance_without_a_name_has_the_hosts);
    tcase_add_test(cases, secrets_come_from_the_environment_and_are_never_shown);
    tcase_add_test(cases, an_unknown_flag_gets_the_nearest_known_one);
    tcase_add_test(cases, a_flag_of_any_length_is_no_harm);
    tcase_add_test(cases, a_short_error_buffer_is_respected);
    tcase_add_test(cases, parsing_stops_at_the_subcommand);
    tcase_add_test(cases, help_and_version_are_given_in_spite_of_bad_values);
    tcase_add_test(cases, no_arguments_at_all_is_the_defaults);
    tcase_add_test(cases, help_lists_every_row);
    tcase_add_test(cases, help_keeps_to_the_width);
    return unit_run(suite);
}
