/* A connection that speaks TLS, over a real socket pair with the worker's loop turned by hand: the handshake in any pieces
 * and at any pace, records in both directions, and what a slow client gets. */
#include "common/clock.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/conn_tls.h"
#include "shm/limit_table.h"
#include "tests/unit/conn_fixture.h"
#include "tests/unit/tls_fixture.h"
#include "tests/unit/unit.h"

static SSL_CTX *client_context;
static SSL *client;
static BIO *to_server, *from_server; /* what the client has said, and what it is to hear */
static struct options with_tls;
static struct host_block host; /* nothing drains */

static void set_up_tls(void) {
    char error[512];
    set_up();
    worker.view.host = &host;
    worker.view.workers[0] = worker.block;
    worker.view.worker_count = 1;
    tls_folder_make();
    tls_make(&(struct tls_made){"one", "DNS:one.example", -1, 60, NULL, 0});
    with_tls = tls_options(tls_path("one.crt"), tls_path("one.key"));
    ck_assert_int_eq(tls_new(&with_tls, NULL, &worker.tls, error, sizeof error), 0);
    client_context = SSL_CTX_new(TLS_client_method());
    ck_assert_ptr_nonnull(client_context);
}

static void end_client(void) {
    SSL_free(client);
    client = NULL;
}

static void tear_down_tls(void) {
    end_client();
    SSL_CTX_free(client_context);
    tear_down();
    tls_free(worker.tls);
    tls_folder_remove();
}

static struct conn *accept_client(void) {
    struct conn *conn = accept_one();
    client = SSL_new(client_context);
    to_server = BIO_new(BIO_s_mem());
    from_server = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(from_server, -1);
    SSL_set_bio(client, from_server, to_server);
    SSL_set_connect_state(client);
    ck_assert_int_eq(conn->state, CONN_TLS);
    return conn;
}

/* What the server has said goes to the client; true when there was something. */
static bool carry_back(void) {
    ssize_t got = hear();
    if (got > 0) {
        ck_assert_int_eq(BIO_write(from_server, heard, (int)got), (int)got);
    }
    return got > 0;
}

/* What the client has said goes to the server, in pieces of so many bytes, a turn each. */
static void carry(size_t piece) {
    static char bytes[1 << 16];
    size_t length = 0;
    int got = BIO_read(to_server, bytes, sizeof bytes);
    for (size_t at = 0; got > 0 && at < (size_t)got; at += length) {
        length = (size_t)got - at < piece ? (size_t)got - at : piece;
        say(bytes + at, length);
        turn();
    }
    turn();
}

static void shake_hands(size_t piece) {
    for (int i = 0; i < 10 && SSL_do_handshake(client) != 1; i++) {
        carry(piece);
        carry_back();
    }
    ck_assert(SSL_is_init_finished(client));
    carry(piece);
}

static void say_securely(const void *bytes, int length) {
    ck_assert_int_eq(SSL_write(client, bytes, length), length);
    carry(1 << 16);
}

/* The plain bytes that have come, all of them. */
static size_t hear_securely(unsigned char *buffer, size_t size) {
    size_t length = 0;
    for (int got = 1; got > 0 && length < size;) {
        got = SSL_read(client, buffer + length, (int)(size - length));
        length += got > 0 ? (size_t)got : 0;
    }
    return length;
}

static struct conn *open_websocket(void) {
    static const char upgrade[] =
        "GET /ws HTTP/1.1\r\nHost: one.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct conn *conn = accept_client();
    shake_hands(1 << 16);
    ck_assert_int_eq(conn->state, CONN_HEAD);
    say_securely(upgrade, sizeof upgrade - 1);
    ck_assert_int_eq(conn->state, CONN_PENDING);
    return conn;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(a_handshake_that_comes_byte_by_byte_is_done) {
    SSL_CTX_set_min_proto_version(client_context, versions[_i]);
    SSL_CTX_set_max_proto_version(client_context, versions[_i]);
    struct conn *conn = accept_client();
    shake_hands(1);
    ck_assert_int_eq(conn->state, CONN_HEAD);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_TLS_FULL), 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_TLS_CONNECTIONS), 1);
    say_securely("nonsense\r\n\r\n", 12);
    for (int i = 0; i < 3; i++) {
        turn();
    }
    unsigned char text[4096];
    carry_back();
    ck_assert_uint_gt(hear_securely(text, sizeof text), 0);
    ck_assert_ptr_nonnull(memmem(text, 64, " 400 ", 5));
    ck_assert_int_eq(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}
