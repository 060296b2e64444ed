/* A connection from its first byte to its last over a real socket pair, with the worker's loop turned by hand and
 * a clock that the test moves: each state ends, whatever the peer does. */
#include "gateway/connection/conn_read.h"
#include "tests/unit/conn_fixture.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

static void turns(int count) {
    while (count-- > 0) {
        turn();
    }
}

static struct conn *open_websocket(bool authenticated) {
    struct conn *conn = open_pending();
    if (authenticated) {
        struct identity identity = {.user_id = "ann", .expires_ms = INT64_MAX / 4};
        ck_assert_int_eq(conn_set_identity(&worker, conn, &identity), 0);
    }
    return conn;
}

static bool ended(void) {
    ssize_t got;
    do {
        got = hear();
    } while (got > 0);
    return got == 0 || errno == ECONNRESET;
}

static uint64_t sockets(void) {
    return stats_get(worker.stats, STAT_SOCKETS);
}

static void fill_socket(struct conn *conn) {
    static char text[100000];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 8; i++) {
        conn_send_text(&worker, conn, (struct span){text, sizeof text});
    }
    turns(3);
    ck_assert(conn->flags & CONN_BLOCKED);
}

/* --- HEAD, REPLYING, LINGER --- */

START_TEST(a_head_that_does_not_come_ends_with_408_and_no_byte_puts_it_off) {
    accept_one();
    say_text("GET / HTTP/1.1\r\n");
    for (int second = 0; second < 9; second++) {
        say_text("A");
        pass_ms(1000);
        ck_assert_uint_eq(sockets(), 1);
        ck_assert_int_eq(hear(), -1);
    }
    say_text("A");
    pass_ms(1200);
    turns(3);
    ck_assert_int_gt(hear(), 0);
    ck_assert_ptr_nonnull(memmem(heard, 64, " 408 ", 5));
    ck_assert_int_eq(hear(), 0);
    close(peer);
    peer = -1;
    turns(2);
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_peer_that_never_ends_its_side_is_left_after_two_seconds) {
    accept_one();
    say_text("nonsense\r\n\r\n");
    turns(4);
    ck_assert_int_gt(hear(), 0);
    ck_assert_int_eq(hear(), 0);
    ck_assert_uint_eq(sockets(), 1);
    for (int i = 0; i < 3 && sockets() > 0; i++) {
        send(peer, "more", 4, MSG_NOSIGNAL);
        pass_ms(1000);
    }
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_peer_that_has_half_closed_still_gets_its_answer) {
    struct conn *conn = accept_one();
    say_text("bad\r\n\r\n");
    shutdown(peer, SHUT_WR);
    event_base_loop(worker.base,
                    EVLOOP_ONCE |
                        EVLOOP_NONBLOCK); /* the request; then the end, before the flush */
    event_base_loop(worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    ck_assert_int_eq(conn->state, CONN_REPLYING);
    turns(2);
    ck_assert_int_gt(hear(), 0);
    ck_assert_ptr_nonnull(memmem(heard, 64, " 400 ", 5));
    turns(2);
    ck_assert(ended());
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(what_a_half_closed_peer_has_sent_too_much_does_not_reset_its_answer) {
    static char body[20000];
    accept_one();
    say_text("bad\r\n\r\n");
    say(body, sizeof body);
    shutdown(peer, SHUT_WR);
    turns(5);
    ck_assert_uint_eq(sockets(), 0);
    ck_assert_int_gt(hear(), 0);
    ck_assert_ptr_nonnull(memmem(heard, 64, " 400 ", 5));
    ck_assert_int_eq(hear(), 0); /* the end, not a reset */
}
END_TEST

START_TEST(an_answer_longer_than_the_socket_takes_reaches_a_half_closed_peer) {
    struct conn *conn = accept_one();
    static char answer[1 << 20];
    memset(answer, 'a', sizeof answer);
    conn_set_state(&worker, conn, CONN_REPLYING);
    conn_timers_set_deadline(&worker, conn, CONN_REPLY_TIMEOUT_MS);
    ck_assert_int_eq(conn_queue_bytes(&worker, conn, (struct span){answer, sizeof answer}), 0);
    shutdown(peer, SHUT_WR);
    size_t total = 0;
    for (int i = 0; i < 200; i++) {
        turns(2);
        ssize_t got = hear();
        if (got == 0) {
            break;
        }
        total += got > 0 ? (size_t)got : 0;
    }
    ck_assert_uint_eq(total, sizeof answer);
    turns(2);
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_blocked_answer_ends_with_its_deadline) {
    struct conn *conn = accept_one();
    static char answer[1 << 20];
    conn_set_state(&worker, conn, CONN_REPLYING);
    conn_timers_set_deadline(&worker, conn, CONN_REPLY_TIMEOUT_MS);
    ck_assert_int_eq(conn_queue_bytes(&worker, conn, (struct span){answer, sizeof answer}), 0);
    turns(3);
    ck_assert(conn->flags & CONN_BLOCKED);
    pass_ms(9000);
    ck_assert_uint_eq(sockets(), 1);
    pass_ms(2000);
    ck_assert_uint_eq(sockets(), 0);
    ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
}
END_TEST

/* --- PENDING, LIVE --- */

START_TEST(a_connection_that_does_not_authenticate_is_closed_with_1008) {
    struct conn *conn = open_websocket(false);
    pass_ms(9000);
    ck_assert_int_eq(conn->state, CONN_PENDING);
    pass_ms(1200);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ck_assert_int_gt(hear(), 4);
    ck_assert_uint_eq(heard[0], 0x88);
    ck_assert_uint_eq((unsigned)heard[2] << 8 | heard[3], 1008);
    pass_ms(6000); /* no Close comes back */
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_peer_that_is_silent_is_pinged_and_then_closed) {
    struct conn *conn = open_websocket(true);
    pass_ms(31000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PINGS), 1);
    ck_assert(conn->flags & CONN_AWAITING_PONG || conn->state == CONN_CLOSING);
    pass_ms(12000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PONG_TIMEOUTS), 1);
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

/* Over TCP, with all that is sent in the kernel: the client's own window is small. */
static struct conn *open_over_tcp(void) {
    struct conn *conn = open_websocket(true);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), small = 4096, large = 1 << 20;
    close(peer);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&address, size), 0);
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    ck_assert_int_eq(setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &large, sizeof large), 0);
    ck_assert_int_eq(dup3(accepted, conn->fd, O_CLOEXEC), conn->fd);
    close(accepted);
    close(listener);
    ck_assert_int_eq(conn_poll_add(&worker, conn), 0);
    static char text[100000];
    memset(text, 'x', sizeof text);
    conn_send_text(&worker, conn, (struct span){text, sizeof text});
    turns(3);
    ck_assert(!(conn->flags & CONN_BLOCKED));
    return conn;
}

