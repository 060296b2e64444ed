/* The client's half of the WebSocket handshake and its URL. */
#include "gateway/client/ws_handshake.h"
#include "gateway/client/ws_url.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 */
#define GOOD                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define REFUSAL "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 54\r\n\r\n"
#define BODY    "{\"error\":{\"code\":\"UNAVAILABLE\",\"message\":\"Draining\\n!\"}}"

static enum ws_handshake_result check(const char *text, bool ended,
                                      struct ws_handshake_answer *out) {
    return ws_handshake_check(span_of(text), ended, KEY, out);
}

START_TEST(the_accept_value_is_that_of_the_standard) {
    char accept[WS_HANDSHAKE_ACCEPT_BYTES];
    ws_handshake_accept(KEY, accept);
    ck_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

START_TEST(two_keys_differ_and_have_24_characters) {
    char one[WS_HANDSHAKE_KEY_BYTES], two[WS_HANDSHAKE_KEY_BYTES];
    ck_assert_int_eq(ws_handshake_key(one), 0);
    ck_assert_int_eq(ws_handshake_key(two), 0);
    ck_assert_uint_eq(strlen(one), 24);
    ck_assert_str_ne(one, two);
}
END_TEST

START_TEST(a_request_that_does_not_fit_is_refused_at_every_size) {
    char buffer[1024];
    long whole = ws_handshake_request("h:1", "/ws", KEY, buffer, sizeof(buffer));
    ck_assert_int_gt(whole, 0);
    ck_assert_int_eq(whole, (long)strlen(buffer));
    ck_assert_int_eq(ws_handshake_request("h:1", "/ws", KEY, buffer, (size_t)whole), -ENOSPC);
    ck_assert_int_eq(ws_handshake_request("h:1", "/ws", KEY, buffer, (size_t)whole + 1), whole);
}
END_TEST

START_TEST(an_answer_is_incomplete_until_its_last_byte) {
    struct ws_handshake_answer answer;
    const size_t length = strlen(GOOD);
    for (size_t i = 0; i < length; i++) {
        ck_assert_int_eq(ws_handshake_check((struct span){GOOD, i}, false, KEY, &answer),
                         WS_HANDSHAKE_MORE);
    }
    ck_assert_int_eq(check(GOOD "\x81\x02hi", false, &answer), WS_HANDSHAKE_OPEN);
    ck_assert_uint_eq(answer.head_bytes, length);
}
END_TEST

START_TEST(a_101_that_does_not_fit_is_bad) {
    static const char *const answers[] = {
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.0 101 x\r\nUpgrade: websocket\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "\r\n\r\n",
    };
    struct ws_handshake_answer answer;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        ck_assert_msg(check(answers[i], false, &answer) == WS_HANDSHAKE_BAD, "answer %zu", i);
        ck_assert_uint_gt(strlen(answer.message), 0);
    }
    ck_assert_int_eq(check("", true, &answer), WS_HANDSHAKE_BAD);
    ck_assert_int_eq(check("HTTP/1.1 101", true, &answer), WS_HANDSHAKE_BAD);
}
END_TEST

START_TEST(a_refusal_tells_the_bodys_message_without_control_characters) {
    struct ws_handshake_answer answer;
    ck_assert_int_eq(check(REFUSAL "{\"error\"", false, &answer), WS_HANDSHAKE_MORE);
    ck_assert_int_eq(check(REFUSAL BODY, false, &answer), WS_HANDSHAKE_REFUSED);
    ck_assert_uint_eq(answer.status, 503);
    ck_assert_str_eq(answer.message, "Draining !");
}
END_TEST

START_TEST(a_refusal_without_a_json_body_tells_the_reason_phrase) {
    struct ws_handshake_answer answer;
    ck_assert_int_eq(check("HTTP/1.1 404 Not Found\r\n\r\n<html>", false, &answer),
                     WS_HANDSHAKE_MORE);
    ck_assert_int_eq(check("HTTP/1.1 404 Not Found\r\n\r\n<html>", true, &answer),
                     WS_HANDSHAKE_REFUSED);
    ck_assert_str_eq(answer.message, "Not Found");
    ck_assert_int_eq(check("HTTP/1.1 404\r\n\r\n", true, &answer), WS_HANDSHAKE_REFUSED);
    ck_assert_uint_eq(answer.status, 404);
}
END_TEST

