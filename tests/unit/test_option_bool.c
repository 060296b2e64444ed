/* Options that the real table does not have yet, in a table of this test's own: switches, negative numbers,
 * and a secret without a file. The sources are compiled in here, so that they use this table. */
#define MOONX_COMMON_OPTION_TABLE_H
/* clang-format off */
#define OPTION_TABLE(X)                                                                                   \
    X(bool, rate_limit, "RATE_LIMIT", "LIMITING", "--limit", "true", "false", 0, 0, "", "g", workers, "Limits.")  \
    X(bool, trace, "TRACE", "", "", "false", NULL, 0, 0, "", "g", workers, "Traces.")                              \
    X(int, shift, "SHIFT", "", "", "0", NULL, -10, 10, "", "g", restart, "Shifts.")                                \
    X(secret, key, "KEY", "", "", "", NULL, 4, 8, "", "g", workers, "Key.")                                        \
    X(text, instance_id, "INSTANCE_ID", "", "", "", NULL, 0, 128, "", "g", restart, "Every table has it.") \
    X(text, config_file, "CONFIG_FILE", "", "--config", "", NULL, 0, 128, "", "g", restart, "As this.")

#include "common/option.c"
#include "common/option_row.c"
#include "common/option_doc.c"
#include "common/option_file.c"
#include "tests/unit/unit.h"
/* clang-format on */

static struct options options;
static struct option_command command;
static char error[256];

static void start(void) {
    setenv("KEY", "12345", 1);
    unsetenv("RATE_LIMIT");
    unsetenv("LIMITING");
    unsetenv("TRACE");
    unsetenv("SHIFT");
}

static int parse(const char *first, const char *second) {
    char copies[2][64];
    char *argv[] = {copies[0], copies[0], copies[1], NULL};

    snprintf(copies[0], sizeof(copies[0]), "%s", first);
    snprintf(copies[1], sizeof(copies[1]), "%s", second);
    return option_parse(1 + (*first != 0) + (*second != 0), argv, &options, &command, error,
                        sizeof(error));
}

static void expect(const char *first, const char *second, bool rate_limit, bool trace) {
    ck_assert_msg(parse(first, second) == 0, "%s", error);
    ck_assert_int_eq(options.rate_limit, rate_limit);
    ck_assert_int_eq(options.trace, trace);
}

START_TEST(a_switch_can_be_set_and_unset_in_every_spelling) {
    expect("", "", true, false);
    expect("--dev", "", false, false);
    expect("--dev", "--rate-limit", true, false);
    expect("--trace", "--no-rate-limit", false, true);
    expect("--trace=true", "--rate-limit=false", false, true);
    expect("--trace=false", "--limit=false", false, false);
    expect("--no-limit", "--limit", true, false); /* the last one counts */
    expect("--limit", "--no-limit", false, false);
    ck_assert_int_eq(parse("--trace", "false"), 0); /* `false` is the subcommand then */
    ck_assert(options.trace);
    ck_assert_int_eq(command.argument_count, 1);
}
END_TEST

START_TEST(a_switch_in_the_environment_is_true_or_false) {
    setenv("LIMITING", "false", 1);
    expect("", "", false, false);
    setenv("RATE_LIMIT", "true", 1);
    expect("", "", true, false);
    expect("--no-rate-limit", "", false, false);
    setenv("TRACE", "1", 1);
    ck_assert_int_eq(parse("", ""), -EINVAL);
    ck_assert_str_eq(error, "TRACE: \"1\" is not true or false");
}
END_TEST

START_TEST(a_switch_given_wrongly_says_so) {
    ck_assert_int_eq(parse("--trace=yes", ""), -EINVAL);
    ck_assert_str_eq(error, "--trace: \"yes\" is not true or false");
    ck_assert_int_eq(parse("--trace=", ""), -EINVAL);
    ck_assert_int_eq(parse("--no-trace=true", ""), -EINVAL);
    ck_assert_str_eq(error, "--no-trace: takes no value");
    ck_assert_int_eq(parse("--no-trcae", ""), -EINVAL);
    ck_assert_str_eq(error, "--no-trcae: no such flag; did you mean --no-trace?");
    ck_assert_int_eq(parse("--no-shift", ""), -EINVAL);
}
END_TEST

START_TEST(negative_numbers_are_read) {
    ck_assert_int_eq(parse("--shift", "-10"), 0);
    ck_assert_int_eq(options.shift, -10);
    ck_assert_int_eq(parse("--shift=-11", ""), -EINVAL);
    ck_assert_str_eq(error, "--shift: \"-11\" is not a whole number from -10 to 10");
    ck_assert_int_eq(parse("--shift=-", ""), -EINVAL);
    ck_assert_int_eq(parse("--shift=--1", ""), -EINVAL);
    ck_assert_int_eq(parse("--shift=-9223372036854775809", ""), -EINVAL);
}
END_TEST

START_TEST(a_secret_without_a_file_is_led_to_its_variable) {
    ck_assert_int_eq(parse("--key", "12345"), -EINVAL);
    ck_assert_str_eq(
        error, "--key: a secret can't be a flag, others would see it; set KEY in the environment");
    setenv("KEY", "123", 1);
    ck_assert_int_eq(parse("", ""), -EINVAL);
    ck_assert_str_eq(error, "KEY: not 4 to 8 bytes of text");
}
END_TEST

START_TEST(help_shows_both_spellings_of_a_switch) {
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    ck_assert_ptr_nonnull(out);
    option_print_help(out, "x", 80);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "  --limit, --rate-limit, --no-rate-limit\n"));
    ck_assert_ptr_nonnull(strstr(text, "RATE_LIMIT, LIMITING; default true (--dev: false)\n"));
    ck_assert_ptr_nonnull(strstr(text, "-10 to 10"));
    ck_assert_ptr_nonnull(strstr(text, "KEY (no flag)\n"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("option_bool");
    TCase *cases = tcase_create("option_bool");

    tcase_add_checked_fixture(cases, start, NULL);
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, a_switch_can_be_set_and_unset_in_every_spelling);
    tcase_add_test(cases, a_switch_in_the_environment_is_true_or_false);
    tcase_add_test(cases, a_switch_given_wrongly_says_so);
    tcase_add_test(cases, negative_numbers_are_read);
    tcase_add_test(cases, a_secret_without_a_file_is_led_to_its_variable);
    tcase_add_test(cases, help_shows_both_spellings_of_a_switch);
    return unit_run(suite);
}