START_TEST(a_client_whose_ping_waits_behind_what_it_reads_slowly_is_alive) {
    struct conn *conn = open_over_tcp();
    for (int second = 0; second < 120; second++) {
        recv(peer, heard, 500, MSG_DONTWAIT);
        if (second % 20 == 0) {
            recv(peer, heard, 4000, MSG_DONTWAIT); /* enough for its window to open */
        }
        pass_ms(1000);
        ck_assert_msg(conn->state == CONN_LIVE, "closed after %d s", second);
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PINGS), 1);
    while (recv(peer, heard, sizeof heard, MSG_DONTWAIT) > 0) {
        turns(1);
    }
    pass_ms(31000); /* all has been sent, and still there is no pong */
    pass_ms(6000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PONG_TIMEOUTS), 1);
}
END_TEST

START_TEST(a_client_that_reads_nothing_of_what_stands_before_its_ping_is_too_slow) {
    struct conn *conn = open_over_tcp();
    pass_ms(31000 + 5000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PINGS), 1);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_ms(31000);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SLOW_CLOSED), 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PONG_TIMEOUTS), 0);
}
END_TEST

START_TEST(any_byte_is_a_sign_of_life) {
    struct conn *conn = open_websocket(true);
    for (int second = 0; second < 300; second++) {
        if (second % 4 == 0) {
            say_frame(0x8a, "", 0);
        }
        pass_ms(1000);
    }
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert_uint_ge(stats_get(worker.stats, STAT_PINGS), 7);
}
END_TEST

