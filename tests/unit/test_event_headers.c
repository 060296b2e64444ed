/* What travels beside a value: written by this gateway, and by anybody else who may write to the topic. */
#include "ingest/event_headers.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#define ONCE "00112233445566778899aabbccddeeff"

static rd_kafka_headers_t *headers;
static struct event_headers found;

static void setup(void) {
    headers = rd_kafka_headers_new(4);
}

static void teardown(void) {
    rd_kafka_headers_destroy(headers);
}

static void add(const char *name, const char *value) {
    ck_assert_int_eq(rd_kafka_header_add(headers, name, -1, value, -1), 0);
}

static void add_bytes(const char *name, const void *value, size_t length) {
    ck_assert_int_eq(rd_kafka_header_add(headers, name, -1, value, (ssize_t)length), 0);
}

static void read_them(void) {
    memset(&found, 0xff, sizeof(found));
    event_headers_read(headers, &found);
}

static bool nothing_found(void) {
    return !found.has_once && found.sender == 0 && found.expiry_ms == 0 && !found.ephemeral &&
           found.host == 0;
}

START_TEST(what_is_written_is_read_again) {
    struct event_headers written = {.has_once = true,
                                    .once = {{1, 2, 0xfe, [15] = 0xff}},
                                    .sender = 0xfedcba9876543210,
                                    .expiry_ms = 1764000000123,
                                    .ephemeral = true,
                                    .host = 0x8000000000000001};

    event_headers_write(&written, headers);
    ck_assert_uint_eq(rd_kafka_header_cnt(headers), 5);
    read_them();
    ck_assert(found.has_once && found.ephemeral);
    ck_assert_mem_eq(&found.once, &written.once, sizeof(found.once));
    ck_assert(found.host == written.host);
    ck_assert(found.sender == written.sender && found.expiry_ms == written.expiry_ms);
}
END_TEST

START_TEST(what_says_nothing_is_not_written) {
    struct event_headers written = {.has_once = false};

    event_headers_write(&written, headers);
    ck_assert_uint_eq(rd_kafka_header_cnt(headers), 0);
}
END_TEST

START_TEST(a_message_without_headers_has_none) {
    memset(&found, 0xff, sizeof(found));
    event_headers_read(NULL, &found);
    ck_assert(nothing_found());
    read_them();
    ck_assert(nothing_found());
}
END_TEST

START_TEST(of_a_header_that_stands_twice_the_last_one_counts) {
    add("moonx-once", ONCE);
    add("moonx-expiry", "5");
    add("moonx-once", "ff112233445566778899aabbccddeeff");
    add("moonx-expiry", "7");
    read_them();
    ck_assert(found.has_once && found.once.bytes[0] == 0xff && found.expiry_ms == 7);
}
END_TEST

START_TEST(a_last_one_that_is_wrong_makes_it_absent) {
    add("moonx-once", ONCE);
    add("moonx-once", "mine");
    add_bytes("moonx-ephemeral", "1", 1);
    add_bytes("moonx-ephemeral", NULL, 0);
    read_them();
    ck_assert(nothing_found());
}
END_TEST

START_TEST(foreign_names_mean_nothing) {
    add("MOONX-ONCE", ONCE);
    add("moonx-once ", ONCE);
    add("moonx-onc", ONCE);
    add("traceparent", ONCE);
    add("", ONCE);
    read_them();
    ck_assert(nothing_found());
}
END_TEST

static const struct {
    const char *name, *value;
} wrong[] = {
    {"moonx-once", ""},
    {"moonx-once", "00112233445566778899aabbccddeef"},
    {"moonx-once", ONCE "0"},
    {"moonx-once", "00112233445566778899AABBCCDDEEFF"},
    {"moonx-once", "0x112233445566778899aabbccddeeff"},
    {"moonx-once", "00112233445566778899aabbccddeefg"},
    {"moonx-sender", "1"},
    {"moonx-sender", "123456789abcdeg0"},
    {"moonx-sender", "123456789abcdef01"},
    {"moonx-expiry", ""},
    {"moonx-expiry", "-1"},
    {"moonx-expiry", "+1"},
    {"moonx-expiry", " 1"},
    {"moonx-expiry", "1e3"},
    {"moonx-expiry", "1.5"},
    {"moonx-expiry", "0x10"},
    {"moonx-expiry", "9999999999999999"},
    {"moonx-expiry", "99999999999999999999999999"},
    {"moonx-ephemeral", "0"},
    {"moonx-ephemeral", "true"},
    {"moonx-ephemeral", "11"},
    {"moonx-ephemeral", ""},
};

START_TEST(one_that_is_not_written_exactly_so_counts_as_absent) {
    add(wrong[_i].name, wrong[_i].value);
    read_them();
    ck_assert_msg(nothing_found(), "%s: %s", wrong[_i].name, wrong[_i].value);
}
END_TEST

START_TEST(bytes_of_any_kind_and_length_are_looked_at_and_no_further) {
    const size_t huge = 1u << 20;
    char *bytes = malloc(huge);
    static const char *const names[] = {"moonx-once", "moonx-sender", "moonx-expiry",
                                        "moonx-ephemeral"};

    memset(bytes, '1', huge);
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        add_bytes(names[i], bytes, huge);
    }
    read_them();
    ck_assert(nothing_found());
    memset(bytes, 0, huge);
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        add_bytes(names[i], bytes, i == 0 ? 32 : 16);
    }
    add_bytes("moonx-expiry", "12\0", 3);
    add_bytes("moonx-ephemeral", "1\0", 2);
    read_them();
    ck_assert(nothing_found());
    free(bytes);
}
END_TEST

START_TEST(the_longest_expiry_is_far_from_overflowing) {
    add("moonx-expiry", "999999999999999");
    read_them();
    ck_assert(found.expiry_ms == 999999999999999);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("event_headers");
    TCase *tests = tcase_create("event_headers");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_written_is_read_again);
    tcase_add_test(tests, what_says_nothing_is_not_written);
    tcase_add_test(tests, a_message_without_headers_has_none);
    tcase_add_test(tests, of_a_header_that_stands_twice_the_last_one_counts);
    tcase_add_test(tests, a_last_one_that_is_wrong_makes_it_absent);
    tcase_add_test(tests, foreign_names_mean_nothing);
    tcase_add_loop_test(tests, one_that_is_not_written_exactly_so_counts_as_absent, 0,
                        ARRAY_LENGTH(wrong));
    tcase_add_test(tests, bytes_of_any_kind_and_length_are_looked_at_and_no_further);
    tcase_add_test(tests, the_longest_expiry_is_far_from_overflowing);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
