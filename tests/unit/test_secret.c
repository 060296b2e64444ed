/* Secrets: what is accepted, what a file's end counts for, and how the memory is kept. */
#include "common/secret.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void start(void) {
    int fd;

    strcpy(path, "/tmp/moonx-secret-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void stop(void) {
    unlink(path);
}

static void write_file(const char *data, size_t length) {
    int fd = open(path, O_WRONLY | O_TRUNC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, length), (ssize_t)length);
    close(fd);
}

static void expect_file(const char *data, size_t length, const char *secret_text) {
    struct secret *secret = NULL;

    write_file(data, length);
    ck_assert_int_eq(secret_from_file(path, &secret), 0);
    ck_assert(span_is(secret_bytes(secret), secret_text));
    secret_free(secret);
}

START_TEST(text_is_copied) {
    char text[] = "s3cret";
    struct secret *secret = NULL;

    ck_assert_int_eq(secret_from_text(span_of(text), &secret), 0);
    memset(text, 0, sizeof(text));
    ck_assert(span_is(secret_bytes(secret), "s3cret"));
    secret_free(secret);
    secret_free(NULL);
}
END_TEST

START_TEST(one_newline_at_the_end_of_a_file_does_not_count) {
    expect_file("abc", 3, "abc");
    expect_file("abc\n", 4, "abc");
    expect_file("abc\r\n", 5, "abc");
    expect_file("abc\n\n", 5, "abc\n");
    expect_file("abc\r", 4, "abc\r");
    expect_file("a\nb\n", 4, "a\nb");
    expect_file(" abc ", 5, " abc ");
}
END_TEST

START_TEST(nul_bytes_are_bytes) {
    struct secret *secret = NULL;

    write_file("a\0b", 3);
    ck_assert_int_eq(secret_from_file(path, &secret), 0);
    ck_assert_uint_eq(secret_bytes(secret).length, 3);
    ck_assert_mem_eq(secret_bytes(secret).data, "a\0b", 3);
    secret_free(secret);
}
END_TEST

START_TEST(an_empty_secret_is_refused) {
    struct secret *secret = NULL;

    ck_assert_int_eq(secret_from_text(span_of(""), &secret), -EINVAL);
    ck_assert_int_eq(secret_from_text((struct span){NULL, 0}, &secret), -EINVAL);
    ck_assert_int_eq(secret_from_file(path, &secret), -EINVAL);
    write_file("\n", 1);
    ck_assert_int_eq(secret_from_file(path, &secret), -EINVAL);
    write_file("\r\n", 2);
    ck_assert_int_eq(secret_from_file(path, &secret), -EINVAL);
    ck_assert_ptr_null(secret);
}
END_TEST

START_TEST(the_longest_secret_passes_and_one_byte_more_does_not) {
    size_t size = SECRET_MAX_BYTES + 8;
    char *text = malloc(size);
    struct secret *secret = NULL;

    ck_assert_ptr_nonnull(text);
    memset(text, 'k', size);
    ck_assert_int_eq(secret_from_text((struct span){text, SECRET_MAX_BYTES}, &secret), 0);
    secret_free(secret);
    secret = NULL;
    ck_assert_int_eq(secret_from_text((struct span){text, SECRET_MAX_BYTES + 1}, &secret), -E2BIG);
    write_file(text, SECRET_MAX_BYTES + 1);
    ck_assert_int_eq(secret_from_file(path, &secret), -E2BIG);
    write_file(text, size);
    ck_assert_int_eq(secret_from_file(path, &secret), -E2BIG);
    ck_assert_ptr_null(secret);
    memcpy(text + SECRET_MAX_BYTES, "\r\n", 2);
    write_file(text, SECRET_MAX_BYTES + 2);
    ck_assert_int_eq(secret_from_file(path, &secret), 0);
    ck_assert_uint_eq(secret_bytes(secret).length, SECRET_MAX_BYTES);
    secret_free(secret);
    free(text);
}
END_TEST

START_TEST(what_is_no_readable_regular_file_is_refused_without_waiting) {
    struct secret *secret = NULL;

    ck_assert_int_eq(secret_from_file("/tmp", &secret), -EISDIR);
    ck_assert_int_eq(secret_from_file("/dev/zero", &secret), -EINVAL);
    unlink(path);
    ck_assert_int_eq(secret_from_file(path, &secret), -ENOENT);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(secret_from_file(path, &secret), -EINVAL);
    ck_assert_ptr_null(secret);
}
END_TEST

START_TEST(equal_compares_all_bytes) {
    ck_assert(secret_equal(span_of("abc"), span_of("abc")));
    ck_assert(!secret_equal(span_of("abc"), span_of("abd")));
    ck_assert(!secret_equal(span_of("abc"), span_of("xbc")));
    ck_assert(!secret_equal(span_of("abc"), span_of("ab")));
    ck_assert(!secret_equal(span_of("abc"), span_of("")));
    ck_assert(secret_equal(span_of(""), (struct span){NULL, 0}));
    ck_assert(!secret_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c")));
}
END_TEST

/* The flags of the mapping that holds `address`, from /proc/self/smaps; "" when there is none. */
static void mapping_flags(const void *address, char *flags, size_t size) {
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false;

    ck_assert_ptr_nonnull(file);
    flags[0] = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            snprintf(flags, size, "%s", line);
        }
    }
    fclose(file);
}

START_TEST(the_memory_is_left_out_of_core_dumps_and_gone_when_freed) {
    struct secret *secret = NULL;
    const char *bytes;
    char flags[512];

    ck_assert_int_eq(secret_from_text(span_of("s3cret"), &secret), 0);
    bytes = secret_bytes(secret).data;
    mapping_flags(bytes, flags, sizeof(flags));
    if (flags[0] != 0) { /* some sandboxes have no VmFlags */
        ck_assert_ptr_nonnull(strstr(flags, " dd"));
    }
    secret_free(secret);
    mapping_flags(bytes, flags, sizeof(flags));
    ck_assert_str_eq(flags, "");
}
END_TEST

START_TEST(the_environment_is_left_out_of_core_dumps) {
    char flags[512];

    ck_assert_ptr_nonnull(environ[0]);
    secret_hide_environment();
    mapping_flags(environ[0], flags, sizeof(flags));
    if (flags[0] != 0) {
        ck_assert_ptr_nonnull(strstr(flags, " dd"));
    }
}
END_TEST

START_TEST(a_protected_process_is_not_dumpable) {
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
    secret_protect_process();
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("secret");
    TCase *cases = tcase_create("secret");

    tcase_add_checked_fixture(cases, start, stop);
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, text_is_copied);
    tcase_add_test(cases, one_newline_at_the_end_of_a_file_does_not_count);
    tcase_add_test(cases, nul_bytes_are_bytes);
    tcase_add_test(cases, an_empty_secret_is_refused);
    tcase_add_test(cases, the_longest_secret_passes_and_one_byte_more_does_not);
    tcase_add_test(cases, what_is_no_readable_regular_file_is_refused_without_waiting);
    tcase_add_test(cases, equal_compares_all_bytes);
    tcase_add_test(cases, the_memory_is_left_out_of_core_dumps_and_gone_when_freed);
    tcase_add_test(cases, the_environment_is_left_out_of_core_dumps);
    tcase_add_test(cases, a_protected_process_is_not_dumpable);
    return unit_run(suite);
}
