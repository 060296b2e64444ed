/* Who may join which room: the built-in table, row by row; then tables from files. Runs in the
 * project's root, where deploy/ is. */
#include "gateway/access/policy.h"
#include "gateway/access/room_claims.h"
#include "tests/unit/unit.h"

#include <stdio.h>
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
    {"order:o-1", POLICY_LATER}, /* ask */

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

    ck_assert_msg(policy_judge(NULL, POLICY_JOIN, span_of(row->room), &subject) == row->expected,
                  "%s", row->room);
}
END_TEST

START_TEST(who_is_nobody_may_join_nothing) {
    struct policy_subject nobody = {.user_id = SPAN_LITERAL("")};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_msg(policy_judge(NULL, POLICY_JOIN, span_of(cases[i].room), &nobody) !=
                          POLICY_ALLOW,
                      "%s", cases[i].room);
    }
}
END_TEST

START_TEST(a_name_with_a_nul_byte_is_unknown) {
    struct policy_subject subject = {.user_id = SPAN_LITERAL("alice")};

    ck_assert_int_eq(policy_judge(NULL, POLICY_JOIN, (struct span){"user:alice\0x", 12}, &subject),
                     POLICY_UNKNOWN);
    ck_assert_int_eq(policy_judge(NULL, POLICY_JOIN, (struct span){"prices\0", 7}, &subject),
                     POLICY_UNKNOWN);
}
END_TEST

static enum policy_result joins(const struct policy *policy, const char *room, const char *user,
                                const char *role) {
    const struct span roles[] = {span_of(role)};
    struct policy_subject subject = {
        .user_id = span_of(user), .role_count = role[0] != '\0', .roles = roles};

    return policy_judge(policy, POLICY_JOIN, span_of(room), &subject);
}

START_TEST(the_example_file_says_what_the_built_in_table_says) {
    const struct span roles[] = {SPAN_LITERAL("trader"), SPAN_LITERAL("")};
    struct policy_subject subject = {
        .user_id = SPAN_LITERAL("alice:1"), .role_count = ARRAY_LENGTH(roles), .roles = roles};
    struct policy *policy = NULL;
    char error[256] = "";

    ck_assert_msg(policy_new("deploy/rooms.example", &policy, error, sizeof(error)) == 0, "%s",
                  error);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct span room = span_of(cases[i].room);
        ck_assert_msg(policy_judge(policy, POLICY_JOIN, room, &subject) == cases[i].expected, "%s",
                      cases[i].room);
        ck_assert_msg(policy_judge(policy, POLICY_PUBLISH, room, &subject) ==
                          policy_judge(NULL, POLICY_PUBLISH, room, &subject),
                      "%s", cases[i].room);
    }
    policy_free(policy);
}
END_TEST

START_TEST(publishing_is_judged_apart_from_joining) {
    struct policy_subject alice = {.user_id = SPAN_LITERAL("alice")};
    struct policy_subject nobody = {.user_id = SPAN_LITERAL("")};

    ck_assert_int_eq(policy_judge(NULL, POLICY_PUBLISH, SPAN_LITERAL("chat:1"), &alice),
                     POLICY_ALLOW);
    ck_assert_int_eq(policy_judge(NULL, POLICY_PUBLISH, SPAN_LITERAL("chat:1"), &nobody),
                     POLICY_DENY);
    ck_assert_int_eq(policy_judge(NULL, POLICY_PUBLISH, SPAN_LITERAL("prices"), &alice),
                     POLICY_DENY);
    ck_assert_int_eq(policy_judge(NULL, POLICY_PUBLISH, SPAN_LITERAL("orders:alice"), &alice),
                     POLICY_DENY);
    ck_assert_int_eq(policy_judge(NULL, POLICY_PUBLISH, SPAN_LITERAL("lobby"), &alice),
                     POLICY_UNKNOWN);
}
END_TEST

