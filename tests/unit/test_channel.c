/* From the channel that a client names to the rooms that it means. */
#include "gateway/message/channel.h"
#include "tests/unit/unit.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

struct channel_case {
    const char *channel;
    const char *first; /* NULL: no valid name */
    const char *second;
};

static const struct channel_case cases[] = {
    {"prices", "prices", NULL},
    {"trades", "trades", NULL},
    {"system_alerts", "system_alerts", NULL},
    {"user_actions", "user_actions", NULL},
    {"orders", "orders:42", NULL},
    {"portfolio", "portfolio:42", NULL},
    {"user_specific", "user:42", NULL},
    {"notifications", "notifications", "notifications:42"},
    {"prices:1:0xabc", "prices:1:0xabc", NULL},
    {"orders:7", "orders:7", NULL}, /* the policy will say no */
    {"Orders", "Orders", NULL},
    {"user", "user", NULL},
    {X64 X64, X64 X64, NULL},
    {X64 X64 "x", NULL, NULL},
    {"", NULL, NULL},
    {"a b", NULL, NULL},
    {"a/b", NULL, NULL},
    {"prices\n", NULL, NULL},
    {"\xc3\xa4", NULL, NULL},
};

START_TEST(a_channel_becomes_its_rooms) {
    const struct channel_case *row = &cases[_i];
    struct channel_rooms rooms, before;
    int result;

    memset(&rooms, 0x5a, sizeof(rooms));
    before = rooms;
    result = channel_rooms(span_of(row->channel), SPAN_LITERAL("42"), &rooms);
    if (row->first == NULL) {
        ck_assert_int_eq(result, -EINVAL);
        ck_assert_mem_eq(&rooms, &before, sizeof(rooms));
        return;
    }
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(rooms.count, row->second == NULL ? 1 : 2);
    ck_assert_str_eq(rooms.names[0], row->first);
    if (row->second != NULL) {
        ck_assert_str_eq(rooms.names[1], row->second);
    }
}
END_TEST

START_TEST(own_rooms_of_nobody_do_not_exist) {
    struct channel_rooms rooms;

    ck_assert_int_eq(channel_rooms(SPAN_LITERAL("orders"), SPAN_LITERAL(""), &rooms), -EINVAL);
    ck_assert_int_eq(channel_rooms(SPAN_LITERAL("notifications"), SPAN_LITERAL(""), &rooms),
                     -EINVAL);
    ck_assert_int_eq(channel_rooms(SPAN_LITERAL("prices"), SPAN_LITERAL(""), &rooms), 0);
}
END_TEST

START_TEST(a_room_that_the_user_id_makes_too_long_is_refused) {
    const char *id = X64 X64; /* 128 bytes: no token yields such an id */
    struct channel_rooms rooms;

    ck_assert_int_eq(channel_rooms(SPAN_LITERAL("notifications"), (struct span){id, 115}, &rooms),
                     -EINVAL);
    ck_assert_int_eq(channel_rooms(SPAN_LITERAL("notifications"), (struct span){id, 114}, &rooms),
                     0);
    ck_assert_uint_eq(strlen(rooms.names[1]), ROOM_NAME_MAX_BYTES);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("channel");
    TCase *tests = tcase_create("rooms");

    tcase_add_loop_test(tests, a_channel_becomes_its_rooms, 0, (int)ARRAY_LENGTH(cases));
    tcase_add_test(tests, own_rooms_of_nobody_do_not_exist);
    tcase_add_test(tests, a_room_that_the_user_id_makes_too_long_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
