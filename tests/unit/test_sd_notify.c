/* What systemd would hear: a datagram socket of our own stands in for it. */
#include "gateway/supervisor/sd_notify.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/moonx-notify-XXXXXX";
static char path[64];
static struct sd_notify notify;

static void setup(void) {
    strcpy(folder, "/tmp/moonx-notify-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void teardown(void) {
    sd_notify_close(&notify);
    unlink(path);
    rmdir(folder);
}

static int listen_at(const char *name, bool abstract) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path + (abstract ? 1 : 0), name, length);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void assert_heard(int fd, const char *expected) {
    char text[256] = "";
    ssize_t length = recv(fd, text, sizeof(text) - 1, 0);
    ck_assert_int_eq((int)length, (int)strlen(expected));
    ck_assert_str_eq(text, expected);
}

START_TEST(a_path_is_spoken_to) {
    int fd = listen_at(path, false);
    setenv("NOTIFY_SOCKET", path, 1);
    ck_assert_int_eq(sd_notify_take(&notify), 0);
    ck_assert_int_eq(sd_notify_send(&notify, "READY=1\nMAINPID=7"), 0);
    assert_heard(fd, "READY=1\nMAINPID=7");
    close(fd);
}
END_TEST

START_TEST(an_abstract_name_is_spoken_to) {
    char name[64];
    char variable[80];
    snprintf(name, sizeof(name), "moonx-notify-test-%d", (int)getpid());
    snprintf(variable, sizeof(variable), "@%s", name);
    int fd = listen_at(name, true);
    setenv("NOTIFY_SOCKET", variable, 1);
    ck_assert_int_eq(sd_notify_take(&notify), 0);
    ck_assert_int_eq(sd_notify_send(&notify, "STOPPING=1"), 0);
    assert_heard(fd, "STOPPING=1");
    close(fd);
}
END_TEST

START_TEST(nobody_listening_is_no_error) {
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(sd_notify_take(&notify), 0);
    ck_assert_int_eq(notify.fd, -1);
    ck_assert_int_eq(sd_notify_send(&notify, "READY=1"), 0);
}
END_TEST

START_TEST(a_listener_that_went_away_is_an_error_and_no_signal) {
    setenv("NOTIFY_SOCKET", path, 1);
    ck_assert_int_eq(sd_notify_take(&notify), 0);
    ck_assert_int_eq(sd_notify_send(&notify, "READY=1"), -ENOENT);
}
END_TEST

START_TEST(what_is_no_unix_socket_is_refused) {
    static const char *const bad[] = {"relative/path", "@", "/", "vsock:2:1"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        ck_assert_int_eq(sd_notify_take(&notify), -EINVAL);
        ck_assert_int_eq(notify.fd, -1);
    }
}
END_TEST

START_TEST(a_name_that_fills_the_address_is_refused) {
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    memset(name, 'x', sizeof(name));
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    ck_assert_int_eq(sd_notify_take(&notify), -EINVAL);
    name[sizeof(name) - 2] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    ck_assert_int_eq(sd_notify_take(&notify), 0);
}
END_TEST

START_TEST(children_do_not_see_the_variables) {
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "20000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(sd_notify_take(&notify), 0);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    ck_assert_ptr_null(getenv("WATCHDOG_PID"));
}
END_TEST

static uint64_t watchdog(const char *usec, const char *pid) {
    setenv("NOTIFY_SOCKET", path, 1);
    if (usec) {
        setenv("WATCHDOG_USEC", usec, 1);
    }
    if (pid) {
        setenv("WATCHDOG_PID", pid, 1);
    }
    ck_assert_int_eq(sd_notify_take(&notify), 0);
    sd_notify_close(&notify);
    return notify.watchdog_ms;
}

START_TEST(the_watchdog_is_fed_at_half_its_time_and_only_by_who_is_meant) {
    char mine[16];
    snprintf(mine, sizeof(mine), "%d", (int)getpid());
    ck_assert_uint_eq(watchdog(NULL, NULL), 0);
    ck_assert_uint_eq(watchdog("20000000", NULL), 10000);
    ck_assert_uint_eq(watchdog("20000000", mine), 10000);
    ck_assert_uint_eq(watchdog("20000000", "1"), 0);
    ck_assert_uint_eq(watchdog("100", NULL), 1);
    ck_assert_uint_eq(watchdog("0", NULL), 0);
    ck_assert_uint_eq(watchdog("-5", NULL), 0);
    ck_assert_uint_eq(watchdog("20s", NULL), 0);
    ck_assert_uint_eq(watchdog("99999999999999999999999", NULL), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sd_notify");
    TCase *tests = tcase_create("socket");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_path_is_spoken_to);
    tcase_add_test(tests, an_abstract_name_is_spoken_to);
    tcase_add_test(tests, nobody_listening_is_no_error);
    tcase_add_test(tests, a_listener_that_went_away_is_an_error_and_no_signal);
    tcase_add_test(tests, what_is_no_unix_socket_is_refused);
    tcase_add_test(tests, a_name_that_fills_the_address_is_refused);
    tcase_add_test(tests, children_do_not_see_the_variables);
    tcase_add_test(tests, the_watchdog_is_fed_at_half_its_time_and_only_by_who_is_meant);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
