/* Tables in files: rows, comments, continuations, line numbers and refusals. */
#include "common/table_file.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen {
    char text[4096]; /* "LINE:field|field;" of every row */
    unsigned stop_at;
    bool silent;
};

static int see(void *context, const struct table_row *row, char *error, size_t error_size) {
    struct seen *seen = context;
    size_t length = strlen(seen->text);

    length += (size_t)snprintf(seen->text + length, sizeof(seen->text) - length, "%u:", row->line);
    for (unsigned i = 0; i < row->count; i++) {
        length += (size_t)snprintf(seen->text + length, sizeof(seen->text) - length,
                                   "%s" SPAN_FORMAT, i > 0 ? "|" : "", SPAN_ARGS(row->fields[i]));
    }
    snprintf(seen->text + length, sizeof(seen->text) - length, ";");
    if (row->line == seen->stop_at) {
        if (!seen->silent) {
            snprintf(error, error_size, "%s:%u: no", row->file, row->line);
        }
        return -ERANGE;
    }
    return 0;
}

static void expect(const char *text, const char *rows) {
    struct seen seen = {0};
    char error[128] = "old";

    ck_assert_msg(table_file_parse("t", span_of(text), see, &seen, error, sizeof(error)) == 0, "%s",
                  error);
    ck_assert_str_eq(seen.text, rows);
}

static void expect_error(struct span text, const char *expected) {
    struct seen seen = {0};
    char error[128];

    ck_assert_int_eq(table_file_parse("t", text, see, &seen, error, sizeof(error)), -EINVAL);
    ck_assert_str_eq(error, expected);
}

START_TEST(rows_are_split_at_blanks) {
    expect("a b\tc\n  d  \n", "1:a|b|c;2:d;");
    expect("a", "1:a;");
    expect("a\r\nb c\r\n", "1:a;2:b|c;");
    expect("", "");
    expect("\n\n \t\n", "");
    expect("x=1,2 {a}:{b} \xc3\xa9", "1:x=1,2|{a}:{b}|\xc3\xa9;");
}
END_TEST

START_TEST(comments_reach_to_the_end_of_the_line) {
    expect("# first\na # b\n#\n\nc#d\n", "2:a;5:c;");
    expect("a # b \\\nc\n", "1:a;2:c;");
}
END_TEST

START_TEST(a_backslash_at_the_end_continues_and_the_row_has_its_first_line) {
    expect("a \\\n  b \\\n  c\nd\n", "1:a|b|c;4:d;");
    expect("a\\\nb\n", "1:a|b;");
    expect("\n\\\na\n", "2:a;");
    expect("a \\\r\nb\r\n", "1:a|b;");
    expect("a \\\n# said\nb\n", "1:a;3:b;");
    expect("a\\b \\c\n", "1:a\\b|\\c;");
    expect("a \\ \nb\n", "1:a|\\;2:b;");
    expect_error(span_of("x\na \\\n"), "t:2: `\\` at the end, but no line follows");
    expect_error(span_of("a \\"), "t:1: `\\` at the end, but no line follows");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused_with_their_line) {
    expect_error(span_of("a\nb\xff\n"), "t:2: text that is not UTF-8");
    expect_error(SPAN_LITERAL("a\0b\n"), "t:1: a control character");
    expect_error(span_of("a\x1b[31m\n"), "t:1: a control character");
    expect_error(span_of("a\n\nb\x7f\n"), "t:3: a control character");
    expect_error(span_of("a\rb\n"), "t:1: a control character");
    expect_error(span_of("# \x01\n"), "t:1: a control character");
    expect_error(span_of("\xef\xbb\xbf"
                         "a\n"),
                 "t:1: a byte order mark; save the file without it");
}
END_TEST

START_TEST(a_row_has_at_most_64_fields) {
    char text[512] = "\n";
    struct seen seen = {0};
    char error[128];

    for (int i = 0; i < TABLE_FILE_MAX_FIELDS; i++) {
        strcat(text, i % 8 == 7 ? "f \\\n" : "f ");
    }
    strcat(text, "\n");
    ck_assert_int_eq(table_file_parse("t", span_of(text), see, &seen, error, sizeof(error)), 0);
    ck_assert_uint_eq(strlen(seen.text), 2 + 2 * TABLE_FILE_MAX_FIELDS);
    text[strlen(text) - 1] = 'g';
    expect_error(span_of(text), "t:2: more than 64 fields");
}
END_TEST

