/* What a client says behind a token that waits, over a real socket: kept, bounded, handled in order, forgotten. The tokens
 * are real ones, which wait because the control topic has not been read. */
#include "common/clock.h"
#include "gateway/access/token_verify.h"
#include "tests/unit/conn_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static int revocation_fd;
static char *token;

static void start(void) {
    char error[256];
    const struct identity identity = {.user_id = "ann"};
    set_up();
    options.jwt_secret = "0123456789abcdef0123456789abcdef";
    options.jwt_issuer = options.jwt_audience = "";
    ck_assert_int_eq(revocations_create(64, &revocation_fd), 0);
    ck_assert_int_eq(revocations_map(revocation_fd, false, &worker.view.revocations), 0);
    ck_assert_int_eq(auth_new(&options, false, &worker.auth, error, sizeof error), 0);
    ck_assert_int_eq(auth_mint(worker.auth, &identity, clock_wall_ms(), 3600, &token), 0);
}

static void stop(void) {
    token_verify_stop();
    tear_down();
    auth_free(worker.auth);
    free(token);
    revocations_unmap(&worker.view.revocations);
    close(revocation_fd);
}

static void turns(int count) {
    while (count-- > 0) {
        turn();
    }
}

static void say_long(const char *text) {
    size_t length = strlen(text);
    unsigned char frame[2048] = {0x81, 0x80 | 126, (unsigned char)(length >> 8),
                                 (unsigned char)length};
    ck_assert_uint_ge(length, 126);
    memcpy(frame + 8, text, length); /* masked with zeros */
    say(frame, 8 + length);
}

static void authenticate(const char *what) {
    char text[1024];
    snprintf(text, sizeof text,
             "{\"type\":\"authenticate\",\"id\":\"%s\",\"data\":{\"token\":\"%s\"}}", what, token);
    say_long(text);
}

/* "p" and a number as id, so many bytes in all. */
static void say_ping(int id, size_t length) {
    char text[1024];
    int head =
        snprintf(text, sizeof text, "{\"type\":\"ping\",\"id\":\"p%d\",\"data\":{\"x\":\"", id);
    memset(text + head, 'x', length - (size_t)head - 3);
    memcpy(text + length - 3, "\"}}", 4);
    say_long(text);
}

static void control_topic_is_read(void) {
    store_relaxed(&worker.view.segment.ingest->flags, INGEST_CAUGHT_UP);
    token_verify_tick(&worker);
}

/* Those of these words that have been heard, in the order in which they came. */
static const char *told(void) {
    static const char *const words[] = {"auth_success", "auth_failed", "auto_subscribed",
                                        "\"pong\"",     "\"rooms\",",  "NOT_AUTHENTICATED"};
    static char list[8192];
    ssize_t got = hear();
    list[0] = '\0';
    for (ssize_t i = 0; i < got; i++) {
        for (size_t w = 0; w < ARRAY_LENGTH(words); w++) {
            size_t length = strlen(words[w]);
            if ((size_t)(got - i) >= length && memcmp(heard + i, words[w], length) == 0) {
                strcat(strcat(list, list[0] != '\0' ? " " : ""), words[w]);
            }
        }
    }
    return list;
}

static unsigned count_of(const char *list, const char *word) {
    unsigned count = 0;
    for (; (list = strstr(list, word)) != NULL; list += strlen(word)) {
        count++;
    }
    return count;
}

static int unread_bytes(const struct conn *conn) {
    int bytes = 0;
    ck_assert_int_eq(ioctl(conn->fd, FIONREAD, &bytes), 0);
    return bytes;
}

static const char get_rooms[] = "{\"type\":\"get_rooms\"}";

START_TEST(they_wait_and_are_handled_in_order_when_the_verdict_is_there) {
    const struct conn *conn = open_pending();
    authenticate("a");
    say_frame(0x81, get_rooms, sizeof get_rooms - 1);
    say_ping(1, 200);
    turns(4);
    ck_assert_str_eq(told(), "");
    ck_assert_uint_eq(stats_get(worker.stats, STAT_MESSAGES_DEFERRED), 2);
    control_topic_is_read();
    turns(4);
    ck_assert_str_eq(told(), "auth_success auto_subscribed \"rooms\", \"pong\"");
    ck_assert(!(conn->flags & (CONN_DEFERS | CONN_UNREAD)));
    ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
    say_ping(2, 200);
    turns(3);
    ck_assert_str_eq(told(), "\"pong\"");
}
END_TEST

