/* The configured files as children see them: as they were when the supervisor read them. */
#include "common/config_files.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/moonx-config-XXXXXX";
static char paths[3][64];
static int writer, reader;
static char error[512];

static void write_file(unsigned i, const char *text, size_t length) {
    int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
}

static void set_up(void) {
    strcpy(folder, "/tmp/moonx-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (unsigned i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/file%u", folder, i);
    }
    write_file(0, "zero", 4);
    write_file(1, "", 0);
    write_file(2, "two\n", 4);
    ck_assert_int_eq(config_files_create(&writer, &reader), 0);
}

static void tear_down(void) {
    for (unsigned i = 0; i < 3; i++) {
        unlink(paths[i]);
    }
    rmdir(folder);
    close(writer);
    close(reader);
}

static int store(unsigned count) {
    const struct config_files_source list[] = {
        {.path = paths[0]}, {.path = paths[1]}, {.path = paths[2]}};
    return config_files_store(writer, list, count, error, sizeof error);
}

static const char *read_path(const char *path) {
    static char text[256];
    int fd = config_files_open(path);
    if (fd < 0) {
        return NULL;
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    ck_assert_int_ge(got, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    text[got] = '\0';
    close(fd);
    return text;
}

START_TEST(without_a_supervisor_files_are_read_where_they_lie) {
    ck_assert_str_eq(read_path(paths[0]), "zero");
    ck_assert_int_eq(config_files_open("/nowhere/at/all"), -ENOENT);
}
END_TEST

START_TEST(what_is_stored_stays_whatever_becomes_of_the_file) {
    ck_assert_int_eq(store(3), 1);
    ck_assert_int_eq(config_files_attach(reader), 0);
    write_file(0, "edited", 6);
    unlink(paths[2]);
    ck_assert_str_eq(read_path(paths[0]), "zero");
    ck_assert_str_eq(read_path(paths[1]), "");
    ck_assert_str_eq(read_path(paths[2]), "two\n");
    write_file(2, "two\n", 4);
    ck_assert_int_eq(store(3), 1);
    ck_assert_str_eq(read_path(paths[0]), "edited");
}
END_TEST

START_TEST(a_path_that_is_not_stored_is_read_from_the_file_system) {
    ck_assert_int_eq(store(2), 1);
    ck_assert_int_eq(config_files_attach(reader), 0);
    ck_assert_str_eq(read_path(paths[2]), "two\n");
}
END_TEST

START_TEST(the_same_again_is_no_change) {
    ck_assert_int_eq(store(3), 1);
    ck_assert_int_eq(store(3), 0);
    write_file(1, "x", 1);
    ck_assert_int_eq(store(3), 1);
    ck_assert_int_eq(store(2), 1);
    ck_assert_int_eq(store(0), 1);
    ck_assert_int_eq(store(0), 0);
}
END_TEST

START_TEST(a_file_that_can_not_be_read_leaves_all_as_it_was) {
    ck_assert_int_eq(store(3), 1);
    ck_assert_int_eq(config_files_attach(reader), 0);
    write_file(0, "edited", 6);
    unlink(paths[2]);
    ck_assert_int_eq(store(3), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error, paths[2]));
    ck_assert_str_eq(read_path(paths[0]), "zero");
}
END_TEST

START_TEST(a_file_past_its_limit_is_stored_one_byte_longer_for_its_reader_to_object) {
    static char big[CONFIG_FILES_MAX_BYTES + 100];
    memset(big, 'b', sizeof big);
    write_file(0, big, sizeof big);
    ck_assert_int_eq(store(1), 1);
    ck_assert_int_eq(config_files_attach(reader), 0);
    int fd = config_files_open(paths[0]);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), CONFIG_FILES_MAX_BYTES + 1);
    close(fd);
}
END_TEST

START_TEST(more_than_fits_is_refused) {
    static char big[CONFIG_FILES_MAX_BYTES];
    const struct config_files_source one = {.path = paths[0]}, list[] = {one, one, one, one, one};
    write_file(0, big, sizeof big);
    ck_assert_int_eq(config_files_store(writer, list, 5, error, sizeof error), -EFBIG);
}
END_TEST

START_TEST(children_can_not_write_it) {
    ck_assert_int_eq(store(3), 1);
    ck_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED);
    ck_assert_int_eq(write(reader, "x", 1), -1);
    ck_assert_int_eq(ftruncate(writer, 0), -1); /* sealed */
}
END_TEST

START_TEST(another_memfd_is_refused) {
    int other = memfd_create("other", MFD_CLOEXEC);
    ck_assert_int_eq(config_files_attach(other), -EPROTO);
    ck_assert_int_eq(ftruncate(other, 4096 + 2 * (off_t)CONFIG_FILES_SLOT_BYTES), 0);
    ck_assert_int_eq(config_files_attach(other), -EPROTO);
    close(other);
}
END_TEST

START_TEST(a_reader_never_sees_half_of_two_reloads) {
    char text[200];
    pid_t child;
    memset(text, 'a', sizeof text);
    write_file(0, text, sizeof text);
    ck_assert_int_eq(store(1), 1);
    ck_assert_int_eq(config_files_attach(reader), 0);
    child = fork();
    if (child == 0) {
        for (unsigned i = 0;; i++) {
            memset(text, 'a' + (int)(i % 26), sizeof text);
            int fd = open(paths[0], O_WRONLY);
            if (pwrite(fd, text, sizeof text, 0) != (ssize_t)sizeof text || store(1) < 0) {
                _exit(1);
            }
            close(fd);
        }
    }
    for (int i = 0; i < 20000; i++) {
        const char *got = read_path(paths[0]);
        ck_assert_uint_eq(strlen(got), sizeof text);
        ck_assert_uint_eq(strspn(got, (char[]){got[0], '\0'}), sizeof text);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config_files");
    TCase *tests = tcase_create("config_files");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, without_a_supervisor_files_are_read_where_they_lie);
    tcase_add_test(tests, what_is_stored_stays_whatever_becomes_of_the_file);
    tcase_add_test(tests, a_path_that_is_not_stored_is_read_from_the_file_system);
    tcase_add_test(tests, the_same_again_is_no_change);
    tcase_add_test(tests, a_file_that_can_not_be_read_leaves_all_as_it_was);
    tcase_add_test(tests, a_file_past_its_limit_is_stored_one_byte_longer_for_its_reader_to_object);
    tcase_add_test(tests, more_than_fits_is_refused);
    tcase_add_test(tests, children_can_not_write_it);
    tcase_add_test(tests, another_memfd_is_refused);
    tcase_add_test(tests, a_reader_never_sees_half_of_two_reloads);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
