#include "ingest/event_check.h"

#include "tests/unit/route_fixture.h"
#include "tests/unit/unit.h"

static struct event event;

static enum event_fault check(const char *topic, const char *value) {
    return event_check(fixture_route(topic), span_of(value), &event);
}

static bool data_is(const char *text) {
    return event.data.type == JSON_OBJECT && span_is(event.data.text, text);
}

/* As a back end sends them. */
static const struct {
    const char *topic, *type, *data;
} samples[] = {
    {"price.updates", "price_update",
     "{\"token\":\"ETH\",\"chainId\":1,\"price\":\"2150.45\",\"priceUsd\":2150.45,\"change24h\":-1."
     "20,"
     "\"volume24h\":1.5e9,\"timestamp\":1700000000000}"},
    {"order.updates", "order_update",
     "{\"orderId\":\"o-1\",\"userId\":\"u-1\",\"status\":\"filled\",\"tokenIn\":\"USDC\","
     "\"tokenOut\":\"ETH\","
     "\"amountIn\":\"10500.25\",\"amountOut\":10500.250,\"chainId\":1}"},
    {"portfolio.updates", "portfolio_update",
     "{\"userId\":42,\"totalValue\":12345678901234567890,\"tokens\":[{\"token\":\"ETH\","
     "\"balance\":\"1.50\","
     "\"valueUsd\":3225.675}],\"chainId\":1}"},
    {"trade.updates", "trade_update",
     "{\"tradeId\":\"t-1\",\"userId\":\"u-1\",\"tokenIn\":\"USDC\",\"tokenOut\":\"ETH\","
     "\"amountIn\":\"1\","
     "\"amountOut\":\"2\",\"txHash\":\"0xab\",\"chainId\":1}"},
    {"notification.updates", "notification",
     "{\"type\":\"info\",\"title\":\"t\",\"message\":\"m\",\"actionUrl\":\"/x\",\"timestamp\":1}"},
    {"user-action.updates", "user_action",
     "{\"action\":\"like\",\"targetId\":\"p\",\"targetType\":\"post\",\"userId\":\"u\","
     "\"metadata\":{},"
     "\"timestamp\":1}"},
    {"system.alerts", "system_alert", "{\"level\":\"info\",\"message\":\"caf\u00e9 \\u00e9\"}"},
};

START_TEST(a_sample_is_bare_data_and_the_same_in_an_envelope) {
    char value[1024];

    ck_assert_int_eq(check(samples[_i].topic, samples[_i].data), EVENT_OK);
    ck_assert(data_is(samples[_i].data));
    ck_assert(span_is(event.type, samples[_i].type));
    ck_assert_int_eq(event.id.type, JSON_NULL);
    snprintf(value, sizeof(value),
             " {\"id\":\"own-1\",\"type\":\"%s\",\"timestamp\":1,\"data\":%s}\n", samples[_i].type,
             samples[_i].data);
    ck_assert_int_eq(check(samples[_i].topic, value), EVENT_OK);
    ck_assert(data_is(samples[_i].data));
    ck_assert(span_is(event.type, samples[_i].type));
    ck_assert(span_is(event.id.text, "own-1"));
}
END_TEST

START_TEST(an_envelope_has_the_route_s_type_and_an_object_as_data) {
    static const char other[] = "{\"type\":\"info\",\"data\":{\"x\":1},\"title\":1,\"message\":2}";
    static const char no_object[] =
        "{\"type\":\"notification\",\"data\":[],\"title\":1,\"message\":2}";

    ck_assert_int_eq(check("notification.updates", other), EVENT_OK);
    ck_assert(data_is(other));
    ck_assert_int_eq(check("notification.updates", no_object), EVENT_OK);
    ck_assert(data_is(no_object));
    ck_assert_int_eq(
        check("notification.updates",
              "{\"t\\u0079pe\":\"notif\\u0069cation\",\"d\\u0061ta\":{\"title\":1,\"message\":2}}"),
        EVENT_OK);
    ck_assert(data_is("{\"title\":1,\"message\":2}"));
}
END_TEST

START_TEST(the_value_s_own_id_is_kept_when_it_is_a_string_or_a_number) {
    ck_assert_int_eq(
        check("user-action.updates", "{\"type\":\"user_action\",\"id\":17,\"data\":{}}"), EVENT_OK);
    ck_assert_int_eq(event.id.type, JSON_NUMBER);
    ck_assert_int_eq(
        check("user-action.updates", "{\"type\":\"user_action\",\"id\":[],\"data\":{}}"), EVENT_OK);
    ck_assert_int_eq(event.id.type, JSON_NULL);
    ck_assert_int_eq(check("user-action.updates", "{\"id\":17}"), EVENT_OK);
    ck_assert_int_eq(event.id.type, JSON_NULL);
}
END_TEST

