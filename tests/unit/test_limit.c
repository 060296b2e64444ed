/* The limits as the options name them, and what they allow. */
#include "common/clock.h"
#include "gateway/access/limit.h"
#include "tests/unit/unit.h"

#include <unistd.h>

static struct options options;
static struct limit *limits[2]; /* of two workers */
static int fd;

static struct limit *made(void) {
    struct limit *limit = NULL;
    char error[512] = "";

    ck_assert_msg(limit_new(&options, &limit, error, sizeof(error)) == 0, "%s", error);
    return limit;
}

static void set_up(void) {
    static const struct siphash_key key = {1, 2};

    clock_set_fake(1000 * 1000000000ull, 1700000000000);
    options = (struct options){.rate_limit_max_connections_per_ip = 2,
                               .rate_limit_max_connections_per_user = 3,
                               .rate_limit_max_handshakes_per_second = 4,
                               .rate_limit_max_messages_per_minute = "6,subscribe=2"};
    ck_assert_int_eq(limit_table_create(100, 2, &fd), 0);
    for (uint32_t i = 0; i < 2; i++) {
        limits[i] = made();
        ck_assert_int_eq(limit_attach(limits[i], fd, i, &key), 0);
    }
}

static void tear_down(void) {
    limit_free(limits[0]);
    limit_free(limits[1]);
    close(fd);
    clock_set_real();
}

static void later(uint64_t ms) {
    static uint64_t now_ns;

    now_ns = clock_mono_ns() + ms * 1000000;
    clock_set_fake(now_ns, 1700000000000);
}

static bool come(unsigned worker, const char *from, uint32_t *index) {
    struct address address;

    ck_assert(address_of_text(span_of(from), &address));
    return limit_enter_address(limits[worker], &address, index);
}

START_TEST(an_address_has_its_connections_over_all_workers) {
    uint32_t a, b, c;

    ck_assert(come(0, "192.0.2.1", &a));
    ck_assert(come(1, "192.0.2.1", &b));
    ck_assert(!come(0, "192.0.2.1", &c));
    ck_assert(come(0, "192.0.2.2", &c));
    limit_leave(limits[1], b);
    ck_assert(come(0, "192.0.2.1", &b));
}
END_TEST

START_TEST(an_ipv6_client_counts_by_its_64) {
    uint32_t index;

    ck_assert(come(0, "2001:db8:1:2::1", &index));
    ck_assert(come(0, "2001:db8:1:2:ffff::9", &index));
    ck_assert(!come(1, "2001:db8:1:2::3", &index));
    ck_assert(come(1, "2001:db8:1:3::3", &index));
}
END_TEST

START_TEST(a_user_is_not_an_address_of_the_same_bytes_and_has_a_limit_of_his_own) {
    uint32_t index;

    for (unsigned i = 0; i < 3; i++) {
        ck_assert(limit_enter_user(limits[i % 2], SPAN_LITERAL("ann"), &index));
    }
    ck_assert(!limit_enter_user(limits[1], SPAN_LITERAL("ann"), &index));
    ck_assert(limit_enter_user(limits[1], SPAN_LITERAL("bob"), &index));
}
END_TEST

START_TEST(zero_is_any_number) {
    uint32_t index;

    limits[0]->per_user = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert(limit_enter_user(limits[0], SPAN_LITERAL("ann"), &index));
    }
    limits[0]->handshakes.burst = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(limit_handshake(limits[0]), 0);
    }
}
END_TEST

START_TEST(handshakes_are_counted_for_the_whole_host) {
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(limit_handshake(limits[i % 2]), 0);
    }
    ck_assert_uint_eq(limit_handshake(limits[0]), 1);
    later(250);
    ck_assert_uint_eq(limit_handshake(limits[1]), 0);
    ck_assert_uint_eq(limit_handshake(limits[0]), 1);
}
END_TEST

static unsigned say(unsigned worker, uint32_t user, const char *type) {
    return limit_message(limits[worker], user, SPAN_LITERAL("ann"), type, 10);
}

START_TEST(a_user_says_so_much_in_a_minute_wherever_he_is_connected) {
    uint32_t here, there;

    ck_assert(limit_enter_user(limits[0], SPAN_LITERAL("ann"), &here));
    ck_assert(limit_enter_user(limits[1], SPAN_LITERAL("ann"), &there));
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(say(i % 2, i % 2 ? there : here, "ping"), 0);
    }
    ck_assert_uint_eq(say(0, here, "ping"), 10);
    later(3001);
    ck_assert_uint_eq(say(1, there, ""), 7);
    later(6999);
    ck_assert_uint_eq(say(1, there, ""), 0);
    ck_assert_uint_eq(say(0, here, "ping"), 10);
}
END_TEST

