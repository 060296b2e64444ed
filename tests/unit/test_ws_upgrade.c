#include "gateway/connection/ws_upgrade.h"
#include "http_fixture.h"
#include "tests/unit/unit.h"

#define GOOD_KEY  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION13 "Sec-WebSocket-Version: 13\r\n"

struct outcome {
    unsigned status;
    char response[WS_UPGRADE_RESPONSE_MAX];
    size_t length;
    const char *reason, *extra_header;
};

static struct outcome upgrade(const char *line, const char *headers) {
    char head[2048];
    struct head_gate *gate;
    struct outcome outcome = {0};
    snprintf(head, sizeof(head), "%s\r\nHost: localhost\r\n%s\r\n", line, headers);
    const struct http_request *request = fixture_request(&gate, head);
    outcome.status = ws_upgrade_check(request, NULL, outcome.response, &outcome.length,
                                      &outcome.reason, &outcome.extra_header);
    head_gate_free(gate);
    return outcome;
}

static bool answer_is(const struct outcome *outcome, const char *wanted) {
    return outcome->status == 101 &&
           span_is((struct span){outcome->response, outcome->length}, wanted);
}

START_TEST(the_example_of_rfc_6455_gets_its_accept_key) {
    struct outcome outcome = upgrade("GET /chat HTTP/1.1", UPGRADE GOOD_KEY VERSION13);
    ck_assert(answer_is(&outcome, "HTTP/1.1 101 Switching Protocols\r\n"
                                  "Upgrade: websocket\r\n"
                                  "Connection: Upgrade\r\n"
                                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                  "\r\n"));
}
END_TEST

START_TEST(our_subprotocol_is_echoed_when_it_is_among_those_offered) {
    struct outcome outcome = upgrade("GET /ws HTTP/1.1", UPGRADE GOOD_KEY VERSION13
                                     "Sec-WebSocket-Protocol: chat, moonx.v1 ,other\r\n");
    ck_assert(answer_is(&outcome, "HTTP/1.1 101 Switching Protocols\r\n"
                                  "Upgrade: websocket\r\n"
                                  "Connection: Upgrade\r\n"
                                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                  "Sec-WebSocket-Protocol: moonx.v1\r\n"
                                  "\r\n"));
}
END_TEST

START_TEST(foreign_subprotocols_and_extensions_are_passed_over) {
    static const char *const offers[] = {
        "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: moonx.v1x\r\n",
        "Sec-WebSocket-Protocol: MOONX.V1\r\n", "Sec-WebSocket-Protocol:\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(offers); i++) {
        char headers[512];
        snprintf(headers, sizeof(headers), UPGRADE GOOD_KEY VERSION13 "%s", offers[i]);
        struct outcome outcome = upgrade("GET /ws HTTP/1.1", headers);
        ck_assert_uint_eq(outcome.status, 101);
        outcome.response[outcome.length] = '\0';
        ck_assert_ptr_null(strstr(outcome.response, "Protocol:"));
        ck_assert_ptr_null(strstr(outcome.response, "Extensions"));
    }
}
END_TEST

START_TEST(upgrade_and_connection_are_lists_without_case) {
    static const char *const spellings[] = {
        "Upgrade: WebSocket\r\nConnection: upgrade\r\n",
        "upgrade: h2c, WEBSOCKET\r\nConnection: UPGRADE\r\n",
        "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
        "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(spellings); i++) {
        char headers[512];
        snprintf(headers, sizeof(headers), GOOD_KEY VERSION13 "%s", spellings[i]);
        ck_assert_uint_eq(upgrade("GET /ws HTTP/1.1", headers).status, 101);
    }
}
END_TEST

static const struct refusal {
    unsigned status;
    const char *line, *headers;
} refusals[] = {
    {405, "POST /ws HTTP/1.1", UPGRADE GOOD_KEY VERSION13},
    {405, "HEAD /ws HTTP/1.1", UPGRADE GOOD_KEY VERSION13},
    {400, "GET /ws HTTP/1.0", UPGRADE GOOD_KEY VERSION13},
    {426, "GET /ws HTTP/1.1", ""},
    {426, "GET /ws HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n" GOOD_KEY VERSION13},
    {426, "GET /ws HTTP/1.1", "Upgrade: websockets\r\nConnection: Upgrade\r\n" GOOD_KEY VERSION13},
    {400, "GET /ws HTTP/1.1", "Upgrade: websocket\r\n" GOOD_KEY VERSION13},
    {400, "GET /ws HTTP/1.1", "Upgrade: websocket\r\nConnection: close\r\n" GOOD_KEY VERSION13},
    {400, "GET /ws HTTP/1.1", UPGRADE GOOD_KEY},
    {426, "GET /ws HTTP/1.1", UPGRADE GOOD_KEY "Sec-WebSocket-Version: 8\r\n"},
    {426, "GET /ws HTTP/1.1", UPGRADE GOOD_KEY "Sec-WebSocket-Version: 013\r\n"},
    {426, "GET /ws HTTP/1.1", UPGRADE GOOD_KEY "Sec-WebSocket-Version: 13, 8\r\n"},
    {426, "GET /ws HTTP/1.1", UPGRADE GOOD_KEY "Sec-WebSocket-Version:\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key:\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-_==\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==\r\n"},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 GOOD_KEY GOOD_KEY},
    {400, "GET /ws HTTP/1.1", UPGRADE VERSION13 VERSION13 GOOD_KEY},
    {400, "GET /ws HTTP/1.1",
     UPGRADE VERSION13 GOOD_KEY
     "Sec-WebSocket-Protocol: moonx.v1\r\nSec-WebSocket-Protocol: x\r\n"},
    {400, "GET /ws HTTP/1.1",
     UPGRADE VERSION13 GOOD_KEY "Sec-WebSocket-Extensions: a\r\nsec-websocket-extensions: b\r\n"},
};

START_TEST(a_handshake_with_a_fault_gets_its_status) {
    const struct refusal *row = &refusals[_i];
    struct outcome outcome = upgrade(row->line, row->headers);
    ck_assert_msg(outcome.status == row->status, "row %d: %u", _i, outcome.status);
    ck_assert(outcome.reason && outcome.reason[0]);
    ck_assert_ptr_nonnull(outcome.extra_header);
    ck_assert_uint_eq(outcome.length, 0);
    if (outcome.status == 426) {
        ck_assert_ptr_nonnull(strstr(outcome.extra_header, "Sec-WebSocket-Version: 13\r\n"));
        ck_assert_ptr_nonnull(strstr(outcome.extra_header, "Upgrade: websocket\r\n"));
    }
    if (outcome.status == 405) {
        ck_assert_str_eq(outcome.extra_header, "Allow: GET\r\n");
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ws_upgrade");
    TCase *tests = tcase_create("ws_upgrade");
    tcase_add_test(tests, the_example_of_rfc_6455_gets_its_accept_key);
    tcase_add_test(tests, our_subprotocol_is_echoed_when_it_is_among_those_offered);
    tcase_add_test(tests, foreign_subprotocols_and_extensions_are_passed_over);
    tcase_add_test(tests, upgrade_and_connection_are_lists_without_case);
    tcase_add_loop_test(tests, a_handshake_with_a_fault_gets_its_status, 0,
                        (int)ARRAY_LENGTH(refusals));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
