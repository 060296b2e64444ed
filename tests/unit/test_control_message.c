/* Control messages: whom they name and what is refused. */
#include "common/control_message.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct control_message message;

static const char *read_text(const char *text) {
    const char *why = NULL;
    int result = control_message_read(span_of(text), &message, &why);
    ck_assert(result == 0 || why != NULL);
    return result == 0 ? NULL : why;
}

#define REVOKE(data)     read_text("{\"type\":\"revoke\",\"data\":" data "}")
#define DISCONNECT(data) read_text("{\"type\":\"disconnect\",\"data\":" data "}")

START_TEST(a_user_a_session_a_token_or_everybody_before_a_time) {
    ck_assert_ptr_null(REVOKE("{\"userId\":\"alice\"}"));
    ck_assert_int_eq(message.subject, CONTROL_MESSAGE_USER);
    ck_assert_str_eq(message.name, "alice");
    ck_assert_int_eq(message.until_ms, 0);
    ck_assert_ptr_null(REVOKE("{\"sid\":\"s-1\",\"until\":1700000000000}"));
    ck_assert_int_eq(message.subject, CONTROL_MESSAGE_SESSION);
    ck_assert_int_eq(message.until_ms, 1700000000000);
    ck_assert_ptr_null(REVOKE("{\"jti\":\"t\\u0065st\"}"));
    ck_assert_int_eq(message.subject, CONTROL_MESSAGE_TOKEN);
    ck_assert_str_eq(message.name, "test");
    ck_assert_ptr_null(REVOKE("{\"issuedBefore\":1700000000000,\"comment\":\"leak\"}"));
    ck_assert_int_eq(message.subject, CONTROL_MESSAGE_EVERYBODY);
    ck_assert_int_eq(message.issued_before_ms, 1700000000000);
    ck_assert_ptr_null(REVOKE("{\"issuedBefore\":1700000000000,\"userId\":\"a\"}"));
    ck_assert_int_eq(message.subject, CONTROL_MESSAGE_USER);
}
END_TEST

START_TEST(a_number_as_name_keeps_its_text) {
    ck_assert_ptr_null(REVOKE("{\"userId\":12345678901234567890}"));
    ck_assert_str_eq(message.name, "12345678901234567890");
}
END_TEST

START_TEST(disconnects_have_a_reason) {
    ck_assert_ptr_null(DISCONNECT("{\"userId\":\"alice\",\"reason\":\"Maintenance\"}"));
    ck_assert_int_eq(message.kind, CONTROL_MESSAGE_DISCONNECT);
    ck_assert_str_eq(message.reason, "Maintenance");
    ck_assert_ptr_null(DISCONNECT("{\"connectionId\":\"c0123456789abcdef\"}"));
    ck_assert_int_eq(message.subject, CONTROL_MESSAGE_CONNECTION);
}
END_TEST

START_TEST(the_envelopes_other_members_are_not_looked_at) {
    ck_assert_ptr_null(read_text("{\"id\":\"1\",\"timestamp\":5,\"type\":\"revoke\",\"data\":{"
                                 "\"sid\":\"s\"},\"from\":\"x\"}"));
}
END_TEST

static const char *const refused[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"type\":\"revoke\"}",
    "{\"type\":\"revoke\",\"data\":[]}",
    "{\"type\":\"revoke\",\"data\":{}}",
    "{\"type\":\"erase\",\"data\":{\"userId\":\"a\"}}",
    "{\"type\":\"revoke\",\"type\":\"revoke\",\"data\":{\"userId\":\"a\"}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\"},\"data\":{}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"userId\":\"a\"}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"sid\":\"b\"}}",
    "{\"type\":\"revoke\",\"data\":{\"sid\":\"b\",\"issuedBefore\":1700000000000}}",
    "{\"type\":\"revoke\",\"data\":{\"userID\":\"a\"}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"reason\":\"b\"}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"\"}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":null}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":[\"a\"]}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":true}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\\u0000b\"}}",
    /* seconds, microseconds, fractions, texts, negative, far too many digits */
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"until\":1700000000}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"until\":1700000000000000}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"until\":1700000000000.5}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"until\":\"1700000000000\"}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"until\":-1700000000000}}",
    "{\"type\":\"revoke\",\"data\":{\"userId\":\"a\",\"until\":1e12}}",
    "{\"type\":\"revoke\",\"data\":{\"issuedBefore\":99999999999999999999999}}",
    "{\"type\":\"disconnect\",\"data\":{}}",
    "{\"type\":\"disconnect\",\"data\":{\"sid\":\"a\"}}",
    "{\"type\":\"disconnect\",\"data\":{\"userId\":\"a\",\"until\":1700000000000}}",
    "{\"type\":\"disconnect\",\"data\":{\"userId\":\"a\",\"reason\":5}}",
    "{\"type\":\"disconnect\",\"data\":{\"userId\":\"a\",\"reason\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123x\"}}",
};

START_TEST(what_is_half_understood_is_refused) {
    memset(&message, 0x5a, sizeof(message));
    const struct control_message before = message;
    ck_assert_ptr_nonnull(read_text(refused[_i]));
    ck_assert_mem_eq(&message, &before, sizeof(message));
}
END_TEST

START_TEST(a_name_of_255_bytes_fits_and_one_more_does_not) {
    char text[400], name[257];

    for (int length = 255; length <= 256; length++) {
        memset(name, 'n', (size_t)length);
        name[length] = '\0';
        snprintf(text, sizeof(text), "{\"type\":\"revoke\",\"data\":{\"jti\":\"%s\"}}", name);
        ck_assert((read_text(text) == NULL) == (length == 255));
    }
    ck_assert_uint_eq(strlen(message.name), 255);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("control_message");
    TCase *tests = tcase_create("control_message");
    tcase_add_test(tests, a_user_a_session_a_token_or_everybody_before_a_time);
    tcase_add_test(tests, a_number_as_name_keeps_its_text);
    tcase_add_test(tests, disconnects_have_a_reason);
    tcase_add_test(tests, the_envelopes_other_members_are_not_looked_at);
    tcase_add_loop_test(tests, what_is_half_understood_is_refused, 0, ARRAY_LENGTH(refused));
    tcase_add_test(tests, a_name_of_255_bytes_fits_and_one_more_does_not);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
