/* Who is in a room, made of the answers of workers and hosts: each user once, and said whether that is all. */
#include "gateway/presence/room_members.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct room_members members;

static void set_up(void) {
    room_members_init(&members);
}

static char *written(void) {
    cJSON *object = cJSON_CreateObject();

    ck_assert(room_members_write(&members, object));
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

static void assert_written(const char *expected) {
    char *text = written();

    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(a_user_of_two_workers_counts_once) {
    room_members_part(&members, 2, 2);
    room_members_add(&members, span_of("bob"));
    room_members_add(&members, span_of("ann"));
    room_members_part(&members, 1, 1);
    room_members_add(&members, span_of("bob"));
    assert_written("{\"count\":2,\"exact\":true,\"users\":[\"ann\",\"bob\"]}");
}
END_TEST

START_TEST(nobody_is_an_exact_answer) {
    room_members_part(&members, 0, 0);
    assert_written("{\"count\":0,\"exact\":true,\"users\":[]}");
}
END_TEST

START_TEST(what_a_part_counts_but_does_not_list_makes_the_count_a_sum) {
    room_members_part(&members, 70000, 1);
    room_members_add(&members, span_of("ann"));
    room_members_part(&members, 1, 1);
    room_members_add(&members, span_of("ann"));
    assert_written("{\"count\":70001,\"exact\":false,\"users\":[\"ann\"]}");
}
END_TEST

START_TEST(a_part_that_has_not_answered_is_said_to_be_missing) {
    room_members_part(&members, 1, 1);
    room_members_add(&members, span_of("ann"));
    room_members_miss(&members);
    assert_written("{\"count\":1,\"exact\":false,\"users\":[\"ann\"]}");
}
END_TEST

START_TEST(no_more_are_listed_than_there_is_room_for) {
    char name[16];

    room_members_part(&members, ROOM_MEMBERS_MOST + 1, ROOM_MEMBERS_MOST + 1);
    for (unsigned i = 0; i <= ROOM_MEMBERS_MOST; i++) {
        ck_assert(i < ROOM_MEMBERS_MOST ? members.exact : true);
        snprintf(name, sizeof(name), "u%u", i);
        room_members_add(&members, span_of(name));
    }
    ck_assert_uint_eq(members.listed, ROOM_MEMBERS_MOST);
    ck_assert(!members.exact);
    ck_assert_uint_eq(room_members_count(&members), ROOM_MEMBERS_MOST + 1);
}
END_TEST

START_TEST(what_one_host_writes_another_one_reads) {
    static struct room_members other;
    char name[ROOM_NAME_MAX_BYTES + 1];

    memset(name, 'x', sizeof(name) - 1);
    name[ROOM_NAME_MAX_BYTES] = '\0';
    room_members_part(&members, 2, 2);
    room_members_add(&members, span_of(name));
    room_members_add(&members, span_of("a|b"));
    char *text = written();
    room_members_init(&other);
    room_members_part(&other, 1, 1);
    room_members_add(&other, span_of("a|b"));
    ck_assert_int_eq(room_members_read(&other, span_of(text)), 0);
    ck_assert_uint_eq(room_members_count(&other), 2);
    ck_assert(other.exact);
    free(text);
}
END_TEST

START_TEST(an_answer_that_is_none_adds_nothing) {
    static const char *const wrong[] = {
        "",
        "?",
        "[]",
        "{}",
        "{\"count\":1,\"exact\":true}",
        "{\"count\":\"1\",\"exact\":true,\"users\":[\"ann\"]}",
        "{\"count\":-1,\"exact\":true,\"users\":[\"ann\"]}",
        "{\"count\":1e3,\"exact\":true,\"users\":[\"ann\"]}",
        "{\"count\":1234567890,\"exact\":true,\"users\":[\"ann\"]}",
        "{\"count\":1,\"exact\":true,\"users\":{\"ann\":1}}",
        "{\"count\":1,\"count\":1,\"exact\":true,\"users\":[\"ann\"]}",
        "{\"count\":1,\"exact\":true,\"users\":[\"ann\"]",
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_int_eq(room_members_read(&members, span_of(wrong[i])), -EINVAL);
        ck_assert_uint_eq(members.listed, 0);
    }
}
END_TEST

START_TEST(what_is_no_user_id_in_an_answer_is_left_out_and_it_is_not_exact) {
    ck_assert_int_eq(room_members_read(&members, span_of("{\"count\":2,\"exact\":false,"
                                                         "\"users\":[\"a b\",7,\"\",\"ann\"]}")),
                     0);
    assert_written("{\"count\":2,\"exact\":false,\"users\":[\"ann\"]}");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("room_members");
    TCase *tests = tcase_create("room_members");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, a_user_of_two_workers_counts_once);
    tcase_add_test(tests, nobody_is_an_exact_answer);
    tcase_add_test(tests, what_a_part_counts_but_does_not_list_makes_the_count_a_sum);
    tcase_add_test(tests, a_part_that_has_not_answered_is_said_to_be_missing);
    tcase_add_test(tests, no_more_are_listed_than_there_is_room_for);
    tcase_add_test(tests, what_one_host_writes_another_one_reads);
    tcase_add_test(tests, an_answer_that_is_none_adds_nothing);
    tcase_add_test(tests, what_is_no_user_id_in_an_answer_is_left_out_and_it_is_not_exact);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
