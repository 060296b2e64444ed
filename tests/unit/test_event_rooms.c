#include "ingest/event_rooms.h"

#include "tests/unit/route_fixture.h"
#include "tests/unit/unit.h"

static const struct siphash_key hash_key = {1, 2};
static struct event_rooms rooms;

static enum event_fault find_by(const struct route *route, const char *value) {
    struct event event;

    ck_assert_msg(event_check(route, span_of(value), &event) == EVENT_OK, "%s", value);
    return event_rooms_find(&hash_key, route, &event, &rooms);
}

static enum event_fault find(const char *topic, const char *value) {
    return find_by(fixture_route(topic), value);
}

static bool room_is(unsigned i, enum room_kind kind, const char *key) {
    struct span name = {rooms.names + rooms.list[i].name_at, rooms.list[i].name_length};

    return i < rooms.count && rooms.list[i].kind == kind && span_is(name, key) &&
           rooms.list[i].hash == room_name_hash(&hash_key, span_of(key));
}

START_TEST(a_price_goes_to_all_and_to_its_token) {
    ck_assert_int_eq(find("price.updates", "{\"token\":\"ETH\",\"chainId\":1,\"price\":1}"),
                     EVENT_OK);
    ck_assert_uint_eq(rooms.count, 2);
    ck_assert(room_is(0, ROOM_PLAIN, "prices"));
    ck_assert(room_is(1, ROOM_PLAIN, "prices:1:ETH"));
}
END_TEST

START_TEST(a_personal_room_is_kept_by_its_user_id_alone) {
    ck_assert_int_eq(find("order.updates", "{\"orderId\":\"9\",\"userId\":\"u-1\"}"), EVENT_OK);
    ck_assert(room_is(0, ROOM_ORDERS, "u-1"));
    ck_assert(room_is(1, ROOM_PLAIN, "order:9"));
    ck_assert_int_eq(find("portfolio.updates", "{\"userId\":12345678901234567890}"), EVENT_OK);
    ck_assert(room_is(0, ROOM_PORTFOLIO, "12345678901234567890"));
}
END_TEST

START_TEST(a_notification_without_a_user_is_for_everybody) {
    ck_assert_int_eq(find("notification.updates", "{\"title\":1,\"message\":1}"), EVENT_OK);
    ck_assert(room_is(0, ROOM_PLAIN, "notifications"));
    ck_assert_int_eq(find("notification.updates", "{\"title\":1,\"message\":1,\"userId\":null}"),
                     EVENT_OK);
    ck_assert(room_is(0, ROOM_PLAIN, "notifications"));
    ck_assert_int_eq(find("notification.updates", "{\"title\":1,\"message\":1,\"userId\":\"u\"}"),
                     EVENT_OK);
    ck_assert_uint_eq(rooms.count, 1);
    ck_assert(room_is(0, ROOM_NOTIFICATIONS, "u"));
}
END_TEST

static const char *const private_ones[] = {
    "true",
    "{\"id\":1}",
    "[1]",
    "\"\"",
    "\"a b\"",
    "\"a/b\"",
    "\"\\ud83d\\ude00\"",
    "\"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
    "23456789"
    "0123456789012345678901234567890\"",
};

START_TEST(a_private_event_with_a_bad_user_id_never_becomes_public) {
    char value[512];

    snprintf(value, sizeof(value), "{\"title\":1,\"message\":1,\"userId\":%s}", private_ones[_i]);
    ck_assert_int_eq(find("notification.updates", value), EVENT_NO_ROOM);
    ck_assert_uint_eq(rooms.count, 0);
    ck_assert_uint_eq(rooms.invalid, 1);
}
END_TEST

START_TEST(a_doubled_field_of_a_template_is_a_bad_value) {
    ck_assert_int_eq(
        find("notification.updates", "{\"title\":1,\"message\":1,\"userId\":1,\"userId\":2}"),
        EVENT_TWICE);
    ck_assert_int_eq(find("price.updates", "{\"token\":1,\"price\":1,\"chainId\":1,\"chainId\":2}"),
                     EVENT_TWICE);
}
END_TEST

START_TEST(an_array_reaches_each_of_its_users_once) {
    const struct route *route = fixture_parse("t n user:{userIds[]},user:{owner.id}\n");

    ck_assert_int_eq(
        find_by(route, "{\"userIds\":[\"a\",7,\"a\",null,\"b c\"],\"owner\":{\"id\":\"7\"}}"),
        EVENT_OK);
    ck_assert_uint_eq(rooms.count, 2);
    ck_assert(room_is(0, ROOM_USER, "a"));
    ck_assert(room_is(1, ROOM_USER, "7"));
    ck_assert_uint_eq(rooms.invalid, 2);
    ck_assert_int_eq(find_by(route, "{\"userIds\":[]}"), EVENT_NO_ROOM);
}
END_TEST

