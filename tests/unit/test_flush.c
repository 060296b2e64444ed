/* The flush step's two back ends through the same tests: whatever a socket does, the results are the same. */
#include "gateway/delivery/flush_backend.h"
#include "gateway/delivery/flush_schedule.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const struct flush_backend_calls *const back_ends[] = {&flush_sendmsg_calls,
                                                              &flush_uring_calls};
static const struct flush_backend_calls *calls;
static struct flush_backend *backend;
static int near_end[FLUSH_SLICE], far_end[FLUSH_SLICE];

static void open_pair(unsigned i) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    near_end[i] = pair[0];
    far_end[i] = pair[1];
}

static void set_up(void) {
    signal(SIGPIPE, SIG_DFL); /* a back end must not raise it */
    for (unsigned i = 0; i < FLUSH_SLICE; i++) {
        open_pair(i);
    }
}

static void tear_down(void) {
    calls->destroy(backend);
    for (unsigned i = 0; i < FLUSH_SLICE; i++) {
        close(near_end[i]);
        close(far_end[i]);
    }
}

/* False where this kernel does not have the back end: auto falls back then, and so does the test. */
static bool use(int index) {
    calls = back_ends[index];
    backend = NULL;
    int error = calls->create(&backend);
    if (error != 0) {
        fprintf(stderr, "%s is not to be had here (%s): not tested\n", calls->name,
                strerror(-error));
    }
    return error == 0;
}

static struct flush_item item_of(int fd, const char *text) {
    return (struct flush_item){
        .fd = fd,
        .iov_count = 1,
        .iov = {{.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)}},
        .result = 12345};
}

static void assert_arrived(int fd, const char *text) {
    char got[256] = {0};
    ck_assert_int_eq(read(fd, got, sizeof got), (ssize_t)strlen(text));
    ck_assert_str_eq(got, text);
}

START_TEST(a_whole_slice_arrives_each_at_its_own_socket) {
    if (!use(_i)) {
        return;
    }
    for (int round = 0; round < 50; round++) {
        struct flush_item items[FLUSH_SLICE];
        char texts[FLUSH_SLICE][32];
        for (unsigned i = 0; i < FLUSH_SLICE; i++) {
            snprintf(texts[i], sizeof texts[i], "round %d, socket %u", round, i);
            items[i] = item_of(near_end[i], texts[i]);
        }
        calls->send(backend, items, FLUSH_SLICE);
        for (unsigned i = 0; i < FLUSH_SLICE; i++) {
            ck_assert_int_eq(items[i].result, (long)strlen(texts[i]));
            assert_arrived(far_end[i], texts[i]);
        }
    }
}
END_TEST

START_TEST(several_pieces_go_out_in_order) {
    if (!use(_i)) {
        return;
    }
    struct flush_item item = {.fd = near_end[0], .iov_count = FLUSH_MAX_PIECES};
    static const char *const pieces[FLUSH_MAX_PIECES] = {"a", "bb", "ccc", "d",
                                                         "e", "ff", "g",   "hhhh"};
    for (unsigned i = 0; i < FLUSH_MAX_PIECES; i++) {
        item.iov[i] = (struct iovec){(void *)(uintptr_t)pieces[i], strlen(pieces[i])};
    }
    calls->send(backend, &item, 1);
    ck_assert_int_eq(item.result, 15);
    assert_arrived(far_end[0], "abbcccdeffghhhh");
}
END_TEST

START_TEST(a_full_socket_says_so_and_the_others_are_written) {
    if (!use(_i)) {
        return;
    }
    static char megabyte[1 << 20];
    memset(megabyte, 'x', sizeof megabyte);
    struct flush_item big = {
        .fd = near_end[1], .iov_count = 1, .iov = {{megabyte, sizeof megabyte}}};
    calls->send(backend, &big, 1);
    ck_assert_int_gt(big.result, 0);
    ck_assert_int_lt(big.result, (long)sizeof megabyte); /* a short write */
    struct flush_item items[3] = {item_of(near_end[0], "first"), item_of(near_end[1], "full"),
                                  item_of(near_end[2], "third")};
    items[1].iov[0] = (struct iovec){megabyte, sizeof megabyte};
    calls->send(backend, items, 3);
    ck_assert_int_eq(items[1].result, -EAGAIN);
    assert_arrived(far_end[0], "first");
    assert_arrived(far_end[2], "third");
}
END_TEST

START_TEST(a_peer_that_is_gone_gives_an_error_and_no_signal) {
    if (!use(_i)) {
        return;
    }
    close(far_end[1]);
    struct flush_item items[3] = {item_of(near_end[0], "first"), item_of(near_end[1], "gone"),
                                  item_of(near_end[2], "third")};
    calls->send(backend, items, 3);
    ck_assert_int_eq(items[1].result, -EPIPE);
    assert_arrived(far_end[0], "first");
    assert_arrived(far_end[2], "third");
    far_end[1] = open("/dev/null", O_RDONLY);
}
END_TEST

START_TEST(a_descriptor_that_is_none_gives_an_error) {
    if (!use(_i)) {
        return;
    }
    struct flush_item items[2] = {item_of(-1, "nowhere"), item_of(near_end[0], "somewhere")};
    calls->send(backend, items, 2);
    ck_assert_int_eq(items[0].result, -EBADF);
    assert_arrived(far_end[0], "somewhere");
}
END_TEST

static void on_alarm(int signal_number) {
    (void)signal_number;
}

START_TEST(signals_in_between_change_nothing) {
    if (!use(_i)) {
        return;
    }
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART: calls return EINTR */
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    for (int round = 0; round < 500; round++) {
        struct flush_item items[FLUSH_SLICE];
        for (unsigned i = 0; i < FLUSH_SLICE; i++) {
            items[i] = item_of(near_end[i], "x");
        }
        calls->send(backend, items, FLUSH_SLICE);
        for (unsigned i = 0; i < FLUSH_SLICE; i++) {
            char got[4];
            ck_assert_int_eq(items[i].result, 1);
            ck_assert_int_eq(read(far_end[i], got, sizeof got), 1);
        }
    }
    setitimer(ITIMER_REAL, &never, NULL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("flush");
    TCase *tests = tcase_create("flush");
    int n = (int)ARRAY_LENGTH(back_ends);
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_whole_slice_arrives_each_at_its_own_socket, 0, n);
    tcase_add_loop_test(tests, several_pieces_go_out_in_order, 0, n);
    tcase_add_loop_test(tests, a_full_socket_says_so_and_the_others_are_written, 0, n);
    tcase_add_loop_test(tests, a_peer_that_is_gone_gives_an_error_and_no_signal, 0, n);
    tcase_add_loop_test(tests, a_descriptor_that_is_none_gives_an_error, 0, n);
    tcase_add_loop_test(tests, signals_in_between_change_nothing, 0, n);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
