/* Names of rooms: every byte, every length edge, every personal prefix. */
#include "common/room_name.h"
#include "tests/unit/unit.h"

START_TEST(exactly_the_listed_bytes_are_allowed) {
    const char *listed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@|+=~-";

    for (unsigned byte = 0; byte < 256; byte++) {
        char name[3] = {'a', (char)byte, 'b'};
        bool expected = byte != 0 && strchr(listed, (int)byte) != NULL;
        ck_assert_msg(room_name_valid((struct span){name, 3}) == expected, "byte %u", byte);
    }
}
END_TEST

START_TEST(a_name_has_1_to_128_bytes) {
    char name[ROOM_NAME_MAX_BYTES + 1];

    memset(name, 'x', sizeof(name));
    ck_assert(!room_name_valid((struct span){name, 0}));
    ck_assert(!room_name_valid((struct span){NULL, 0}));
    ck_assert(room_name_valid((struct span){name, 1}));
    ck_assert(room_name_valid((struct span){name, ROOM_NAME_MAX_BYTES}));
    ck_assert(!room_name_valid((struct span){name, ROOM_NAME_MAX_BYTES + 1}));
}
END_TEST

static void expect_kind(const char *name, enum room_kind kind, const char *key) {
    struct span got;

    ck_assert_int_eq(room_name_kind(span_of(name), &got), kind);
    ck_assert_msg(span_is(got, key), "%s: key %.*s", name, (int)got.length, got.data);
}

START_TEST(personal_rooms_give_their_user_id) {
    expect_kind("user:a", ROOM_USER, "a");
    expect_kind("user:user:a", ROOM_USER, "user:a");
    expect_kind("portfolio:42", ROOM_PORTFOLIO, "42");
    expect_kind("orders:x|y", ROOM_ORDERS, "x|y");
    expect_kind("notifications:bob", ROOM_NOTIFICATIONS, "bob");
}
END_TEST

START_TEST(everything_else_is_plain_and_its_own_key) {
    static const char *const names[] = {"user:",         "user",           "users:a", "User:a",
                                        "notifications", "notifications:", "orders:", "portfolio:",
                                        "order:1",       "prices:1:eth",   "u",       ":a",
                                        "order",         "portfoli:x"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        expect_kind(names[i], ROOM_PLAIN, names[i]);
    }
}
END_TEST

START_TEST(a_name_cut_short_is_not_read_past_its_end) {
    struct span got;
    ck_assert_int_eq(room_name_kind((struct span){"user:alice", 5}, &got), ROOM_PLAIN);
    ck_assert_int_eq(room_name_kind((struct span){"user:alice", 6}, &got), ROOM_USER);
    ck_assert_uint_eq(got.length, 1);
}
END_TEST

START_TEST(prefixes_and_kinds_agree) {
    unsigned bits = 0;

    ck_assert_str_eq(room_name_prefix(ROOM_PLAIN), "");
    ck_assert_str_eq(room_name_prefix(ROOM_KIND_COUNT), "");
    for (enum room_kind kind = ROOM_USER; kind < ROOM_KIND_COUNT; kind++) {
        char name[64];
        struct span key;
        strcpy(name, room_name_prefix(kind));
        strcat(name, "u1");
        ck_assert_int_eq(room_name_kind(span_of(name), &key), kind);
        ck_assert(span_is(key, "u1"));
        ck_assert_uint_eq(bits & ROOM_KIND_BIT(kind), 0);
        bits |= ROOM_KIND_BIT(kind);
    }
    ck_assert_uint_eq(bits, 15);
}
END_TEST

START_TEST(personal_rooms_of_one_user_share_the_hash_of_the_user_id) {
    struct siphash_key hash_key = {1, 2};
    struct span orders, portfolio;

    (void)room_name_kind(span_of("orders:u1"), &orders);
    (void)room_name_kind(span_of("portfolio:u1"), &portfolio);
    ck_assert_uint_eq(room_name_hash(&hash_key, orders), room_name_hash(&hash_key, portfolio));
    ck_assert_uint_eq(room_name_hash(&hash_key, orders), siphash(&hash_key, span_of("u1")));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("room_name");
    TCase *cases = tcase_create("room_name");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, exactly_the_listed_bytes_are_allowed);
    tcase_add_test(cases, a_name_has_1_to_128_bytes);
    tcase_add_test(cases, personal_rooms_give_their_user_id);
    tcase_add_test(cases, everything_else_is_plain_and_its_own_key);
    tcase_add_test(cases, a_name_cut_short_is_not_read_past_its_end);
    tcase_add_test(cases, prefixes_and_kinds_agree);
    tcase_add_test(cases, personal_rooms_of_one_user_share_the_hash_of_the_user_id);
    return unit_run(suite);
}
