/* Log lines: their form, what can't be forged in them, and a stderr that is full or gone. */
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/log_text.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int reader; /* the other end of stderr */
static int real_stderr;
static char got[1 << 20];

static void take_stderr(int ours, int theirs) {
    real_stderr = dup(STDERR_FILENO);
    reader = ours;
    ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    dup2(theirs, STDERR_FILENO);
    close(theirs);
}

static void start(void) {
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    take_stderr(pipes[0], pipes[1]);
    setenv("TZ", "UTC", 1);
    tzset();
    clock_set_fake(0, 1700000000123);
    log_init("worker-3", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
}

static void stop(void) {
    dup2(real_stderr, STDERR_FILENO);
    clock_set_real();
}

/* All that has been written since the last call. */
static const char *written(void) {
    size_t length = 0;
    ssize_t count;

    while ((count = read(reader, got + length, sizeof(got) - 1 - length)) > 0) {
        length += (size_t)count;
    }
    got[length] = 0;
    return got;
}

static void expect_json_line(const char *line) {
    struct json_value value;
    size_t length = strlen(line);

    ck_assert_uint_gt(length, 0);
    ck_assert_int_eq(line[length - 1], '\n');
    ck_assert_ptr_eq(strchr(line, '\n'), line + length - 1);
    ck_assert_msg(json_check(span_of(line), &value, NULL) == JSON_OK, "%s", line);
    ck_assert_int_eq(value.type, JSON_OBJECT);
}

START_TEST(a_json_line_has_the_fields_in_order) {
    char expected[256];

    log_info("started on port %d", 3008);
    snprintf(expected, sizeof(expected),
             "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"info\",\"process\":\"worker-3\","
             "\"pid\":%d,"
             "\"message\":\"started on port 3008\"}\n",
             (int)getpid());
    ck_assert_str_eq(written(), expected);
    log_write(LOG_LEVEL_ERROR, 0x1f, "%s", "x");
    ck_assert_ptr_nonnull(
        strstr(written(), ",\"connection\":\"c000000000000001f\",\"message\":\"x\"}"));
}
END_TEST

START_TEST(a_text_line_is_made_for_terminals) {
    log_init("worker-0", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_warn("say \"%s\"", "hi");
    ck_assert_str_eq(written(), "22:13:20.123 warn  worker-0  say \"hi\"\n");
    log_write(LOG_LEVEL_ERROR, 1, "gone");
    ck_assert_str_eq(written(), "22:13:20.123 error worker-0  c0000000000000001  gone\n");
}
END_TEST

START_TEST(levels_below_the_least_are_not_written) {
    log_set_level(LOG_LEVEL_WARN);
    ck_assert(log_enabled(LOG_LEVEL_ERROR));
    ck_assert(log_enabled(LOG_LEVEL_WARN));
    ck_assert(!log_enabled(LOG_LEVEL_INFO));
    log_info("no");
    log_debug("no");
    ck_assert_str_eq(written(), "");
    log_warn("yes");
    expect_json_line(written());
}
END_TEST

static const char *const forgeries[] = {
    "x\"}\n{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"error\",\"message\":\"forged",
    "x\n12:00:00.000 error supervisor  forged",
    "x\r\nforged",
    "x\x1b[2J\x1b[31mforged\x1b]0;title\x07",
    "x\xc2\x9b"
    "31m", /* CSI as one C1 character */
    "x\x9b"
    "31m", /* the same as a raw byte */
    "x\xc2\x85"
    "forged", /* NEL */
    "x\xe2\x80\xa8"
    "forged\xe2\x80\xa9", /* line and paragraph separator */
    "x\xe2\x80\xae"
    "degrof", /* right-to-left override */
    "x\x0b\x0c\x7f\b\b\b\bforged",
    "x\xff\xfe\xc0\x8a\xe0\x80\x8a", /* overlong newlines */
    "x\\",
    "x\\\"",
    "x\xc2",
    "x\xef\xbb\xbfy",
};

static void expect_nothing_steers(const char *line) {
    for (const char *at = line; at[1] != 0; at++) {
        ck_assert_msg((unsigned char)*at >= 0x20 && *at != 0x7f, "byte %02x in %s",
                      (unsigned char)*at, line);
    }
    ck_assert(json_utf8_valid(span_of(line)));
    ck_assert_ptr_null(strstr(line, "\xe2\x80\xa8"));
    ck_assert_ptr_null(strstr(line, "\xe2\x80\xae"));
    ck_assert_ptr_null(strstr(line, "\xc2\x85"));
    ck_assert_ptr_null(strstr(line, "\xc2\x9b"));
    ck_assert_ptr_null(strstr(line, "\xef\xbb\xbf"));
}

START_TEST(no_message_can_forge_or_steer) {
    for (size_t i = 0; i < ARRAY_LENGTH(forgeries); i++) {
        struct json_value line, level;

        log_init("worker-3", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
        log_info("%s", forgeries[i]);
        expect_json_line(written());
        expect_nothing_steers(got);
        ck_assert_int_eq(json_check(span_of(got), &line, NULL), JSON_OK);
        ck_assert_int_eq(json_get(line, "level", &level), 1); /* once */
        ck_assert(span_is(level.text, "info"));
        log_init("worker-3", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
        log_info("%s", forgeries[i]);
        ck_assert_ptr_eq(strchr(written(), '\n'), got + strlen(got) - 1);
        expect_nothing_steers(got);
    }
}
END_TEST

START_TEST(every_byte_alone_makes_a_valid_line) {
    for (unsigned byte = 1; byte < 256; byte++) {
        char message[4] = {'a', (char)byte, 'b', 0};
        log_info("%s", message);
        expect_json_line(written());
        expect_nothing_steers(got);
    }
}
END_TEST

START_TEST(a_message_cut_at_any_place_leaves_a_valid_line_of_4096_bytes_at_most) {
    static const char *const fillers[] = {"x",   "\"", "\x01", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                          "\xff"};
    char message[8192];

    for (size_t f = 0; f < ARRAY_LENGTH(fillers); f++) {
        for (size_t pad = 0; pad < 8; pad++) {
            size_t width = strlen(fillers[f]);
            memset(message, 'p', sizeof(message));
            for (size_t at = pad; at + width < sizeof(message); at += width) {
                memcpy(message + at, fillers[f], width);
                message[at + width] = 0;
            }
            log_info("%s", message);
            expect_json_line(written());
            ck_assert_uint_le(strlen(got), 4096);
            ck_assert_uint_gt(strlen(got), 4080);
            ck_assert_ptr_nonnull(strstr(got, "...\"}\n"));
        }
    }
}
END_TEST

START_TEST(a_process_name_is_copied_and_cut) {
    char name[100];

    memset(name, '"', sizeof(name));
    name[99] = 0;
    log_init(name, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    memset(name, 0, sizeof(name));
    log_info("x");
    expect_json_line(written());
}
END_TEST

START_TEST(errno_survives_a_log_line) {
    errno = ENOTTY;
    log_info("x");
    ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

/* The sum of all losses that lines of `text` tell of. */
static unsigned long told_losses(const char *text) {
    static const char before[] = "\"message\":\"",
                      behind[] = " log lines lost: stderr was full\"}\n";
    unsigned long sum = 0;

    for (const char *at = strstr(text, before); at != NULL; at = strstr(at, before)) {
        char *end;
        unsigned long count = strtoul(at + strlen(before), &end, 10);
        sum += strncmp(end, behind, strlen(behind)) == 0 ? count : 0;
        at = end;
    }
    return sum;
}

/* Fills stderr, then expects lines to be lost at once and told of when there is room again. (A line that
 * tells is short, so it may still find room where the long ones do not.) */
static void expect_losses_are_told(void) {
    char message[1024];
    unsigned lines = 0;
    unsigned long told = 0;

    memset(message, 'm', sizeof(message) - 1);
    message[sizeof(message) - 1] = 0;
    while (log_lost() < 10) {
        log_info("%s", message);
        ck_assert_uint_lt(++lines, 100000);
    }
    ck_assert_uint_eq(log_lost(), 10);
    while (*written() != 0) {
        told += told_losses(got);
    }
    ck_assert_uint_lt(told, 10);
    log_info("after");
    told += told_losses(written());
    ck_assert_uint_eq(told, 10);
    ck_assert_ptr_nonnull(strstr(got, "\"message\":\"after\"}\n"));
    log_info("later");
    ck_assert_ptr_null(strstr(written(), "lost"));
    expect_json_line(got);
}

START_TEST(a_full_pipe_loses_lines_instead_of_waiting) {
    expect_losses_are_told();
}
END_TEST

START_TEST(a_full_socket_loses_lines_instead_of_waiting) {
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(reader);
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    reader = pair[0];
    ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    expect_losses_are_told();
}
END_TEST

START_TEST(a_regular_file_is_written) {
    FILE *file = tmpfile();

    ck_assert_ptr_nonnull(file);
    reader = dup(fileno(file));
    dup2(fileno(file), STDERR_FILENO);
    log_info("one");
    log_info("two");
    lseek(reader, 0, SEEK_SET);
    ck_assert_ptr_nonnull(strstr(written(), "\"two\"}\n"));
    ck_assert_ptr_nonnull(strstr(got, "\"one\"}\n"));
    fclose(file);
}
END_TEST

START_TEST(the_line_after_one_written_in_part_begins_anew) {
    struct rlimit limit;
    FILE *file = tmpfile();

    ck_assert_ptr_nonnull(file);
    reader = dup(fileno(file));
    dup2(fileno(file), STDERR_FILENO);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 20; /* the file takes so many bytes of the first line */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("one");
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_uint_eq(log_lost(), 1);
    log_info("two");
    lseek(reader, 0, SEEK_SET);
    ck_assert_int_eq(written()[20], '\n');
    ck_assert_ptr_nonnull(strstr(got, "\"1 log lines lost: stderr was full\"}\n{"));
    expect_json_line(strstr(got, "lost: ") + strlen("lost: stderr was full\"}\n"));
    fclose(file);
}
END_TEST

START_TEST(the_line_after_one_for_which_a_disk_had_no_room_begins_anew) {
    FILE *file = tmpfile();
    char text[1024] = "";
    int full = open("/dev/full", O_WRONLY);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(full, 0);
    dup2(full, STDERR_FILENO);
    close(full);
    log_info("lost");
    ck_assert_uint_eq(log_lost(), 1);
    /* what another process could still write of its own */
    ck_assert_int_eq(fputs("{\"time\":", file), 1);
    ck_assert_int_eq(fflush(file), 0);
    dup2(fileno(file), STDERR_FILENO);
    log_info("after");
    ck_assert_int_gt(pread(fileno(file), text, sizeof(text) - 1, 0), 0);
    ck_assert_int_eq(strncmp(text, "{\"time\":\n{\"time\":", 17), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"1 log lines lost: stderr was full\"}\n{"));
    ck_assert_ptr_nonnull(strstr(text, "\"after\"}\n"));
    fclose(file);
}
END_TEST

START_TEST(a_closed_stderr_harms_nobody) {
    close(STDERR_FILENO);
    log_info("x");
    ck_assert_uint_eq(log_lost(), 1);
}
END_TEST

START_TEST(a_rate_lets_so_many_lines_a_second_through_and_counts_the_rest) {
    struct log_rate rate = {.per_second = 3};

    clock_set_fake(5000000000, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(log_rate_allow(&rate));
        ck_assert_str_eq(rate.left_out, "");
    }
    for (int i = 0; i < 7; i++) {
        ck_assert(!log_rate_allow(&rate));
    }
    clock_set_fake(5999999999, 0);
    ck_assert(!log_rate_allow(&rate));
    clock_set_fake(6000000000, 0);
    ck_assert(log_rate_allow(&rate));
    ck_assert_str_eq(rate.left_out, " (8 such lines left out)");
    ck_assert(log_rate_allow(&rate));
    ck_assert_str_eq(rate.left_out, "");
    ck_assert(log_rate_allow(&rate) && !log_rate_allow(&rate));
    clock_set_fake(7000000000, 0);
    ck_assert(log_rate_allow(&rate));
    ck_assert_str_eq(rate.left_out, " (1 such line left out)");
}
END_TEST

START_TEST(escaping_never_writes_past_its_buffer) {
    struct span text = SPAN_LITERAL("a\x01\xe2\x82\xac\"\\\xff"
                                    "b");

    for (size_t size = 0; size < 64; size++) {
        char *buffer = malloc(size > 0 ? size : 1); /* ASan watches its end */
        size_t length;
        ck_assert_ptr_nonnull(buffer);
        buffer[0] = 'z';
        length = log_text_escape(text, LOG_TEXT_JSON, buffer, size);
        if (size == 0) {
            ck_assert_int_eq(buffer[0], 'z');
        } else {
            ck_assert_uint_lt(length, size);
            ck_assert_uint_eq(strlen(buffer), length);
            ck_assert(json_utf8_valid(span_of(buffer)));
        }
        free(buffer);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("log");

    tcase_add_checked_fixture(cases, start, stop);
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, a_json_line_has_the_fields_in_order);
    tcase_add_test(cases, a_text_line_is_made_for_terminals);
    tcase_add_test(cases, levels_below_the_least_are_not_written);
    tcase_add_test(cases, no_message_can_forge_or_steer);
    tcase_add_test(cases, every_byte_alone_makes_a_valid_line);
    tcase_add_test(cases, a_message_cut_at_any_place_leaves_a_valid_line_of_4096_bytes_at_most);
    tcase_add_test(cases, a_process_name_is_copied_and_cut);
    tcase_add_test(cases, errno_survives_a_log_line);
    tcase_add_test(cases, a_full_pipe_loses_lines_instead_of_waiting);
    tcase_add_test(cases, the_line_after_one_for_which_a_disk_had_no_room_begins_anew);
    tcase_add_test(cases, a_full_socket_loses_lines_instead_of_waiting);
    tcase_add_test(cases, a_regular_file_is_written);
    tcase_add_test(cases, the_line_after_one_written_in_part_begins_anew);
    tcase_add_test(cases, a_closed_stderr_harms_nobody);
    tcase_add_test(cases, a_rate_lets_so_many_lines_a_second_through_and_counts_the_rest);
    tcase_add_test(cases, escaping_never_writes_past_its_buffer);
    return unit_run(suite);
}