START_TEST(a_table_of_ones_own_replaces_the_built_in_one_and_its_first_match_decides) {
    static const char text[] = "desk:vip        role:vip  none\n"
                               "desk:*          user      owner-less\n";
    static const char good[] = "desk:vip         role:vip  none # comment\n"
                               "desk:*           user      role:staff\n"
                               "box:{userId}:in  owner     user\n"
                               "team:{role}      role      role\n"
                               "closed           none      none\n";
    struct policy_subject staff = {
        .user_id = SPAN_LITERAL("bob"), .role_count = 1, .roles = &SPAN_LITERAL("staff")};
    struct policy *policy = NULL;
    char error[256] = "";

    ck_assert_int_eq(policy_parse("t", span_of(text), &policy, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_null(policy);
    ck_assert_msg(policy_parse("t", span_of(good), &policy, error, sizeof(error)) == 0, "%s",
                  error);
    ck_assert_int_eq(joins(policy, "desk:vip", "ann", "vip"), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "desk:vip", "ann", "staff"), POLICY_DENY);
    ck_assert_int_eq(joins(policy, "desk:any", "ann", ""), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "box:ann:in", "ann", ""), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "box:a:n:in", "a:n", ""), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "box:bob:in", "ann", ""), POLICY_DENY);
    ck_assert_int_eq(joins(policy, "box::in", "ann", ""), POLICY_UNKNOWN);
    ck_assert_int_eq(joins(policy, "box:ann:i", "ann", ""), POLICY_UNKNOWN);
    ck_assert_int_eq(joins(policy, "team:red", "ann", "red"), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "team:red", "ann", "blue"), POLICY_DENY);
    ck_assert_int_eq(joins(policy, "closed", "ann", "red"), POLICY_DENY);
    ck_assert_int_eq(joins(policy, "prices", "ann", ""), POLICY_UNKNOWN);
    ck_assert_int_eq(policy_judge(policy, POLICY_PUBLISH, SPAN_LITERAL("desk:1"), &staff),
                     POLICY_ALLOW);
    ck_assert_int_eq(policy_judge(policy, POLICY_PUBLISH, SPAN_LITERAL("desk:vip"), &staff),
                     POLICY_DENY);
    policy_free(policy);
}
END_TEST

START_TEST(a_table_without_a_line_is_refused_rather_than_deny_everything) {
    struct policy *policy = NULL;
    char error[256] = "";

    ck_assert_int_eq(policy_parse("t", span_of("# nothing\n"), &policy, error, sizeof(error)),
                     -EINVAL);
    ck_assert_str_eq(error, "t: no rooms in it");
    ck_assert_ptr_null(policy);
    ck_assert_int_eq(policy_new("/dev/null", &policy, error, sizeof(error)), -EINVAL);
}
END_TEST

START_TEST(a_table_of_many_lines_is_kept_whole_and_one_of_too_many_is_refused) {
    char *text = malloc((POLICY_MAX_ROWS + 1) * 32);
    struct policy *policy = NULL;
    char error[256] = "";
    size_t length = 0;

    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < POLICY_MAX_ROWS; i++) {
        length += (size_t)snprintf(text + length, 32, "room%d user none\n", i);
    }
    ck_assert_int_eq(policy_parse("t", (struct span){text, length}, &policy, error, sizeof(error)),
                     0);
    ck_assert_int_eq(joins(policy, "room0", "ann", ""), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "room1023", "ann", ""), POLICY_ALLOW);
    ck_assert_int_eq(joins(policy, "room1024", "ann", ""), POLICY_UNKNOWN);
    policy_free(policy);
    length += (size_t)snprintf(text + length, 32, "more user none\n");
    ck_assert_int_eq(policy_parse("t", (struct span){text, length}, &policy, error, sizeof(error)),
                     -E2BIG);
    ck_assert_str_eq(error, "t:1025: more than 1024 lines");
    free(text);
}
END_TEST