END_TEST

START_TEST(a_handshake_that_drips_ends_ten_seconds_after_its_beginning) {
    accept_client();
    SSL_do_handshake(client);
    char bytes[64];
    for (int second = 0; second < 9; second++) {
        ck_assert_int_eq(BIO_read(to_server, bytes, 1), 1);
        say(bytes, 1);
        pass_ms(1000);
        ck_assert_uint_eq(stats_get(worker.stats, STAT_SOCKETS), 1);
    }
    say("x", 1);
    pass_ms(1500);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SOCKETS), 0);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_TLS_FAILED), 1);
}
END_TEST

START_TEST(one_that_says_nothing_costs_no_session_and_is_no_failure) {
    accept_client();
    pass_ms(9000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_TLS_CONNECTIONS), 0);
    pass_ms(2000);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SOCKETS), 0);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_TLS_FAILED), 0);
}
END_TEST

START_TEST(a_head_behind_a_slow_handshake_has_no_more_time_than_without) {
    struct conn *conn = accept_client();
    pass_ms(8000);
    shake_hands(1 << 16);
    ck_assert_int_eq(conn->state, CONN_HEAD);
    pass_ms(2500);
    ck_assert_int_ne(conn->state, CONN_HEAD);
}
END_TEST

/* Whole frames from the server, the last a Close; its code. */
static unsigned count_frames(const unsigned char *bytes, size_t length, unsigned *texts) {
    size_t at = 0;
    while (at + 2 <= length) {
        size_t size = bytes[at + 1], head = 2;
        if (size == 126) {
            size = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
            head = 4;
        } else if (size == 127) {
            size = (size_t)bytes[at + 7] << 16 | (size_t)bytes[at + 8] << 8 | bytes[at + 9];
            head = 10;
        }
        ck_assert_uint_le(at + head + size, length);
        if (bytes[at] == 0x88) {
            ck_assert_uint_eq(at + head + size, length);
            return (unsigned)bytes[at + head] << 8 | bytes[at + head + 1];
        }
        ck_assert_uint_eq(bytes[at], 0x81);
        ck_assert_int_eq(bytes[at + head], size > 60000 ? 'x' : '{');
        ++*texts;
        at += head + size;
    }
    ck_abort_msg("no Close");
    return 0;
}

/* The record that the full socket has taken in part is out of our hands: what is dropped must be what comes after it. */
START_TEST(what_a_slow_client_gets_ends_on_a_frame_although_the_rest_is_dropped) {
    static char text[70000];
    static unsigned char all[8 << 20];
    struct conn *conn = open_websocket();
    carry_back();
    size_t length = hear_securely(all, sizeof all);
    const unsigned char *first = memmem(all, length, "\r\n\r\n", 4);
    ck_assert_ptr_nonnull(first);
    size_t skipped = (size_t)(first + 4 - all);
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100 && !(conn->flags & CONN_BLOCKED); i++) {
        conn_send_text(&worker, conn, (struct span){text, sizeof text});
        turn();
    }
    ck_assert(conn_tls_pending(&worker, conn));
    conn_send_text(&worker, conn, (struct span){text, sizeof text});
    conn_send_text(&worker, conn, (struct span){text, sizeof text});
    conn_too_slow(&worker, conn);
    for (int i = 0; i < 200; i++) {
        if (carry_back()) {
            length += hear_securely(all + length, sizeof all - length);
        }
        turn();
    }
    unsigned texts = 0;
    ck_assert(!conn_tls_pending(&worker, conn));
    ck_assert_uint_eq(count_frames(all + skipped, length - skipped, &texts), 1013);
    ck_assert_uint_gt(texts, 1);
}
END_TEST

