/* The names that clients know, written by hand on purpose: they must not change with the table. */
#include "common/code_table.h"
#include "tests/unit/unit.h"

START_TEST(every_name_of_the_protocol_is_there) {
    static const char *const names[] = {"INVALID_JSON",
                                        "INVALID_MESSAGE",
                                        "UNKNOWN_TYPE",
                                        "NOT_AUTHENTICATED",
                                        "UNKNOWN_CHANNEL",
                                        "PERMISSION_DENIED",
                                        "TOO_MANY_SUBSCRIPTIONS",
                                        "RATE_LIMIT_EXCEEDED",
                                        "MIDDLEWARE_REJECTED",
                                        "INVALID_NOTIFICATION_DATA",
                                        "NOTIFICATION_PROCESSING_ERROR",
                                        "INVALID_ACTION_DATA",
                                        "ACTION_FAILED",
                                        "ACTION_PROCESSING_ERROR",
                                        "PUBLISH_FAILED",
                                        "SERVICE_UNAVAILABLE",
                                        "MESSAGE_PROCESSING_ERROR",
                                        "INVALID_TOKEN",
                                        "TOKEN_EXPIRED",
                                        "TOKEN_REVOKED",
                                        "USER_INACTIVE",
                                        "INVALID_USER_ID",
                                        "AUTH_UNAVAILABLE"};

    ck_assert_uint_eq(ARRAY_LENGTH(names), ERROR_CODE_COUNT);
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        ck_assert_str_eq(error_code_name((enum error_code)i), names[i]);
        ck_assert_uint_gt(strlen(error_code_message((enum error_code)i)), 5);
    }
}
END_TEST

START_TEST(messages_need_no_escaping_in_json) {
    for (unsigned i = 0; i < ERROR_CODE_COUNT; i++) {
        ck_assert_ptr_null(strpbrk(error_code_message((enum error_code)i), "\"\\\n"));
    }
}
END_TEST

START_TEST(a_number_that_no_row_has_still_gives_a_known_code) {
    ck_assert_str_eq(error_code_name(ERROR_CODE_COUNT), "MESSAGE_PROCESSING_ERROR");
    ck_assert_str_eq(error_code_name((enum error_code) - 1), "MESSAGE_PROCESSING_ERROR");
    ck_assert_ptr_nonnull(error_code_message((enum error_code)9999));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("code_table");
    TCase *cases = tcase_create("code_table");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, every_name_of_the_protocol_is_there);
    tcase_add_test(cases, messages_need_no_escaping_in_json);
    tcase_add_test(cases, a_number_that_no_row_has_still_gives_a_known_code);
    return unit_run(suite);
}
