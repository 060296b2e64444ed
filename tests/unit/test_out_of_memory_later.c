/* What is settled later, with the n-th allocation failing, for each n, or all from the n-th on: a token that waits until
 * the host knows what is revoked and a message behind it, a notification that an external service is asked about, what goes up to Kafka and comes
 * back without an answer, presence. Whatever fails: the process lives and nothing stays behind.
 *
 * libevent's own allocations succeed: its HTTP client does not survive one that fails while a connection is made (it cancels
 * a callback that it has not set up yet), which no caller can prevent. test_out_of_memory.c spares it nothing else. */
#include "tests/unit/conn_fixture.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/access/token_verify.h"
#include "gateway/external/external.h"
#include "gateway/presence/presence.h"
#include "gateway/uplink.h"
#include "tests/unit/failing_memory.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* A visit has fewer allocations: no_visit_has_more_allocations_than_are_tried. */
#define LAST_FAILURE (MEMORY_FAILS ? 800u : 2u)
#define BLOCKS       8 /* so many processes try them all */
#define PATIENCE_MS  5000u
#define SERVICE_MS   1000

static char *token;
static int host_fd, uplink_fd, revocation_fd;
static pid_t service;
static char service_url[64];
static uint32_t visitor_index;
static uint64_t visitor_id; /* 0: there is none */

/* Answers one request a connection, until it is killed. */
static void serve(int listener) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Connection: close\r\nContent-Length: 25\r\n\r\n"
                                 "{\"metadata\":{\"vip\":true}}";
    char request[4096];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && recv(fd, request, sizeof request, 0) > 0) {
            (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        }
        close(fd);
    }
}