START_TEST(a_client_that_reads_slowly_is_alive) {
    struct conn *conn = open_websocket(true);
    fill_socket(conn);
    for (int second = 0; second < 90; second++) {
        /* its socket is full again each second, and each second it reads some of it */
        if (conn->queue.bytes < 300000) {
            fill_socket(conn);
        }
        recv(peer, heard, 150000, MSG_DONTWAIT);
        pass_ms(1000);
        ck_assert_msg(conn->state == CONN_LIVE, "closed after %d s", second);
    }
}
END_TEST

START_TEST(a_client_that_reads_nothing_at_all_is_left) {
    struct conn *conn = open_websocket(true);
    fill_socket(conn);
    pass_ms(29000);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_ms(2000); /* WS_SLOW_TIMEOUT: told, as far as it ever reads */
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SLOW_CLOSED), 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PONG_TIMEOUTS), 0);
    pass_ms(31000);
    ck_assert_uint_eq(sockets(), 0);
    ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
}
END_TEST

START_TEST(a_blocked_client_that_goes_away_is_buried_at_once) {
    struct conn *conn = open_websocket(true);
    fill_socket(conn);
    close(peer);
    peer = -1;
    turns(2);
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_token_that_expires_closes_with_1008_after_saying_why) {
    struct conn *conn = open_websocket(true);
    conn_timers_set_expiry(&worker, conn, 1000);
    pass_ms(100);
    turns(2);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ssize_t got = hear();
    ck_assert_int_gt(got, 0);
    ck_assert_ptr_nonnull(memmem(heard, (size_t)got, "TOKEN_EXPIRED", 13));
    pass_ms(6000);
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_message_that_is_never_finished_closes_with_1008_and_one_that_is_does_not) {
    options.ws_ping_interval = 3600000;
    struct conn *conn = open_websocket(true);
    static const unsigned char begun[] = {0x81, 0x85, 0, 0, 0, 0, 'h', 'e'},
                               rest[] = {'l', 'l', 'o'};
    say(begun, sizeof begun);
    turns(2);
    pass_ms(20000);
    say(rest, sizeof rest);
    turns(2);
    ck_assert_uint_eq(conn->deadline_tick, 0);
    say(begun, sizeof begun);
    turns(2);
    pass_ms(29000);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_ms(1200);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
}
END_TEST

/* --- reading --- */

START_TEST(the_rest_of_a_long_frame_is_read_in_one_go_but_not_what_follows) {
    struct conn *conn = open_websocket(true);
    enum { LONG = 5000, SHORT = 7, COUNT = 6000 };
    static unsigned char bytes[8 + LONG + SHORT * COUNT];
    memcpy(bytes, "\x81\xfe\x13\x88\0\0\0\0", 8);
    memset(bytes + 8, 'a', LONG);
    for (int i = 0; i < COUNT; i++) {
        memcpy(bytes + 8 + LONG + i * SHORT, "\x81\x81\0\0\0\0x", SHORT);
    }
    int size = 1 << 20;
    setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    say(bytes, 100);
    conn_readable(&worker, conn);
    say(bytes + 100, sizeof bytes - 100);
    conn_readable(&worker, conn);
    ck_assert_uint_le(stats_get(worker.stats, STAT_MESSAGES_IN), 1 + 4096 / SHORT + 1);
    ck_assert_uint_ge(stats_get(worker.stats, STAT_MESSAGES_IN), 1);
}
END_TEST