START_TEST(they_wait_also_when_they_come_one_byte_at_a_time) {
    const struct conn *conn = open_pending();
    authenticate("a");
    turns(2);
    char frame[6 + sizeof get_rooms] = "\x81\x94\0\0\0\0";
    ck_assert_uint_eq(sizeof get_rooms - 1, 0x14);
    memcpy(frame + 6, get_rooms, sizeof get_rooms);
    for (size_t i = 0; i < 5 + sizeof get_rooms; i++) {
        say(frame + i, 1);
        turn();
    }
    control_topic_is_read();
    /* what has come in the turn of the verdict stands behind what has waited */
    say_ping(1, 200);
    event_base_loop(worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    ck_assert(conn->flags & CONN_DEFERS);
    turns(3);
    ck_assert_str_eq(told(), "auth_success auto_subscribed \"rooms\", \"pong\"");
}
END_TEST

START_TEST(a_refusal_is_theirs_too) {
    open_pending();
    authenticate("a");
    say_frame(0x81, get_rooms, sizeof get_rooms - 1);
    turns(2);
    clock_set_fake(clock_mono_ns(), clock_wall_ms() + 7200000);
    control_topic_is_read();
    clock_set_real();
    turns(3);
    ck_assert_str_eq(told(), "auth_failed NOT_AUTHENTICATED");
}
END_TEST

START_TEST(a_token_among_them_may_have_to_wait_again_and_what_stands_behind_it_too) {
    struct conn *conn = open_pending();
    authenticate("a");
    say_ping(1, 200);
    authenticate("b");
    say_ping(2, 200);
    turns(3);
    /* the first one's verdict is that nobody can tell, long before the second's */
    conn_verdict_given(&worker, conn);
    turns(3);
    ck_assert_str_eq(told(), "\"pong\"");
    ck_assert(conn->flags & CONN_DEFERS);
    control_topic_is_read();
    turns(3);
    const char *heard_now = told();
    ck_assert_uint_eq(count_of(heard_now, "auth_success"), 2);
    ck_assert_uint_eq(count_of(heard_now, "pong"), 1);
    ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
}
END_TEST

START_TEST(one_connection_keeps_a_read_s_bytes_and_the_kernel_the_rest) {
    enum { COUNT = 60, LENGTH = 1000 };
    struct conn *conn = open_pending();
    authenticate("a");
    for (int i = 0; i < COUNT; i++) {
        say_ping(i, LENGTH);
    }
    turns(40);
    ck_assert(conn->flags & CONN_UNREAD);
    ck_assert_uint_lt(worker.conns->deferrals.bytes, 3 * CONN_DEFER_BYTES);
    ck_assert_int_gt(unread_bytes(conn), (COUNT - 10) * LENGTH);
    control_topic_is_read();
    turns(40);
    ck_assert_uint_eq(count_of(told(), "pong"), COUNT);
    ck_assert_int_eq(unread_bytes(conn), 0);
}
END_TEST

START_TEST(a_client_that_is_not_read_is_not_taken_for_dead) {
    options.auth_timeout = 200000;
    struct conn *conn = open_pending();
    authenticate("a");
    for (int i = 0; i < 20; i++) {
        say_ping(i, 1000);
    }
    turns(10);
    ck_assert(conn->flags & CONN_UNREAD);
    pass_ms(100000);
    ck_assert_int_eq(conn->state, CONN_PENDING);
    ck_assert_uint_ge(stats_get(worker.stats, STAT_PINGS), 2);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PONG_TIMEOUTS), 0);
    control_topic_is_read();
    pass_ms(1000);
    turns(10);
    ck_assert_uint_eq(count_of(told(), "pong"), 20);
}
END_TEST

/* Of more than ten such messages behind the token the last ones are left unread. */
static struct conn *open_with_long_ones(int count) {
    struct conn *conn = open_pending();

    authenticate("a");
    for (int i = 0; i < count; i++) {
        say_ping(i, 1000);
    }
    turns(10);
    ck_assert_int_eq((conn->flags & CONN_UNREAD) != 0, count > 10);
    return conn;
}

START_TEST(the_deadline_of_authentication_ends_it_read_or_not) {
    for (int count = 1; count < 40; count += 30) {
        struct conn *conn = open_with_long_ones(count);
        pass_ms((uint64_t)options.auth_timeout + 200);
        ck_assert_int_eq(conn->state, CONN_CLOSING);
        ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
        say_frame(0x88, "\x03\xf0", 2); /* its answer stands behind what nobody has read */
        turns(20);
        ck_assert_int_eq(conn->state, CONN_LINGER);
        ck_assert_uint_eq(count_of(told(), "pong"), 0);
        close(peer);
        turns(2);
    }
    peer = -1;
    token_verify_stop(); /* the answers find nobody */
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SOCKETS), 0);
}
END_TEST

START_TEST(whoever_goes_takes_it_along) {
    for (int count = 1; count < 40; count += 30) {
        (void)open_with_long_ones(count);
        close(peer);
        peer = -1;
        turns(3);
        ck_assert_uint_eq(stats_get(worker.stats, STAT_SOCKETS), 0);
        ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
    }
    control_topic_is_read();
    turns(3);
}
END_TEST

START_TEST(a_close_behind_one_comes_in_its_turn_and_nothing_counts_after_it) {
    struct conn *conn = open_pending();
    authenticate("a");
    say_ping(1, 200);
    say_frame(0x88, "\x03\xe8", 2);
    say_ping(2, 200);
    turns(4);
    say_ping(3, 200);
    turns(4);
    ck_assert_int_eq(conn->state, CONN_PENDING);
    control_topic_is_read();
    turns(4);
    ck_assert_int_eq(conn->state, CONN_LINGER);
    ck_assert_str_eq(told(), "auth_success auto_subscribed \"pong\"");
    ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
}
END_TEST

