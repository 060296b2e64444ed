/* Who may join which room: PROTOCOL 7's default table, row by row. */
#include "gateway/access/policy.h"

#include <check.h>
#include <stdlib.h>

#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X121 X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

struct policy_case {
    const char *room;
    enum policy_result expected;
};

/* For the user alice:1 with the roles trader and "". */
static const struct policy_case cases[] = {
    {"prices", POLICY_ALLOW},
    {"prices:1:0xabc", POLICY_ALLOW},
    {"prices:x", POLICY_ALLOW},
    {"trades", POLICY_ALLOW},
    {"system_alerts", POLICY_ALLOW},
    {"user_actions", POLICY_ALLOW},
    {"notifications", POLICY_ALLOW},
    {"user:alice:1", POLICY_ALLOW},
    {"portfolio:alice:1", POLICY_ALLOW},
    {"orders:alice:1", POLICY_ALLOW},
    {"notifications:alice:1", POLICY_ALLOW},
    {"role:trader", POLICY_ALLOW},
    {"chat:1", POLICY_ALLOW},
    {"chat:a:b", POLICY_ALLOW},
    {"prices:" X121, POLICY_ALLOW}, /* 128 bytes */

    {"user:alice:2", POLICY_DENY},
    {"user:alice", POLICY_DENY},
    {"user:alice:11", POLICY_DENY},
    {"user:Alice:1", POLICY_DENY},
    {"portfolio:bob", POLICY_DENY},
    {"orders:bob", POLICY_DENY},
    {"notifications:bob", POLICY_DENY},
    {"notifications:*", POLICY_UNKNOWN}, /* no name at all */
    {"role:admin", POLICY_DENY},
    {"role:trade", POLICY_DENY},
    {"role:traders", POLICY_DENY},
    {"order:o-1", POLICY_DENY}, /* nobody to ask */

    {"", POLICY_UNKNOWN},
    {"price", POLICY_UNKNOWN},
    {"Prices", POLICY_UNKNOWN},
    {"pricesx", POLICY_UNKNOWN},
    {"prices:", POLICY_UNKNOWN},
    {"prices:" X121 "x", POLICY_UNKNOWN}, /* 129 bytes */
    {"prices:a b", POLICY_UNKNOWN},
    {"trades:1", POLICY_UNKNOWN},
    {"user", POLICY_UNKNOWN},
    {"user:", POLICY_UNKNOWN},
    {"orders:", POLICY_UNKNOWN},
    {"role:", POLICY_UNKNOWN}, /* even though there is a role "" */
    {"chat", POLICY_UNKNOWN},
    {"chat:", POLICY_UNKNOWN},
    {"order:", POLICY_UNKNOWN},
    {"gateway.control", POLICY_UNKNOWN},
    {"lobby", POLICY_UNKNOWN},
    {"*", POLICY_UNKNOWN},
};

START_TEST(each_room_of_the_default_table_is_judged_by_its_row) {
    const struct policy_case *row = &cases[_i];
    const struct span roles[] = {SPAN_LITERAL("trader"), SPAN_LITERAL("")};
    struct policy_subject subject = {
        .user_id = SPAN_LITERAL("alice:1"),
        .role_count = ARRAY_LENGTH(roles),
        .roles = roles,
    };

    ck_assert_msg(policy_may_join(span_of(row->room), &subject) == row->expected, "%s", row->room);
}
END_TEST

START_TEST(who_is_nobody_may_join_nothing) {
    struct policy_subject nobody = {.user_id = SPAN_LITERAL("")};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_msg(policy_may_join(span_of(cases[i].room), &nobody) != POLICY_ALLOW, "%s",
                      cases[i].room);
    }
}
END_TEST

START_TEST(a_name_with_a_nul_byte_is_unknown) {
    struct policy_subject subject = {.user_id = SPAN_LITERAL("alice")};

    ck_assert_int_eq(policy_may_join((struct span){"user:alice\0x", 12}, &subject), POLICY_UNKNOWN);
    ck_assert_int_eq(policy_may_join((struct span){"prices\0", 7}, &subject), POLICY_UNKNOWN);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("join");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tests, each_room_of_the_default_table_is_judged_by_its_row, 0,
                        (int)ARRAY_LENGTH(cases));
    tcase_add_test(tests, who_is_nobody_may_join_nothing);
    tcase_add_test(tests, a_name_with_a_nul_byte_is_unknown);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
