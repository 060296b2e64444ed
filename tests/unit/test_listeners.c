/* Real sockets on loopback; the port is one that the kernel has just given to somebody. */
#include "gateway/supervisor/listeners.h"
#include "gateway/supervisor/port_owner.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct listeners listeners;
static char error[512];

static void setup(void) {
    memset(&listeners, 0xee, sizeof(listeners));
    error[0] = '\0';
}

static int bound_socket(unsigned *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static unsigned free_port(void) {
    unsigned port = 0;
    close(bound_socket(&port));
    return port;
}

static int connect_to(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int integer_option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

/* The listener that has the connection; waits for it. */
static int ready_listener(void) {
    struct pollfd wait[LISTENERS_COUNT];
    for (unsigned i = 0; i < LISTENERS_COUNT; i++) {
        wait[i] = (struct pollfd){.fd = listeners.fd[i], .events = POLLIN};
    }
    ck_assert_int_eq(poll(wait, LISTENERS_COUNT, 30000), 1);
    for (unsigned i = 0; i < LISTENERS_COUNT; i++) {
        if (wait[i].revents) {
            return listeners.fd[i];
        }
    }
    return -1;
}

START_TEST(sixty_four_sockets_listen_on_one_port) {
    unsigned port = free_port();
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)), 0);
    for (unsigned i = 0; i < LISTENERS_COUNT; i++) {
        ck_assert_int_eq(integer_option(listeners.fd[i], SOL_SOCKET, SO_ACCEPTCONN), 1);
        ck_assert_int_ne(fcntl(listeners.fd[i], F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(listeners.fd[i], F_GETFD) & FD_CLOEXEC, 0);
    }
    listeners_close(&listeners);
}
END_TEST

START_TEST(an_accepted_socket_has_no_delay) {
    unsigned port = free_port();
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)), 0);
    int client = connect_to(port);
    int served = accept(ready_listener(), NULL, NULL);
    ck_assert_int_ge(served, 0);
    ck_assert_int_ne(integer_option(served, IPPROTO_TCP, TCP_NODELAY), 0);
    close(client);
    close(served);
    listeners_close(&listeners);
}
END_TEST

/* A client that reads nothing, behind the smallest of receive buffers. */
START_TEST(the_kernel_keeps_little_for_a_client_that_reads_nothing) {
    static const char piece[16384];
    unsigned port = free_port();
    size_t kept = 0;
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)), 0);
    int client = connect_to(port);
    int accepted = accept4(ready_listener(), NULL, NULL, SOCK_NONBLOCK);
    ck_assert_int_ge(accepted, 0);
    struct pollfd writable = {.fd = accepted, .events = POLLOUT};
    while (poll(&writable, 1, 100) == 1) { /* the kernel moves some on to the other side */
        ssize_t sent = send(accepted, piece, sizeof(piece), MSG_DONTWAIT);
        kept += sent > 0 ? (size_t)sent : 0;
    }
    int unread = 0, unsent = 0;
    ck_assert_int_eq(ioctl(accepted, SIOCOUTQNSD, &unsent), 0);
    ck_assert_int_eq(ioctl(client, FIONREAD, &unread), 0);
    ck_assert_int_gt(unread, 0);
    ck_assert_uint_gt(kept, (size_t)unread);
    ck_assert_int_le(unsent, 524288 + (int)sizeof(piece));
    close(accepted);
    close(client);
    listeners_close(&listeners);
}
END_TEST

START_TEST(a_port_in_use_is_refused_with_one_line_that_names_the_user) {
    unsigned port = 0;
    char expected[256];
    char name[16] = "";
    int busy = bound_socket(&port);
    ck_assert_int_eq(listen(busy, 1), 0);
    struct listeners before = listeners;
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)),
                     -EADDRINUSE);
    struct port_owner owner;
    ck_assert_int_eq(port_owner_find(port, &owner), 0);
    memcpy(name, owner.name, sizeof(name));
    snprintf(expected, sizeof(expected),
             "port %u on 127.0.0.1 is in use (by %d %s); stop it or choose another with --port",
             port, (int)getpid(), name);
    ck_assert_str_eq(error, expected);
    ck_assert_int_eq(memcmp(&before, &listeners, sizeof(before)), 0);
    close(busy);
}
END_TEST

START_TEST(a_second_gateway_of_the_same_user_is_noticed) {
    struct listeners second;
    unsigned port = free_port();
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)), 0);
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &second, error, sizeof(error)), -EADDRINUSE);
    ck_assert_int_eq(listeners_open("0.0.0.0", port, &second, error, sizeof(error)), -EADDRINUSE);
    listeners_close(&listeners);
    ck_assert_int_eq(listeners_open("0.0.0.0", port, &second, error, sizeof(error)), 0);
    listeners_close(&second);
}
END_TEST