static void start_service(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(service_url, sizeof service_url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    service = fork();
    ck_assert_int_ge(service, 0);
    if (service == 0) {
        serve(listener);
    }
    close(listener);
}

static void stop_service(void) {
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
}

static void read_options(void) {
    struct option_command command;
    char error[256], *argv[] = {(char[]){"test"}, NULL};
    ck_assert_int_eq(option_parse(1, argv, &options, &command, error, sizeof error), 0);
    options.jwt_secret = "0123456789abcdef0123456789abcdef";
    options.auto_join_rooms = "prices";
    options.external_service_url = service_url;
    options.external_service_timeout = SERVICE_MS;
    options.external_service_retries = 1;
}

static void set_up_visit(void) {
    char error[256];
    set_up();
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    read_options();
    ck_assert_int_eq(host_block_create(&host_fd), 0);
    ck_assert_int_eq(host_block_map(host_fd, true, &worker.view.host), 0);
    ck_assert_int_eq(uplink_create(&uplink_fd), 0);
    ck_assert_int_eq(uplink_map(uplink_fd, &worker.view.uplinks[0]), 0);
    ck_assert_int_eq(revocations_create(64, &revocation_fd), 0);
    ck_assert_int_eq(revocations_map(revocation_fd, false, &worker.view.revocations), 0);
    worker.heritage.uplink_wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker.heritage.limit_fd = -1;
    store_relaxed(&worker.view.segment.ingest->flags, INGEST_KAFKA_UP);
    ck_assert_int_eq(uplink_start(&worker), 0);
    ck_assert_int_eq(auth_new(&options, false, &worker.auth, error, sizeof error), 0);
    ck_assert_int_eq(external_new(&options, &worker.external, error, sizeof error), 0);
    ck_assert_int_eq(external_start(worker.external, worker.base, worker.stats), 0);
    ck_assert_int_eq(presence_new(&worker, &worker.presence), 0);
    struct identity identity = {.user_id = "ann"};
    ck_assert_int_eq(auth_mint(worker.auth, &identity, clock_wall_ms(), 3600, &token), 0);
}

static void tear_down_visit(void) {
    external_free(worker.external);
    uplink_stop(&worker);
    presence_free(worker.presence);
    worker.presence = NULL;
    auth_free(worker.auth);
    free(token);
    close(worker.heritage.uplink_wake_fd);
    revocations_unmap(&worker.view.revocations);
    uplink_unmap(worker.view.uplinks[0]);
    host_block_unmap(worker.view.host);
    close(revocation_fd);
    close(uplink_fd);
    close(host_fd);
    tear_down();
}

static void try_frame(const char *text) {
    size_t length = strlen(text), header = length < 126 ? 6 : 8;
    unsigned char frame[2048] = {0x81, (unsigned char)(0x80 | (length < 126 ? length : 126)),
                                 (unsigned char)(length >> 8), (unsigned char)length};
    if (length < 126) {
        frame[2] = frame[3] = 0;
    }
    memcpy(frame + header, text, length);                    /* masked with zeros */
    (void)!send(peer, frame, header + length, MSG_NOSIGNAL); /* while somebody listens */
    turn();
    turn();
}

static bool is_user(void) {
    const struct conn *conn =
        visitor_id != 0 ? conn_find(&worker, visitor_index, visitor_id) : NULL;
    return conn != NULL && (conn->state == CONN_LIVE || conn->state == CONN_CATCHING);
}

/* Until it has gone up or has been refused, or the visitor has become nobody. Check itself allocates, so nothing is
 * asserted before. */
static void await_notification(uint64_t sent, uint64_t refused) {
    uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (is_user() && stats_get(worker.stats, STAT_UPLINK_SENT) == sent &&
           stats_get(worker.stats, STAT_ERRORS_OUT) == refused) {
        if (clock_mono_ms() > until_ms) {
            allocations.armed = false;
            ck_abort_msg("nothing came of it, allocation %u", allocations.fail_at);
        }
        (void)poll(NULL, 0, 1);
        turn();
    }
}

static void notify(void) {
    uint64_t sent = stats_get(worker.stats, STAT_UPLINK_SENT);
    uint64_t refused = stats_get(worker.stats, STAT_ERRORS_OUT);
    try_frame(
        "{\"type\":\"notification\",\"id\":\"3\",\"data\":{\"type\":\"info\",\"title\":"
        "\"T\",\"message\":\"M\",\"actionUrl\":\"https://example.com/a/rather/long/address\"}}");
    await_notification(sent, refused);
}

static void come(const char *header) {
    char handshake[2048];
    int pair[2], length = snprintf(handshake, sizeof handshake,
                                   "GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n"
                                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                                   header);
    store_relaxed(&worker.view.segment.ingest->flags, INGEST_KAFKA_UP);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    peer = pair[1];
    allocations.armed = true;
    const struct conn *conn = conn_new(&worker, pair[0]);
    visitor_id = 0;
    if (conn != NULL) {
        visitor_index = conn_index(conn);
        visitor_id = conn_id(conn);
        (void)!send(peer, handshake, (size_t)length, MSG_NOSIGNAL);
    }
    turn();
    turn();
}

/* The host has heard all that is revoked: whose token waits is judged. */
static void hear_revocations(void) {
    store_relaxed(&worker.view.segment.ingest->flags, INGEST_KAFKA_UP | INGEST_CAUGHT_UP);
    token_verify_tick(&worker);
    turn();
}

static void leave(void) {
    allocations.armed = false;
    shutdown(peer, SHUT_WR);
}

static void visit(void) {
    char authenticate[1024];
    snprintf(authenticate, sizeof authenticate,
             "{\"type\":\"authenticate\",\"id\":\"1\",\"data\":{\"token\":\"%s\",\"channels\":"
             "[\"trades\"]}}",
             token);
    come("");
    try_frame(authenticate);
    try_frame("{\"type\":\"get_rooms\",\"id\":\"behind\"}"); /* waits with the token */
    hear_revocations();
    try_frame("{\"type\":\"publish\",\"id\":\"2\",\"data\":{\"room\":\"chat:lobby\",\"event\":"
              "\"said\",\"payload\":{\"text\":\"hello\"}}}");
    notify();
    try_frame("{\"type\":\"presence\",\"id\":\"4\",\"data\":{\"users\":[\"ann\"]}}");
    uplink_stop(&worker); /* whoever waits for Kafka is told that there is no answer */
    allocations.armed = false;
    ck_assert_int_eq(uplink_start(&worker), 0);
    turn();
    leave();
}

/* The token comes with the handshake, and the 101 waits for it. */
static void visit_by_header(void) {
    char header[1024];
    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    come(header);
    hear_revocations();
    turn();
    leave();
}

static size_t heard_in_visit(void) {
    size_t total = 0;
    for (ssize_t got; (got = recv(peer, heard + total, sizeof heard - total, MSG_DONTWAIT)) > 0;) {
        total += (size_t)got;
    }
    return total;
}

static void check_nothing_left(void) {
    uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (stats_get(worker.stats, STAT_SOCKETS) > 0 && clock_mono_ms() < until_ms) {
        turn();
    }
    close(peer);
    peer = -1;
    turn();
    ck_assert_msg(worker.conns->slab.used == 0, "a connection stays, allocation %u",
                  allocations.fail_at);
    ck_assert_uint_eq(worker.fanout->users.users.used, 0);
    ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
    ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
}

static bool hears(const char *text) {
    return memmem(heard, heard_in_visit(), text, strlen(text)) != NULL;
}

/* Each n with everything made anew, so that what it broke (a breaker, a kept connection) is its own; and the next visitor
 * is served. */
static void try_all(void (*story)(void), bool from_then_on, unsigned block) {
    for (unsigned n = block + 1; n <= LAST_FAILURE; n += BLOCKS) {
        set_up_visit();
        allocations.fail_at = n;
        allocations.from_then_on = from_then_on;
        allocations.count = 0;
        story();
        check_nothing_left();
        if (allocations.count < n) {
            tear_down_visit();
            return;
        }
        allocations.fail_at = 0;
        allocations.from_then_on = false;
        story();
        ck_assert_msg(hears("auth_success"), "after allocation %u", n);
        check_nothing_left();
        tear_down_visit();
    }
}

START_TEST(one_allocation_fails) {
    try_all(visit, false, (unsigned)_i);
}
END_TEST

START_TEST(all_allocations_fail_from_one_on) {
    try_all(visit, true, (unsigned)_i);
}
END_TEST

START_TEST(one_fails_while_a_handshake_waits) {
    try_all(visit_by_header, false, (unsigned)_i);
}
END_TEST

START_TEST(no_visit_has_more_allocations_than_are_tried) {
    static const char *const parts[] = {"auth_success",   "\"behind\"",
                                        "\"trades\"",     "\"presence\"",
                                        "PUBLISH_FAILED", "NOTIFICATION_PROCESSING_ERROR"};
    set_up_visit();
    visit();
    size_t length = heard_in_visit();
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        ck_assert_msg(memmem(heard, length, parts[i], strlen(parts[i])) != NULL, "%s", parts[i]);
    }
    ck_assert_uint_lt(allocations.count, LAST_FAILURE);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_UPLINK_SENT), 2);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_EXTERNAL_MISSED), 0);
    check_nothing_left();
    tear_down_visit();
}
END_TEST

int main(void) {
    event_set_mem_functions(SURE_MALLOC, SURE_REALLOC, free);
    Suite *suite = suite_create("out_of_memory_later");
    TCase *tests = tcase_create("out_of_memory_later");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, start_service, stop_service);
    tcase_add_test(tests, no_visit_has_more_allocations_than_are_tried);
    tcase_add_loop_test(tests, one_allocation_fails, 0, BLOCKS);
    tcase_add_loop_test(tests, all_allocations_fail_from_one_on, 0, BLOCKS);
    tcase_add_loop_test(tests, one_fails_while_a_handshake_waits, 0, BLOCKS);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