START_TEST(a_close_behind_the_token_alone_counts_at_once) {
    struct conn *conn = open_pending();
    authenticate("a");
    say_frame(0x88, "\x03\xe8", 2);
    turns(4);
    ck_assert_int_eq(conn->state, CONN_LINGER);
    control_topic_is_read();
    turns(2);
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(pings_of_the_protocol_are_answered_meanwhile) {
    open_pending();
    authenticate("a");
    say_ping(1, 200);
    say_frame(0x89, "hello", 5);
    turns(4);
    ck_assert_int_eq(hear(), 7);
    ck_assert_int_eq(memcmp(heard, "\x8a\x05hello", 7), 0);
}
END_TEST

START_TEST(a_worker_that_keeps_much_reads_none_that_waits) {
    struct conn *conn = open_pending();
    authenticate("a");
    turns(2);
    worker.conns->deferrals.bytes += CONN_DEFER_MOST;
    say_ping(1, 200);
    turns(4);
    ck_assert(conn->flags & CONN_UNREAD);
    ck_assert_int_gt(unread_bytes(conn), 200);
    worker.conns->deferrals.bytes -= CONN_DEFER_MOST;
    control_topic_is_read();
    turns(4);
    ck_assert_str_eq(told(), "auth_success auto_subscribed \"pong\"");
}
END_TEST

START_TEST(a_turn_handles_its_share) {
    enum { COUNT = 40 };
    static char text[4000];
    struct conn *conns[COUNT];
    memset(text, 'x', sizeof text); /* no JSON: answered with an error */
    for (int i = 0; i < COUNT; i++) {
        conns[i] = open_pending();
        close(peer);
        conn_await_verdict(conns[i]);
        conn_defer_text(&worker, conns[i], (struct span){text, sizeof text}, false);
    }
    peer = -1;
    for (int i = 0; i < COUNT; i++) {
        conn_verdict_given(&worker, conns[i]);
    }
    ck_assert(conn_defer_turn(&worker));
    uint64_t first = stats_get(worker.stats, STAT_ERRORS_OUT);
    ck_assert_uint_gt(first, 5);
    ck_assert_uint_lt(first, 20);
    while (conn_defer_turn(&worker)) {
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_ERRORS_OUT), COUNT);
    ck_assert_uint_eq(worker.conns->deferrals.bytes, 0);
}
END_TEST

START_TEST(a_message_begun_before_the_verdict_has_a_deadline_after_it) {
    options.ws_ping_interval = 3600000;
    struct conn *conn = open_pending();
    authenticate("a");
    say("\x81\x85\0\0\0\0h", 7);
    turns(2);
    control_topic_is_read();
    turns(2);
    ck_assert_int_eq(conn->state, CONN_CATCHING);
    pass_ms(CONN_MESSAGE_TIMEOUT_MS + 200);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
}
END_TEST

START_TEST(a_refresh_stops_nobody) {
    struct conn *conn = open_pending();
    store_relaxed(&worker.view.segment.ingest->flags, INGEST_CAUGHT_UP);
    authenticate("a");
    turns(2);
    ck_assert_str_eq(told(), "auth_success auto_subscribed");
    store_relaxed(&worker.view.segment.ingest->flags, INGEST_KAFKA_UP);
    authenticate("b");
    say_ping(1, 200);
    turns(2);
    ck_assert_str_eq(told(), "\"pong\"");
    ck_assert(!(conn->flags & CONN_DEFERS));
    authenticate("c"); /* one at a time */
    turns(2);
    ck_assert_str_eq(told(), "auth_failed");
    control_topic_is_read();
    turns(2);
    ck_assert_str_eq(told(), "auth_success");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("conn_defer");
    TCase *tests = tcase_create("conn_defer");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, they_wait_and_are_handled_in_order_when_the_verdict_is_there);
    tcase_add_test(tests, they_wait_also_when_they_come_one_byte_at_a_time);
    tcase_add_test(tests, a_refusal_is_theirs_too);
    tcase_add_test(tests, a_token_among_them_may_have_to_wait_again_and_what_stands_behind_it_too);
    tcase_add_test(tests, one_connection_keeps_a_read_s_bytes_and_the_kernel_the_rest);
    tcase_add_test(tests, a_client_that_is_not_read_is_not_taken_for_dead);
    tcase_add_test(tests, the_deadline_of_authentication_ends_it_read_or_not);
    tcase_add_test(tests, whoever_goes_takes_it_along);
    tcase_add_test(tests, a_close_behind_one_comes_in_its_turn_and_nothing_counts_after_it);
    tcase_add_test(tests, a_close_behind_the_token_alone_counts_at_once);
    tcase_add_test(tests, pings_of_the_protocol_are_answered_meanwhile);
    tcase_add_test(tests, a_worker_that_keeps_much_reads_none_that_waits);
    tcase_add_test(tests, a_turn_handles_its_share);
    tcase_add_test(tests, a_message_begun_before_the_verdict_has_a_deadline_after_it);
    tcase_add_test(tests, a_refresh_stops_nobody);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