/* The side that closes first is left in TIME_WAIT: the usual state after a drain. */
START_TEST(connections_that_linger_do_not_forbid_a_restart) {
    char byte;
    unsigned port = free_port();
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)), 0);
    int client = connect_to(port);
    int served = accept(ready_listener(), NULL, NULL);
    ck_assert_int_ge(served, 0);
    close(served);
    ck_assert_int_eq((int)read(client, &byte, 1), 0);
    close(client);
    listeners_close(&listeners);
    ck_assert_int_eq(listeners_open("127.0.0.1", port, &listeners, error, sizeof(error)), 0);
    listeners_close(&listeners);
}
END_TEST

START_TEST(ipv6_is_served) {
    struct listeners six;
    unsigned port = free_port();
    int result = listeners_open("::1", port, &six, error, sizeof(error));
    if (result == -EADDRNOTAVAIL || result == -EAFNOSUPPORT) {
        ck_assert_str_ne(error, ""); /* a machine without IPv6 says so */
        return;
    }
    ck_assert_int_eq(result, 0);
    listeners_close(&six);
}
END_TEST

START_TEST(only_numeric_addresses_are_hosts) {
    static const char *const good[] = {"127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1"};
    static const char *const bad[] = {"localhost", "",      "127.0.0.1:80",
                                      "1.2.3",     "[::1]", "300.1.1.1"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        ck_assert_int_eq(listeners_check_host(good[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_int_eq(listeners_check_host(bad[i]), -EINVAL);
    }
}
END_TEST

START_TEST(an_address_of_another_machine_says_so) {
    ck_assert_int_eq(listeners_open("192.0.2.1", free_port(), &listeners, error, sizeof(error)),
                     -EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(error, "no interface of this machine"));
}
END_TEST

static void assert_shared_out(unsigned workers) {
    unsigned seen[LISTENERS_COUNT] = {0};
    for (unsigned worker = 0; worker < workers; worker++) {
        int32_t share[LISTENERS_COUNT];
        unsigned count = listeners_share(&listeners, worker, workers, share);
        ck_assert_uint_ge(count, LISTENERS_COUNT / workers);
        for (unsigned i = 0; i < count; i++) {
            ck_assert_uint_eq((unsigned)(share[i] - 1000) % workers, worker);
            seen[share[i] - 1000]++;
        }
    }
    for (unsigned i = 0; i < LISTENERS_COUNT; i++) {
        ck_assert_uint_eq(seen[i], 1);
    }
}

/* Every socket belongs to exactly one worker, whatever N is. */
START_TEST(shares_cover_all_sockets_once) {
    for (unsigned i = 0; i < LISTENERS_COUNT; i++) {
        listeners.fd[i] = 1000 + (int)i;
    }
    for (unsigned workers = 1; workers <= LISTENERS_COUNT; workers++) {
        assert_shared_out(workers);
    }
}
END_TEST

START_TEST(a_port_without_a_listener_has_no_owner) {
    struct port_owner owner;
    unsigned port = 0;
    int fd = bound_socket(&port);
    ck_assert_int_eq(port_owner_find(port, &owner), -ENOENT);
    close(fd);
}
END_TEST

START_TEST(an_admin_address_is_a_numeric_host_and_a_port) {
    static const char *const good[] = {"127.0.0.1:3009", "0.0.0.0:1", "[::1]:65535", "[::]:80"};
    static const char *const bad[] = {"",
                                      "3009",
                                      ":3009",
                                      "127.0.0.1",
                                      "localhost:80",
                                      "::1:3009",
                                      "[::1]",
                                      "[]:80",
                                      "127.0.0.1:0",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:80x",
                                      "127.0.0.1: 80",
                                      "127.0.0.1:99999999999999999999"};
    for (unsigned i = 0; i < ARRAY_LENGTH(good); i++) {
        ck_assert_msg(listeners_check_admin(good[i]) == 0, "%s", good[i]);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(listeners_check_admin(bad[i]) == -EINVAL, "%s", bad[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("listeners");
    TCase *tests = tcase_create("sockets");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, sixty_four_sockets_listen_on_one_port);
    tcase_add_test(tests, an_accepted_socket_has_no_delay);
    tcase_add_test(tests, the_kernel_keeps_little_for_a_client_that_reads_nothing);
    tcase_add_test(tests, a_port_in_use_is_refused_with_one_line_that_names_the_user);
    tcase_add_test(tests, a_second_gateway_of_the_same_user_is_noticed);
    tcase_add_test(tests, connections_that_linger_do_not_forbid_a_restart);
    tcase_add_test(tests, ipv6_is_served);
    tcase_add_test(tests, only_numeric_addresses_are_hosts);
    tcase_add_test(tests, an_address_of_another_machine_says_so);
    tcase_add_test(tests, shares_cover_all_sockets_once);
    tcase_add_test(tests, a_port_without_a_listener_has_no_owner);
    tcase_add_test(tests, an_admin_address_is_a_numeric_host_and_a_port);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