static const struct {
    const char *text, *error;
} bad_tables[] = {
    {"a user", "t:1: a rooms line is PATTERN JOIN PUBLISH; fields here: 2"},
    {"a user none none", "t:1: a rooms line is PATTERN JOIN PUBLISH; fields here: 4"},
    {"\n\nb anyone none",
     "t:3: JOIN: 'anyone' is none of none, user, owner, role, role:NAME, claim:NAME and ask"},
    {"b user User",
     "t:1: PUBLISH: 'User' is none of none, user, owner, role, role:NAME, claim:NAME and ask"},
    {"b:* owner none", "t:1: JOIN: 'owner' needs {userId} in the pattern"},
    {"b:{role} user owner", "t:1: PUBLISH: 'owner' needs {userId} in the pattern"},
    {"b:{userId} role none", "t:1: JOIN: 'role' needs {role} in the pattern"},
    {"b role: none", "t:1: JOIN: role: needs a name of 1 to 64 bytes"},
    {"b role:" X64 "x none", "t:1: JOIN: role: needs a name of 1 to 64 bytes"},
    {"b user claim:", "t:1: PUBLISH: claim: needs a name of 1 to 64 bytes"},
    {"b claims:x none",
     "t:1: JOIN: 'claims:x' is none of none, user, owner, role, role:NAME, claim:NAME and ask"},
    {"a claim:1 claim:2\nb claim:3 claim:4\nc claim:5 claim:6\nd claim:7 claim:8\ne claim:8 none\n"
     "f claim:9 none",
     "t:6: more than 8 claims are named"},
    {"user:* user none", "t:1: JOIN: rooms user:… are personal: only owner or none is possible"},
    {"orders:{userId} role:admin none",
     "t:1: JOIN: rooms orders:… are personal: only owner or none is possible"},
    {"orders:bob user none",
     "t:1: JOIN: rooms orders:… are personal: only owner or none is possible"},
    {"a user none\nb user none\na none none", "t:3: this pattern stands twice"},
};

START_TEST(a_wrong_line_is_named_with_what_is_wrong) {
    struct policy *policy = NULL;
    char error[512] = "";

    ck_assert_int_lt(policy_parse("t", span_of(bad_tables[_i].text), &policy, error, sizeof(error)),
                     0);
    ck_assert_str_eq(error, bad_tables[_i].error);
    ck_assert_ptr_null(policy);
}
END_TEST

/* What the claims of a token list, and who may then join which room of `box:*`, to which claim:rooms is needed. */
static const struct {
    const char *claims, *room;
    enum policy_result expected;
} claim_cases[] = {
    {"{\"rooms\":[\"box:1\",\"box:2\"]}", "box:1", POLICY_ALLOW},
    {"{\"rooms\":[\"box:1\",\"box:2\"]}", "box:2", POLICY_ALLOW},
    {"{\"rooms\":[\"box:1\",\"box:2\"]}", "box:3", POLICY_DENY},
    {"{\"rooms\":[\"box:12\"]}", "box:1", POLICY_DENY},
    {"{\"rooms\":[\"box:1\"]}", "box:12", POLICY_DENY},
    {"{\"rooms\":\"box:1 box:2\"}", "box:2", POLICY_ALLOW},
    {"{\"rooms\":\"  box:2  \"}", "box:2", POLICY_ALLOW},
    {"{\"rooms\":[\"box:1 box:2\"]}", "box:2", POLICY_ALLOW},
    {"{\"rooms\":\"box:1,box:2\"}", "box:2", POLICY_DENY},
    {"{\"rooms\":[7,null,{\"a\":\"box:1\"},[\"box:1\"],\"box:2\"]}", "box:2", POLICY_ALLOW},
    {"{\"rooms\":[7,null,{\"a\":\"box:1\"},[\"box:1\"],\"box:2\"]}", "box:1", POLICY_DENY},
    {"{\"rooms\":{\"box:1\":true}}", "box:1", POLICY_DENY},
    {"{\"other\":[\"box:1\"]}", "box:1", POLICY_DENY},
    {"{\"room\":[\"box:1\"],\"rooms\":[]}", "box:1", POLICY_DENY},
    {"{\"rooms\":[\"x\\u0020rooms\",\"box:1\"]}", "box:1", POLICY_ALLOW},
    {"{\"rooms\":[\"*\"]}", "box:1", POLICY_DENY},
    {"{}", "box:1", POLICY_DENY},
};