START_TEST(bytes_are_limited_beside_messages) {
    const struct limit_rate ten_a_second = {.burst = 600, .interval_ns = 100000000};
    uint32_t user;

    limits[0]->bytes = ten_a_second;
    ck_assert(limit_enter_user(limits[0], SPAN_LITERAL("ann"), &user));
    ck_assert_uint_eq(limit_message(limits[0], user, SPAN_LITERAL("ann"), "ping", 590), 0);
    ck_assert_uint_eq(limit_message(limits[0], user, SPAN_LITERAL("ann"), "ping", 60), 5);
    ck_assert_uint_eq(limit_message(limits[0], user, SPAN_LITERAL("ann"), "ping", 10), 0);
    ck_assert_uint_eq(limit_message(limits[0], user, SPAN_LITERAL("bob"), "ping", 600), 0);
}
END_TEST

START_TEST(a_type_has_a_limit_beside_that_of_all) {
    uint32_t user;

    ck_assert(limit_enter_user(limits[0], SPAN_LITERAL("ann"), &user));
    ck_assert_uint_eq(say(0, user, "subscribe"), 0);
    ck_assert_uint_eq(say(1, user, "subscribe"), 0);
    ck_assert_uint_eq(say(0, user, "subscribe"), 30);
    for (unsigned i = 0; i < 4; i++) { /* the refused one has cost nothing */
        ck_assert_uint_eq(say(0, user, "ping"), 0);
    }
    ck_assert_uint_eq(say(0, user, "ping"), 10);
    ck_assert_uint_eq(limit_message(limits[0], 0, SPAN_LITERAL("bob"), "subscribe", 10), 0);
}
END_TEST

static const struct {
    const char *text;
    bool good;
    uint64_t burst;
    unsigned types;
} lists[] = {
    {"120", true, 120, 0},
    {"1", true, 1, 0},
    {"1000000", true, 1000000, 0},
    {"ping=5", true, 0, 1},
    {"120,ping=5,subscribe=7", true, 120, 2},
    {"ping=5,120", true, 120, 1},
    {"", false, 0, 0},
    {"0", false, 0, 0},
    {"-1", false, 0, 0},
    {"1000001", false, 0, 0},
    {"99999999999", false, 0, 0},
    {"120,", false, 0, 0},
    {"120,60", false, 0, 0},
    {"120,ping", false, 0, 0},
    {"120,ping=", false, 0, 0},
    {"120,=5", false, 0, 0},
    {"120,ping=0", false, 0, 0},
    {"120,ping=5,ping=6", false, 0, 0},
    {"120, ping=5", true, 120, 1},
    {"120 ", false, 0, 0},
};

START_TEST(the_list_of_message_limits_is_read_strictly) {
    struct limit *limit = NULL;
    char error[512] = "";
    options.rate_limit_max_messages_per_minute = lists[_i].text;
    int result = limit_new(&options, &limit, error, sizeof(error));

    ck_assert_msg((result == 0) == lists[_i].good, "\"%s\"", lists[_i].text);
    if (result == 0) {
        ck_assert_uint_eq(limit->messages.burst, lists[_i].burst);
        ck_assert_uint_eq(limit->type_count, lists[_i].types);
    } else {
        ck_assert_msg(strncmp(error, "RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: \"", 37) == 0, "%s",
                      error);
        ck_assert_ptr_null(limit);
    }
    limit_free(limit);
}
END_TEST

START_TEST(too_many_types_are_refused) {
    char text[1024] = "120";
    struct limit *limit = NULL;
    char error[2048] = "";
    size_t length = 3;

    for (int i = 0; i < LIMIT_TYPES_MAX; i++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, ",type%d=1", i);
    }
    options.rate_limit_max_messages_per_minute = text;
    limit = made();
    ck_assert_uint_eq(limit->type_count, LIMIT_TYPES_MAX);
    limit_free(limit);
    limit = NULL;
    snprintf(text + length, sizeof(text) - length, ",more=1");
    ck_assert_int_eq(limit_new(&options, &limit, error, sizeof(error)), -EINVAL);
}
END_TEST

START_TEST(a_worker_that_the_table_does_not_know_is_not_attached) {
    static const struct siphash_key key = {1, 2};
    struct limit *limit = made();

    ck_assert_int_eq(limit_attach(limit, fd, 2, &key), -EPROTO);
    ck_assert_int_lt(limit_attach(limit, -1, 0, &key), 0);
    limit_free(limit);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("limit");
    TCase *tests = tcase_create("limit");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_address_has_its_connections_over_all_workers);
    tcase_add_test(tests, an_ipv6_client_counts_by_its_64);
    tcase_add_test(tests, a_user_is_not_an_address_of_the_same_bytes_and_has_a_limit_of_his_own);
    tcase_add_test(tests, zero_is_any_number);
    tcase_add_test(tests, handshakes_are_counted_for_the_whole_host);
    tcase_add_test(tests, a_user_says_so_much_in_a_minute_wherever_he_is_connected);
    tcase_add_test(tests, bytes_are_limited_beside_messages);
    tcase_add_test(tests, a_type_has_a_limit_beside_that_of_all);
    tcase_add_loop_test(tests, the_list_of_message_limits_is_read_strictly, 0,
                        (int)ARRAY_LENGTH(lists));
    tcase_add_test(tests, too_many_types_are_refused);
    tcase_add_test(tests, a_worker_that_the_table_does_not_know_is_not_attached);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