START_TEST(the_same_name_in_two_kinds_is_two_rooms) {
    const struct route *route = fixture_parse("t n user:{a},orders:{a},{a},user:{b}\n");

    ck_assert_int_eq(find_by(route, "{\"a\":\"x\",\"b\":\"x\"}"), EVENT_OK);
    ck_assert_uint_eq(rooms.count, 3);
    ck_assert(room_is(0, ROOM_USER, "x"));
    ck_assert(room_is(1, ROOM_ORDERS, "x"));
    ck_assert(room_is(2, ROOM_PLAIN, "x"));
}
END_TEST

START_TEST(sixty_four_rooms_are_allowed_and_one_more_is_not) {
    const struct route *route = fixture_parse("t n user:{ids[]}\n");
    char value[1024] = "{\"ids\":[0";

    for (unsigned i = 1; i < RECORD_MAX_ROOMS; i++) {
        snprintf(value + strlen(value), 8, ",%u", i);
    }
    strcat(value, ",1]}");
    ck_assert_int_eq(find_by(route, value), EVENT_OK); /* the last is there already */
    ck_assert_uint_eq(rooms.count, RECORD_MAX_ROOMS);
    value[strlen(value) - 2] = '\0';
    strcat(value, ",64]}");
    ck_assert_int_eq(find_by(route, value), EVENT_MANY_ROOMS);
}
END_TEST

START_TEST(longest_names_of_all_rooms_fit) {
    const struct route *route = fixture_parse("t n {ids[]}\n");
    static char value[RECORD_MAX_ROOMS * (ROOM_NAME_MAX_BYTES + 4)] = "{\"ids\":[\"\"";

    for (unsigned i = 0; i < RECORD_MAX_ROOMS; i++) {
        sprintf(value + strlen(value), ",\"%0*u\"", ROOM_NAME_MAX_BYTES, i);
    }
    strcat(value, "]}");
    ck_assert_int_eq(find_by(route, value), EVENT_OK);
    ck_assert_uint_eq(rooms.count, RECORD_MAX_ROOMS);
    ck_assert_uint_eq(rooms.names_length, sizeof(rooms.names));
}
END_TEST

START_TEST(a_message_may_name_its_rooms) {
    ck_assert_int_eq(find("gateway.events", "{\"type\":\"x\",\"data\":{},\"room\":\"chat:1\"}"),
                     EVENT_OK);
    ck_assert(room_is(0, ROOM_PLAIN, "chat:1"));
    ck_assert_int_eq(
        find("gateway.events",
             "{\"type\":\"x\",\"data\":{},\"room\":\"a\",\"rooms\":[\"user:u\",\"a\",7,\"b d\"]}"),
        EVENT_OK);
    ck_assert_uint_eq(rooms.count, 2);
    ck_assert(room_is(1, ROOM_USER, "u"));
    ck_assert_uint_eq(rooms.invalid, 2);
    ck_assert_int_eq(find("gateway.events", "{\"type\":\"x\",\"data\":{}}"), EVENT_NO_ROOM);
    ck_assert_int_eq(find("gateway.events", "{\"type\":\"x\",\"data\":{},\"rooms\":\"a\"}"),
                     EVENT_NO_ROOM);
}
END_TEST

START_TEST(a_control_message_needs_none) {
    ck_assert_int_eq(find("gateway.control", "{\"type\":\"revoke\",\"data\":{}}"), EVENT_OK);
    ck_assert_uint_eq(rooms.count, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("event_rooms");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, fixture_open_routes, fixture_close_routes);
    tcase_add_test(tests, a_price_goes_to_all_and_to_its_token);
    tcase_add_test(tests, a_personal_room_is_kept_by_its_user_id_alone);
    tcase_add_test(tests, a_notification_without_a_user_is_for_everybody);
    tcase_add_loop_test(tests, a_private_event_with_a_bad_user_id_never_becomes_public, 0,
                        (int)ARRAY_LENGTH(private_ones));
    tcase_add_test(tests, a_doubled_field_of_a_template_is_a_bad_value);
    tcase_add_test(tests, an_array_reaches_each_of_its_users_once);
    tcase_add_test(tests, the_same_name_in_two_kinds_is_two_rooms);
    tcase_add_test(tests, sixty_four_rooms_are_allowed_and_one_more_is_not);
    tcase_add_test(tests, longest_names_of_all_rooms_fit);
    tcase_add_test(tests, a_message_may_name_its_rooms);
    tcase_add_test(tests, a_control_message_needs_none);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