START_TEST(a_client_that_does_not_read_its_pongs_is_read_no_more) {
    struct conn *conn = open_websocket(true);
    unsigned char pings[4080];
    char payload[120] = {0};
    for (size_t i = 0; i < sizeof pings / 126; i++) {
        memcpy(pings + i * 126, "\x89\xf8\0\0\0\0", 6);
        memcpy(pings + i * 126 + 6, payload, 120);
    }
    ssize_t sent = 0;
    for (int i = 0; i < 5000; i++) {
        ssize_t now = send(peer, pings, sizeof pings / 126 * 126, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += now > 0 ? now : 0;
        turn();
        ck_assert_uint_le(conn->queue.bytes, 40000);
    }
    ck_assert(conn->flags & CONN_BLOCKED);
    ck_assert_int_lt(sent, 5000 * 3000);
}
END_TEST

/* --- closing --- */

START_TEST(the_closing_handshake_of_the_client_ends_with_our_close_and_then_the_stream) {
    struct conn *conn = open_websocket(true);
    conn_send_text(&worker, conn, (struct span)SPAN_LITERAL("queued before"));
    say_frame(0x88, "\x03\xe8", 2);
    turns(3);
    ck_assert_int_eq(conn->state, CONN_LINGER);
    ssize_t got = hear();
    ck_assert_int_eq(got, 2 + 13 + 4);
    ck_assert_int_eq(memcmp(heard + 15, "\x88\x02\x03\xe8", 4), 0);
    ck_assert_int_eq(hear(), 0);
    close(peer);
    peer = -1;
    turns(2);
    ck_assert_uint_eq(sockets(), 0);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_CLOSED), 1);
}
END_TEST

START_TEST(our_closing_handshake_ends_as_soon_as_the_client_has_answered) {
    static const char *const answers[] = {"\x03\xe8", "\x03\xf4", "\x03\xf5", "\x03"};
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct conn *conn = open_websocket(true);
        conn_close(&worker, conn, CLOSE_SERVICE_RESTART, "Service restart");
        turns(2);
        ck_assert_int_eq(conn->state, CONN_CLOSING);
        ck_assert_int_gt(hear(), 0);
        ck_assert_int_eq(hear(), -1);
        say_frame(0x88, answers[i], strlen(answers[i]));
        turns(2);
        ck_assert_int_eq(conn->state, CONN_LINGER);
        ck_assert_int_eq(hear(), 0);
        close(peer);
        peer = -1;
        turns(2);
        ck_assert_uint_eq(sockets(), 0);
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PROTOCOL_ERRORS), 0);
}
END_TEST

START_TEST(a_protocol_error_gets_its_close_and_the_end_without_waiting) {
    struct conn *conn = open_websocket(true);
    say_frame(0xf1, "x", 1);
    turns(3);
    ck_assert_int_eq(conn->state, CONN_LINGER);
    ck_assert_int_eq(hear(), 4);
    ck_assert_int_eq(memcmp(heard, "\x88\x02\x03\xea", 4), 0);
    ck_assert_int_eq(hear(), 0);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PROTOCOL_ERRORS), 1);
}
END_TEST

START_TEST(a_blocked_close_waits_for_the_slow_and_not_for_ever) {
    struct conn *conn = open_websocket(true);
    fill_socket(conn);
    conn_too_slow(&worker, conn);
    pass_ms(29000);
    ck_assert_uint_eq(sockets(), 1);
    pass_ms(2000);
    ck_assert_uint_eq(sockets(), 0);
}
END_TEST

START_TEST(a_slow_client_that_reads_on_finds_whole_frames_and_1013) {
    struct conn *conn = open_websocket(true);
    fill_socket(conn);
    conn_too_slow(&worker, conn);
    size_t total = 0;
    for (int i = 0; i < 100; i++) {
        ssize_t got = recv(peer, heard + total, sizeof heard - total, MSG_DONTWAIT);
        total += got > 0 ? (size_t)got : 0;
        turn();
    }
    size_t at = 0;
    while (at < total && heard[at] == 0x81) {
        at += frame_length_at(heard + at);
    }
    ck_assert_uint_lt(at, total);
    ck_assert_uint_eq(heard[at], 0x88);
    ck_assert_uint_eq((unsigned)heard[at + 2] << 8 | heard[at + 3], 1013);
    ck_assert_uint_eq(at + frame_length_at(heard + at), total);
}
END_TEST