START_TEST(messages_in_one_record_are_all_answered_though_the_socket_says_no_more) {
    struct conn *conn = open_websocket();
    static unsigned char all[1 << 20];
    unsigned char record[16000];
    size_t length = 0;
    while (length + 23 < sizeof record) { /* {"type":"ping"}, masked with zeros */
        memcpy(record + length, "\x81\x8f\0\0\0\0{\"type\":\"ping\"}", 21);
        length += 21;
    }
    carry_back();
    hear_securely(all, sizeof all);
    say_securely(record, (int)length);
    size_t got = 0;
    for (int i = 0; i < 50; i++) {
        turn();
        if (carry_back()) {
            got += hear_securely(all + got, sizeof all - got);
        }
    }
    unsigned answers = 0;
    for (const unsigned char *at = all; at != NULL; at++) {
        at = memmem(at, got - (size_t)(at - all), "\"pong\"", 6);
        if (at == NULL) {
            break;
        }
        answers++;
    }
    ck_assert_int_eq(conn->state, CONN_PENDING);
    ck_assert_uint_eq(answers, length / 21);
}
END_TEST

START_TEST(too_many_in_a_second_are_sent_away_before_any_cryptography) {
    int fd;
    struct limit_table table;
    char error[256];
    options.rate_limit_enabled = true;
    options.rate_limit_max_handshakes_per_second = 1;
    options.rate_limit_max_messages_per_minute = "120";
    options.messages_denied = "";
    options.allowed_origins = options.address_allow = options.address_deny =
        options.trusted_proxies = "";
    ck_assert_msg(middleware_new(&options, &worker.middleware, error, sizeof error) == 0, "%s",
                  error);
    ck_assert_int_eq(limit_table_create(16, 1, &fd), 0);
    ck_assert_int_eq(limit_table_map(fd, &table), 0);
    worker.heritage.limit_fd = fd;
    ck_assert_int_eq(middleware_attach(&worker, worker.middleware), 0);
    struct conn *conn = open_websocket(); /* one token is enough for both handshakes */
    ck_assert_int_eq(conn->state, CONN_PENDING);
    end_client();
    conn_kill(&worker, conn);
    turn();
    close(peer);
    conn = accept_client();
    SSL_do_handshake(client);
    carry(1 << 16);
    ck_assert_int_eq(conn->state, CONN_LINGER);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_REFUSED_RATE), 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_TLS_CONNECTIONS), 0);
    carry_back();
    ck_assert_int_eq(SSL_do_handshake(client), -1);
    ck_assert_int_eq(SSL_get_error(client, -1), SSL_ERROR_SSL);
    conn_kill(&worker, conn);
    turn();
    middleware_free(worker.middleware);
    worker.middleware = NULL;
    limit_table_unmap(&table);
    close(fd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("conn_tls");
    TCase *tests = tcase_create("conn_tls");
    tcase_add_checked_fixture(tests, set_up_tls, tear_down_tls);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_handshake_that_comes_byte_by_byte_is_done, 0,
                        ARRAY_LENGTH(versions));
    tcase_add_test(tests, a_handshake_that_drips_ends_ten_seconds_after_its_beginning);
    tcase_add_test(tests, one_that_says_nothing_costs_no_session_and_is_no_failure);
    tcase_add_test(tests, a_head_behind_a_slow_handshake_has_no_more_time_than_without);
    tcase_add_test(tests, what_a_slow_client_gets_ends_on_a_frame_although_the_rest_is_dropped);
    tcase_add_test(tests, messages_in_one_record_are_all_answered_though_the_socket_says_no_more);
    tcase_add_test(tests, too_many_in_a_second_are_sent_away_before_any_cryptography);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