static const struct {
    const char *topic, *value;
    enum event_fault fault;
} bad[] = {
    {"order.updates", "", EVENT_SYNTAX},
    {"order.updates", "not json", EVENT_SYNTAX},
    {"order.updates", "{\"a\":1}x", EVENT_SYNTAX},
    {"order.updates", "\xef\xbb\xbf{}", EVENT_SYNTAX},
    {"order.updates", "{\"a\":\"\xff\"}", EVENT_UTF8},
    {"order.updates", "{\"a\":\"\\u0000\"}", EVENT_NUL},
    {"order.updates", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", EVENT_DEPTH},
    {"order.updates", "[1]", EVENT_KIND},
    {"order.updates", "null", EVENT_KIND},
    {"order.updates", "{}", EVENT_FIELD},
    {"order.updates", "{\"orderId\":1}", EVENT_FIELD},
    {"order.updates", "{\"orderId\":1,\"userId\":null}", EVENT_FIELD},
    {"order.updates", "{\"type\":\"order_update\",\"data\":{},\"orderId\":1,\"userId\":1}",
     EVENT_FIELD},
    {"order.updates", "{\"orderId\":1,\"userId\":1,\"userId\":2}", EVENT_TWICE},
    {"order.updates", "{\"orderId\":1,\"userId\":1,\"user\\u0049d\":2}", EVENT_TWICE},
    {"order.updates", "{\"type\":1,\"type\":2,\"orderId\":1,\"userId\":1}", EVENT_TWICE},
    {"order.updates", "{\"data\":1,\"d\\u0061ta\":2,\"orderId\":1,\"userId\":1}", EVENT_TWICE},
    {"gateway.events", "{\"data\":{},\"room\":\"r\"}", EVENT_TYPE},
    {"gateway.events", "{\"type\":7,\"data\":{}}", EVENT_TYPE},
    {"gateway.events", "{\"type\":\"\",\"data\":{}}", EVENT_TYPE},
    {"gateway.events", "{\"type\":\"x\"}", EVENT_DATA},
    {"gateway.events", "{\"type\":\"x\",\"data\":\"d\"}", EVENT_DATA},
    {"gateway.events", "{\"type\":\"x\",\"data\":{},\"from\":{}}", EVENT_LABEL},
    {"gateway.events", "{\"type\":\"x\",\"data\":{},\"from\":1,\"from\":2}", EVENT_TWICE},
    {"gateway.events", "{\"type\":\"x\",\"data\":{},\"room\":\"a\",\"room\":\"b\"}", EVENT_TWICE},
    {"gateway.events", "{\"type\":\"x\",\"data\":{},\"rooms\":[],\"rooms\":[]}", EVENT_TWICE},
    {"gateway.events", "{\"type\":\"x\",\"data\":{},\"id\":1,\"id\":2}", EVENT_TWICE},
    {"gateway.control", "{\"type\":\"revoke\"}", EVENT_DATA},
};

START_TEST(a_bad_value_is_refused_with_its_reason) {
    struct event before = {.type = SPAN_LITERAL("untouched")};

    event = before;
    ck_assert_msg(check(bad[_i].topic, bad[_i].value) == bad[_i].fault, "%s", bad[_i].value);
    ck_assert(span_is(event.type, "untouched"));
    ck_assert_uint_gt(strlen(event_check_text(bad[_i].fault)), 10);
}
END_TEST

START_TEST(a_nul_byte_and_a_value_of_ten_megabytes_are_judged_like_any_other) {
    size_t size = 10u << 20;
    char *huge = malloc(size);

    ck_assert_int_eq(
        event_check(fixture_route("order.updates"), (struct span){"{\"a\0\":1}", 8}, &event),
        EVENT_NUL);
    ck_assert_ptr_nonnull(huge);
    memset(huge, ' ', size);
    memcpy(huge, "{\"orderId\":1,\"userId\":2,\"x\":\"", 29);
    memset(huge + 29, 'y', size - 31);
    memcpy(huge + size - 2, "\"}", 2);
    ck_assert_int_eq(event_check(fixture_route("order.updates"), (struct span){huge, size}, &event),
                     EVENT_OK);
    ck_assert_uint_eq(event.data.text.length, size);
    free(huge);
}
END_TEST

START_TEST(an_event_of_its_own_type_keeps_type_from_and_rooms) {
    ck_assert_int_eq(check("gateway.events",
                           "{\"type\":\"chat\\\"s\",\"room\":\"chat:1\",\"data\":{\"a\":1},"
                           "\"from\":\"u-1\",\"id\":\"i\"}"),
                     EVENT_OK);
    ck_assert(span_is(event.type, "chat\\\"s"));
    ck_assert(span_is(event.from.text, "u-1"));
    ck_assert(span_is(event.room.text, "chat:1"));
    ck_assert(data_is("{\"a\":1}"));
    ck_assert_int_eq(check("gateway.control", "{\"type\":\"revoke\",\"data\":{},\"room\":\"r\"}"),
                     EVENT_OK);
    ck_assert_int_eq(event.room.type, JSON_NULL);
}
END_TEST

START_TEST(labels_have_a_limit) {
    char value[2048];

    for (int over = 0; over <= 1; over++) {
        snprintf(value, sizeof(value), "{\"type\":\"x\",\"data\":{},\"id\":\"%0*d\"}",
                 EVENT_LABEL_MAX_BYTES + over, 1);
        ck_assert_int_eq(check("gateway.events", value), over ? EVENT_LABEL : EVENT_OK);
        snprintf(value, sizeof(value), "{\"type\":\"%0*d\",\"data\":{}}",
                 EVENT_TYPE_MAX_BYTES + over, 1);
        ck_assert_int_eq(check("gateway.events", value), over ? EVENT_TYPE : EVENT_OK);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("event_check");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, fixture_open_routes, fixture_close_routes);
    tcase_add_loop_test(tests, a_sample_is_bare_data_and_the_same_in_an_envelope, 0,
                        (int)ARRAY_LENGTH(samples));
    tcase_add_test(tests, an_envelope_has_the_route_s_type_and_an_object_as_data);
    tcase_add_test(tests, the_value_s_own_id_is_kept_when_it_is_a_string_or_a_number);
    tcase_add_loop_test(tests, a_bad_value_is_refused_with_its_reason, 0, (int)ARRAY_LENGTH(bad));
    tcase_add_test(tests, a_nul_byte_and_a_value_of_ten_megabytes_are_judged_like_any_other);
    tcase_add_test(tests, an_event_of_its_own_type_keeps_type_from_and_rooms);
    tcase_add_test(tests, labels_have_a_limit);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