START_TEST(the_answers_to_all_who_are_read_in_a_turn_go_out_in_the_next) {
    int peers[100]; /* more than a slice, fewer than a turn reads */
    for (unsigned i = 0; i < ARRAY_LENGTH(peers); i++) {
        open_websocket(true);
        peers[i] = peer;
        say_frame(0x89, "", 0);
    }
    turns(2);
    for (unsigned i = 0; i < ARRAY_LENGTH(peers); i++) {
        peer = peers[i];
        ck_assert_int_eq(hear(), 2);
        ck_assert_int_eq(heard[0], 0x8a);
        close(peer);
    }
    peer = -1;
    turns(2);
}
END_TEST

START_TEST(a_peer_that_vanishes_in_any_state_is_buried) {
    for (int state = 0; state < 6; state++) {
        struct conn *conn = state == 0 ? accept_one() : open_websocket(state > 1);
        if (state == 3) {
            conn_close(&worker, conn, CLOSE_NORMAL, "");
        } else if (state == 4) {
            say_frame(0x88, "", 0);
        } else if (state == 5) {
            say("\x81\x85\0\0\0\0x", 7); /* in mid-frame */
        }
        turns(2);
        close(peer);
        peer = -1;
        turns(3);
        ck_assert_msg(sockets() == 0, "state %d", state);
        ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("conn_life");
    TCase *tests = tcase_create("conn_life");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_head_that_does_not_come_ends_with_408_and_no_byte_puts_it_off);
    tcase_add_test(tests, a_peer_that_never_ends_its_side_is_left_after_two_seconds);
    tcase_add_test(tests, a_peer_that_has_half_closed_still_gets_its_answer);
    tcase_add_test(tests, what_a_half_closed_peer_has_sent_too_much_does_not_reset_its_answer);
    tcase_add_test(tests, an_answer_longer_than_the_socket_takes_reaches_a_half_closed_peer);
    tcase_add_test(tests, a_blocked_answer_ends_with_its_deadline);
    tcase_add_test(tests, a_connection_that_does_not_authenticate_is_closed_with_1008);
    tcase_add_test(tests, a_peer_that_is_silent_is_pinged_and_then_closed);
    tcase_add_test(tests, a_client_whose_ping_waits_behind_what_it_reads_slowly_is_alive);
    tcase_add_test(tests, a_client_that_reads_nothing_of_what_stands_before_its_ping_is_too_slow);
    tcase_add_test(tests, any_byte_is_a_sign_of_life);
    tcase_add_test(tests, a_client_that_reads_slowly_is_alive);
    tcase_add_test(tests, a_client_that_reads_nothing_at_all_is_left);
    tcase_add_test(tests, a_blocked_client_that_goes_away_is_buried_at_once);
    tcase_add_test(tests, a_token_that_expires_closes_with_1008_after_saying_why);
    tcase_add_test(tests,
                   a_message_that_is_never_finished_closes_with_1008_and_one_that_is_does_not);
    tcase_add_test(tests, the_rest_of_a_long_frame_is_read_in_one_go_but_not_what_follows);
    tcase_add_test(tests, a_client_that_does_not_read_its_pongs_is_read_no_more);
    tcase_add_test(tests,
                   the_closing_handshake_of_the_client_ends_with_our_close_and_then_the_stream);
    tcase_add_test(tests, our_closing_handshake_ends_as_soon_as_the_client_has_answered);
    tcase_add_test(tests, a_protocol_error_gets_its_close_and_the_end_without_waiting);
    tcase_add_test(tests, a_blocked_close_waits_for_the_slow_and_not_for_ever);
    tcase_add_test(tests, a_slow_client_that_reads_on_finds_whole_frames_and_1013);
    tcase_add_test(tests, the_answers_to_all_who_are_read_in_a_turn_go_out_in_the_next);
    tcase_add_test(tests, a_peer_that_vanishes_in_any_state_is_buried);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
