#include "ingest/event_wrap.h"

#include "tests/unit/route_fixture.h"
#include "tests/unit/unit.h"

static char envelope[4096];

static const char *wrap(const char *topic, const char *value, int64_t offset, int64_t time_ms) {
    struct event_source source = {
        .label = SPAN_LITERAL("a.topic:3"), .offset = offset, .kafka_time_ms = time_ms};
    struct event_wrap made;
    struct event event;
    struct json_value checked;

    ck_assert_msg(event_check(fixture_route(topic), span_of(value), &event) == EVENT_OK, "%s",
                  value);
    event_wrap_prepare(&made, &source, &event);
    ck_assert_uint_lt(made.length, sizeof(envelope));
    memset(envelope, '?', sizeof(envelope));
    ck_assert_ptr_eq(event_wrap_write(&made, envelope), envelope + made.length);
    ck_assert_int_eq(envelope[made.length], '?');
    envelope[made.length] = '\0';
    ck_assert_int_eq(json_check(span_of(envelope), &checked, NULL), JSON_OK);
    return envelope;
}

START_TEST(the_value_s_bytes_are_spliced_as_they_are) {
    ck_assert_str_eq(wrap("order.updates",
                          " { \"orderId\" : 1.50,\n\"userId\":\"\\u00e9\",\"n\":1e400}", 41, 1700),
                     "{\"id\":\"a.topic:3:41\",\"type\":\"order_update\",\"timestamp\":1700,"
                     "\"data\":{ \"orderId\" : 1.50,\n\"userId\":\"\\u00e9\",\"n\":1e400}}");
}
END_TEST

START_TEST(an_envelope_s_own_id_becomes_source_id_with_its_own_text) {
    ck_assert_str_eq(
        wrap("user-action.updates",
             "{\"type\":\"user_action\",\"id\":\"a\\\"b\",\"data\":{\"x\":1}}", 0, 0),
        "{\"id\":\"a.topic:3:0\",\"type\":\"user_action\",\"timestamp\":0,\"data\":{\"x\":1},"
        "\"sourceId\":\"a\\\"b\"}");
    ck_assert_str_eq(
        wrap("user-action.updates", "{\"type\":\"user_action\",\"id\":1.0,\"data\":{}}", 0, 0),
        "{\"id\":\"a.topic:3:0\",\"type\":\"user_action\",\"timestamp\":0,\"data\":{},\"sourceId\":"
        "1.0}");
}
END_TEST

START_TEST(a_published_event_says_who_it_is_from) {
    ck_assert_str_eq(
        wrap("gateway.events",
             "{\"from\":\"u\",\"type\":\"t\\u00e9\",\"room\":\"r\",\"data\":{\"from\":1}}", 7, 8),
        "{\"id\":\"a.topic:3:7\",\"type\":\"t\\u00e9\",\"timestamp\":8,\"data\":{\"from\":1},"
        "\"from\":\"u\"}");
    ck_assert_str_eq(wrap("gateway.events",
                          "{\"id\":\"\",\"from\":5,\"type\":\"t\",\"room\":\"r\",\"data\":{}}", 7,
                          8),
                     "{\"id\":\"a.topic:3:7\",\"type\":\"t\",\"timestamp\":8,\"data\":{},"
                     "\"sourceId\":\"\",\"from\":5}");
}
END_TEST

START_TEST(numbers_at_the_edge_are_printed_whole) {
    ck_assert_ptr_nonnull(strstr(wrap("trade.updates", "{\"tradeId\":1}", INT64_MAX, INT64_MIN),
                                 "a.topic:3:9223372036854775807\",\"type\":\"trade_update\","
                                 "\"timestamp\":-9223372036854775808,"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("event_wrap");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, fixture_open_routes, fixture_close_routes);
    tcase_add_test(tests, the_value_s_bytes_are_spliced_as_they_are);
    tcase_add_test(tests, an_envelope_s_own_id_becomes_source_id_with_its_own_text);
    tcase_add_test(tests, a_published_event_says_who_it_is_from);
    tcase_add_test(tests, numbers_at_the_edge_are_printed_whole);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