START_TEST(a_row_that_is_refused_stops_with_the_callers_words) {
    struct seen seen = {.stop_at = 2};
    char error[128];

    ck_assert_int_eq(table_file_parse("t", span_of("a\nb\nc\n"), see, &seen, error, sizeof(error)),
                     -ERANGE);
    ck_assert_str_eq(error, "t:2: no");
    ck_assert_str_eq(seen.text, "1:a;2:b;");
    seen = (struct seen){.stop_at = 1, .silent = true};
    ck_assert_int_eq(table_file_parse("t", span_of("a\n"), see, &seen, error, sizeof(error)),
                     -ERANGE);
    ck_assert_str_eq(error, "t:1: Numerical result out of range");
}
END_TEST

static char directory[] = "/tmp/moonx-table-XXXXXX";
static char path[64];

static void make_directory(void) {
    strcpy(directory, "/tmp/moonx-table-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/routes", directory);
}

static void remove_directory(void) {
    unlink(path);
    rmdir(directory);
}

static void write_file(size_t size, const char *start) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(start, file);
    for (size_t i = strlen(start); i < size; i++) {
        fputc('\n', file);
    }
    fclose(file);
}

START_TEST(a_file_is_read_and_named_in_errors) {
    struct seen seen = {0};
    char error[256], expected[256];

    write_file(0, "one two\n# x\nthree\n");
    ck_assert_int_eq(table_file_read(path, see, &seen, error, sizeof(error)), 0);
    ck_assert_str_eq(seen.text, "1:one|two;3:three;");
    seen = (struct seen){.stop_at = 3};
    ck_assert_int_eq(table_file_read(path, see, &seen, error, sizeof(error)), -ERANGE);
    snprintf(expected, sizeof(expected), "%s:3: no", path);
    ck_assert_str_eq(error, expected);
}
END_TEST

START_TEST(what_can_not_be_read_says_so_in_one_line) {
    struct seen seen = {0};
    char error[256], expected[256];

    ck_assert_int_eq(table_file_read(path, see, &seen, error, sizeof(error)), -ENOENT);
    snprintf(expected, sizeof(expected), "%s: No such file or directory", path);
    ck_assert_str_eq(error, expected);
    ck_assert_int_eq(table_file_read(directory, see, &seen, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "not a regular file"));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(table_file_read(path, see, &seen, error, sizeof(error)), -EINVAL);
    ck_assert_int_eq(table_file_read("/dev/zero", see, &seen, error, sizeof(error)), -EINVAL);
    /* A short error buffer is respected. */
    ck_assert_int_eq(table_file_read(directory, see, &seen, error, 5), -EINVAL);
    ck_assert_uint_eq(strlen(error), 4);
}
END_TEST

START_TEST(a_file_may_have_a_mebibyte_and_no_byte_more) {
    struct seen seen = {0};
    char error[256];

    write_file(TABLE_FILE_MAX_BYTES, "a\n");
    ck_assert_int_eq(table_file_read(path, see, &seen, error, sizeof(error)), 0);
    ck_assert_str_eq(seen.text, "1:a;");
    write_file(TABLE_FILE_MAX_BYTES + 1, "a\n");
    ck_assert_int_eq(table_file_read(path, see, &seen, error, sizeof(error)), -EFBIG);
    ck_assert_ptr_nonnull(strstr(error, ": larger than 1 MiB"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("table_file");
    TCase *cases = tcase_create("table_file");

    tcase_add_checked_fixture(cases, make_directory, remove_directory);
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, rows_are_split_at_blanks);
    tcase_add_test(cases, comments_reach_to_the_end_of_the_line);
    tcase_add_test(cases, a_backslash_at_the_end_continues_and_the_row_has_its_first_line);
    tcase_add_test(cases, bytes_that_are_no_text_are_refused_with_their_line);
    tcase_add_test(cases, a_row_has_at_most_64_fields);
    tcase_add_test(cases, a_row_that_is_refused_stops_with_the_callers_words);
    tcase_add_test(cases, a_file_is_read_and_named_in_errors);
    tcase_add_test(cases, what_can_not_be_read_says_so_in_one_line);
    tcase_add_test(cases, a_file_may_have_a_mebibyte_and_no_byte_more);
    return unit_run(suite);
}
