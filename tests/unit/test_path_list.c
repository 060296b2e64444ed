/* Lists of files in one option: cut at commas, blanks around them gone, never more than there is room for. */
#include "common/path_list.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define MOST 3

static const char *paths[MOST + 1];

/* Cuts a copy, as options are text that stays. What lies behind paths[] must not be touched. */
static int split(const char *text) {
    static char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    paths[MOST] = "untouched";
    int count = path_list_split(copy, paths, MOST);
    ck_assert_str_eq(paths[MOST], "untouched");
    return count;
}

START_TEST(one_path_is_a_list_of_one) {
    ck_assert_int_eq(split("/etc/moonx/a.pem"), 1);
    ck_assert_str_eq(paths[0], "/etc/moonx/a.pem");
}
END_TEST

START_TEST(commas_part_them_and_blanks_around_them_go) {
    ck_assert_int_eq(split("  a.pem ,b.pem,   c.pem  "), 3);
    ck_assert_str_eq(paths[0], "a.pem");
    ck_assert_str_eq(paths[1], "b.pem");
    ck_assert_str_eq(paths[2], "c.pem");
}
END_TEST

START_TEST(a_blank_inside_a_path_stays) {
    ck_assert_int_eq(split("my key.pem, other"), 2);
    ck_assert_str_eq(paths[0], "my key.pem");
}
END_TEST

START_TEST(nothing_between_commas_counts_for_nothing) {
    ck_assert_int_eq(split(""), 0);
    ck_assert_int_eq(split("  ,, ,"), 0);
    ck_assert_int_eq(split(",a,,b,"), 2);
    ck_assert_str_eq(paths[0], "a");
    ck_assert_str_eq(paths[1], "b");
}
END_TEST

START_TEST(more_than_there_is_room_for_is_refused) {
    ck_assert_int_eq(split("a,b,c"), MOST);
    ck_assert_int_eq(split("a,b,c,"), MOST);
    ck_assert_int_eq(split("a,b,c,d"), -E2BIG);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("path_list");
    TCase *cases = tcase_create("path_list");
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, one_path_is_a_list_of_one);
    tcase_add_test(cases, commas_part_them_and_blanks_around_them_go);
    tcase_add_test(cases, a_blank_inside_a_path_stays);
    tcase_add_test(cases, nothing_between_commas_counts_for_nothing);
    tcase_add_test(cases, more_than_there_is_room_for_is_refused);
    return unit_run(suite);
}