START_TEST(a_url_comes_apart_into_host_port_and_target) {
    struct ws_url url;
    ck_assert_int_eq(ws_url_parse("ws://127.0.0.1:3008/ws?a=1", &url), 0);
    ck_assert_str_eq(url.host, "127.0.0.1");
    ck_assert_str_eq(url.port, "3008");
    ck_assert_str_eq(url.authority, "127.0.0.1:3008");
    ck_assert_str_eq(url.target, "/ws?a=1");
    ck_assert_int_eq(ws_url_parse("ws://[::1]:1?x", &url), 0);
    ck_assert_str_eq(url.host, "::1");
    ck_assert_str_eq(url.port, "1");
    ck_assert_str_eq(url.target, "/?x");
    ck_assert_int_eq(ws_url_parse("ws://example.com", &url), 0);
    ck_assert_str_eq(url.port, "80");
    ck_assert_str_eq(url.target, "/");
    ck_assert(!url.tls);
    ck_assert_int_eq(ws_url_parse("wss://a/", &url), 0);
    ck_assert(url.tls);
    ck_assert_str_eq(url.port, "443");
    ck_assert_int_eq(ws_url_parse("wss://[::1]:8443", &url), 0);
    ck_assert_str_eq(url.port, "8443");
}
END_TEST

START_TEST(what_is_no_ws_url_is_refused_and_leaves_the_output_alone) {
    static const char *const bad[] = {
        "",         "ws://",        "ws:///ws",     "http://a/",      "ws://a:0/", "ws://a:65536/",
        "ws://a:/", "ws://a:1x/",   "ws://u@a/",    "ws://a/ b",      "ws://a/#f", "ws://[::1",
        "ws://[]/", "ws://[::1]x/", "ws://a/\r\nX", "ws://a:123456/", "WS://a/",
    };
    struct ws_url url = {.host = "kept"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(ws_url_parse(bad[i], &url) == -EINVAL, "%s", bad[i]);
    }
    ck_assert_int_eq(ws_url_parse("wss://", &url), -EINVAL);
    ck_assert_int_eq(ws_url_parse("wss:", &url), -EINVAL);
    ck_assert_str_eq(url.host, "kept");
}
END_TEST

START_TEST(a_url_that_is_too_long_for_a_field_is_refused) {
    struct ws_url url;
    char text[2048];
    for (size_t length = 250; length < 260; length++) {
        snprintf(text, sizeof(text), "ws://%0*d/", (int)length, 0);
        ck_assert_int_eq(ws_url_parse(text, &url), length <= 255 ? 0 : -EINVAL);
    }
    for (size_t length = 1015; length < 1030; length++) {
        snprintf(text, sizeof(text), "ws://a/%0*d", (int)length, 0);
        ck_assert_int_eq(ws_url_parse(text, &url), length <= 1021 ? 0 : -EINVAL);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ws_handshake");
    TCase *tests = tcase_create("handshake and URL");
    tcase_add_test(tests, the_accept_value_is_that_of_the_standard);
    tcase_add_test(tests, two_keys_differ_and_have_24_characters);
    tcase_add_test(tests, a_request_that_does_not_fit_is_refused_at_every_size);
    tcase_add_test(tests, an_answer_is_incomplete_until_its_last_byte);
    tcase_add_test(tests, a_101_that_does_not_fit_is_bad);
    tcase_add_test(tests, a_refusal_tells_the_bodys_message_without_control_characters);
    tcase_add_test(tests, a_refusal_without_a_json_body_tells_the_reason_phrase);
    tcase_add_test(tests, a_url_comes_apart_into_host_port_and_target);
    tcase_add_test(tests, what_is_no_ws_url_is_refused_and_leaves_the_output_alone);
    tcase_add_test(tests, a_url_that_is_too_long_for_a_field_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