START_TEST(a_claim_lists_the_rooms_that_its_bearer_may_join) {
    struct policy *policy = NULL;
    struct room_claims claims = {.length = 0};
    struct json_value object;
    char error[256];
    ck_assert_int_eq(policy_parse("t", SPAN_LITERAL("box:* claim:rooms claim:more"), &policy, error,
                                  sizeof(error)),
                     0);
    ck_assert_uint_eq(policy_claims(policy)->count, 2);
    ck_assert_int_eq(json_check(span_of(claim_cases[_i].claims), &object, NULL), JSON_OK);
    room_claims_read(object, policy_claims(policy), &claims);
    struct policy_subject subject = {.user_id = SPAN_LITERAL("ann"),
                                     .room_claims = {claims.texts, claims.length}};
    struct span room = span_of(claim_cases[_i].room);
    ck_assert_int_eq(policy_judge(policy, POLICY_JOIN, room, &subject), claim_cases[_i].expected);
    ck_assert_int_eq(policy_judge(policy, POLICY_PUBLISH, room, &subject), POLICY_DENY);
    subject.user_id.length = 0;
    ck_assert_int_eq(policy_judge(policy, POLICY_JOIN, room, &subject), POLICY_DENY);
    policy_free(policy);
}
END_TEST

START_TEST(what_claims_list_beyond_the_bound_is_left_out) {
    static char list[9000] = "{\"rooms\":\"";
    struct room_claim_names names = {.count = 1, .names = {"rooms"}};
    struct room_claims claims = {.length = 0};
    struct json_value object;
    size_t at = strlen(list);
    for (unsigned i = 0; i < 1000; i++) {
        at += (size_t)snprintf(list + at, sizeof(list) - at, "box:%u ", i);
    }
    strcpy(list + at, "\"}");
    ck_assert_int_eq(json_check(span_of(list), &object, NULL), JSON_OK);
    room_claims_read(object, &names, &claims);
    struct span kept = {claims.texts, claims.length};
    ck_assert_uint_le(kept.length, ROOM_CLAIMS_BYTES);
    ck_assert_uint_gt(kept.length, ROOM_CLAIMS_BYTES - 20);
    ck_assert(room_claims_list(kept, "rooms", SPAN_LITERAL("box:0")));
    ck_assert(room_claims_list(kept, "rooms", SPAN_LITERAL("box:200")));
    ck_assert(!room_claims_list(kept, "rooms", SPAN_LITERAL("box:999")));
}
END_TEST

static const char *const bad_patterns[] = {
    "a:{user}", "a:*:*",    "*:{userId}",     "{userId}{role}", "a/b",
    "a{",       "\xc3\xa4", X121 ":12345678", X121 "1234567*",
};

START_TEST(what_is_no_pattern_is_refused) {
    struct policy *policy = NULL;
    char text[256], error[512] = "";

    snprintf(text, sizeof(text), "%s user none", bad_patterns[_i]);
    ck_assert_int_eq(policy_parse("t", span_of(text), &policy, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "is no pattern"));
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named) {
    struct policy *policy = NULL;
    char error[256] = "";

    ck_assert_int_eq(policy_new("/nonexistent/rooms", &policy, error, sizeof(error)), -ENOENT);
    ck_assert_str_eq(error, "/nonexistent/rooms: No such file or directory");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("join");

    tcase_add_loop_test(tests, each_room_of_the_default_table_is_judged_by_its_row, 0,
                        (int)ARRAY_LENGTH(cases));
    tcase_add_test(tests, who_is_nobody_may_join_nothing);
    tcase_add_test(tests, a_name_with_a_nul_byte_is_unknown);
    tcase_add_test(tests, the_example_file_says_what_the_built_in_table_says);
    tcase_add_test(tests, publishing_is_judged_apart_from_joining);
    tcase_add_test(tests,
                   a_table_of_ones_own_replaces_the_built_in_one_and_its_first_match_decides);
    tcase_add_test(tests, a_table_without_a_line_is_refused_rather_than_deny_everything);
    tcase_add_test(tests, a_table_of_many_lines_is_kept_whole_and_one_of_too_many_is_refused);
    tcase_add_loop_test(tests, a_wrong_line_is_named_with_what_is_wrong, 0,
                        (int)ARRAY_LENGTH(bad_tables));
    tcase_add_loop_test(tests, a_claim_lists_the_rooms_that_its_bearer_may_join, 0,
                        (int)ARRAY_LENGTH(claim_cases));
    tcase_add_test(tests, what_claims_list_beyond_the_bound_is_left_out);
    tcase_add_loop_test(tests, what_is_no_pattern_is_refused, 0, (int)ARRAY_LENGTH(bad_patterns));
    tcase_add_test(tests, a_file_that_is_not_there_is_named);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
