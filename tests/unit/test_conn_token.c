/* The life of a connection's token, by a clock that the test moves: the request for a new one, refresh, expiry. */
#include "common/clock.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/http/head_gate.h"
#include "tests/unit/conn_fixture.h"
#include "tests/unit/unit.h"

#define WALL_S 1700000000LL
#define LEAD_S 300

static uint64_t now_ms; /* since the test began */

static void set_clock(void) {
    clock_set_fake((1000 + now_ms) * 1000000, WALL_S * 1000 + (int64_t)now_ms);
}

static void start(void) {
    now_ms = 0;
    set_clock();
    set_up();
    options.auth_refresh_lead = LEAD_S * 1000;
    options.ws_ping_interval = 3600000;
    options.jwt_leeway_seconds = 30;
}

static void stop(void) {
    tear_down();
    clock_set_real();
}

static void pass_s(uint64_t seconds) {
    now_ms += seconds * 1000;
    set_clock();
    conn_timers_advance(&worker);
    turn();
}

/* One tick of the wheel, and a turn for what it has queued. */
static void tick(void) {
    now_ms += 2 * WHEEL_TICK_MS;
    set_clock();
    conn_timers_advance(&worker);
    turn();
}

static struct conn *open_websocket(void) {
    struct conn *conn = accept_one();
    head_gate_free(conn->input);
    conn->input = NULL;
    conn->flags &= (uint8_t)~CONN_INPUT_IS_HEAD;
    conn_set_state(&worker, conn, CONN_PENDING);
    return conn;
}

static int sign_in(struct conn *conn, const char *user, int64_t expires_in_s) {
    struct identity identity = {.expires_ms = (WALL_S + expires_in_s) * 1000};
    strcpy(identity.user_id, user);
    return conn_set_identity(&worker, conn, &identity);
}

/* How often the text stands in what has come since the last look. */
static int count(const char *text) {
    ssize_t got = hear();
    int found = 0;
    for (unsigned char *at = heard;
         got > 0 && (at = memmem(at, (size_t)(heard + got - at), text, strlen(text))) != NULL;
         at++) {
        found++;
    }
    return found;
}

#define REFRESH "\"type\":\"token_refresh_required\""

START_TEST(a_new_token_is_asked_for_once_in_time) {
    struct conn *conn = open_websocket();
    ck_assert_int_eq(sign_in(conn, "ann", 3600), 0);
    pass_s(3600 - LEAD_S - 1);
    ck_assert_int_eq(count(REFRESH), 0);
    pass_s(1);
    ck_assert_int_eq(count("\"data\":{\"expiresIn\":300000}"), 1);
    pass_s(LEAD_S - 2);
    ck_assert_int_eq(count(REFRESH), 0);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_s(2);
    tick();
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ck_assert_int_eq(count("TOKEN_EXPIRED"), 1);
}
END_TEST

START_TEST(with_less_left_it_is_asked_for_at_once) {
    struct conn *conn = open_websocket();
    ck_assert_int_eq(sign_in(conn, "ann", 60), 0);
    tick();
    ck_assert_int_eq(count("\"data\":{\"expiresIn\":59900}"), 1);
    pass_s(58);
    ck_assert_int_eq(count(REFRESH), 0);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_s(2);
    tick();
    ck_assert_int_eq(conn->state, CONN_CLOSING);
}
END_TEST

START_TEST(a_refresh_moves_both_dates) {
    struct conn *conn = open_websocket();
    ck_assert_int_eq(sign_in(conn, "ann", 60), 0);
    tick();
    ck_assert_int_eq(count(REFRESH), 1);
    ck_assert_int_eq(sign_in(conn, "bob", 7200), -EPERM);
    ck_assert_int_eq(sign_in(conn, "ann", 7200), 0);
    pass_s(7200 - LEAD_S - 1);
    ck_assert_int_eq(count(REFRESH), 0);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_s(2);
    ck_assert_int_eq(count(REFRESH), 1);
    ck_assert_int_eq(conn->state, CONN_LIVE);
}
END_TEST

/* Else client and server would ask and answer without a pause. */
START_TEST(an_issuer_of_short_tokens_does_not_keep_its_clients_busy) {
    struct conn *conn = open_websocket();
    int asked = 0;
    ck_assert_int_eq(sign_in(conn, "ann", 60), 0);
    for (int second = 0; second < 600; second++) {
        pass_s(1);
        if (count(REFRESH) > 0) {
            asked++;
            ck_assert_int_eq(sign_in(conn, "ann", (int64_t)now_ms / 1000 + 60), 0);
        }
    }
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert_int_ge(asked, 10);
    ck_assert_int_le(asked, 21);
}
END_TEST

START_TEST(a_token_accepted_in_its_leeway_gets_the_leeway) {
    struct conn *conn = open_websocket();
    ck_assert_int_eq(sign_in(conn, "ann", -10), 0);
    tick();
    ck_assert_int_eq(count("\"data\":{\"expiresIn\":19900}"), 1);
    pass_s(18);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_s(2);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
}
END_TEST

START_TEST(without_a_lead_nothing_is_asked) {
    options.auth_refresh_lead = 0;
    struct conn *conn = open_websocket();
    ck_assert_int_eq(sign_in(conn, "ann", 60), 0);
    pass_s(59);
    ck_assert_int_eq(count(REFRESH), 0);
    ck_assert_int_eq(conn->state, CONN_LIVE);
    pass_s(2);
    ck_assert_int_eq(conn->state, CONN_CLOSING);
    ck_assert_int_eq(count(REFRESH), 0);
}
END_TEST

START_TEST(a_token_of_the_far_future_never_ends) {
    struct conn *conn = open_websocket();
    ck_assert_int_eq(sign_in(conn, "ann", INT32_MAX), 0);
    for (int month = 0; month < 12; month++) {
        pass_s(30 * 86400);
    }
    ck_assert_int_eq(conn->state, CONN_LIVE);
    ck_assert_int_eq(count(REFRESH), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("conn_token");
    TCase *tests = tcase_create("tokens");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, a_new_token_is_asked_for_once_in_time);
    tcase_add_test(tests, with_less_left_it_is_asked_for_at_once);
    tcase_add_test(tests, a_refresh_moves_both_dates);
    tcase_add_test(tests, an_issuer_of_short_tokens_does_not_keep_its_clients_busy);
    tcase_add_test(tests, a_token_accepted_in_its_leeway_gets_the_leeway);
    tcase_add_test(tests, without_a_lead_nothing_is_asked);
    tcase_add_test(tests, a_token_of_the_far_future_never_ends);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
