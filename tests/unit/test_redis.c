/* Where Redis is, and what it says. */
#include "gateway/redis/redis_address.h"
#include "gateway/redis/redis_reply.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct redis_address address;
static char error[512];

static void done(void) {
    redis_address_done(&address);
}

static int read_options(const struct options *options) {
    error[0] = '\0';
    return redis_address_read(options, &address, error, sizeof(error));
}

static struct options none(void) {
    return (struct options){.redis_url = "",
                            .redis_host = "",
                            .redis_port = 6379,
                            .redis_password = "",
                            .redis_password_file = ""};
}

static int read_url(const char *url) {
    struct options options = none();

    redis_address_done(&address);
    options.redis_url = url;
    return read_options(&options);
}

static void expect(const char *url, const char *host, unsigned port, unsigned database,
                   const char *user, const char *password) {
    ck_assert_msg(read_url(url) == 1, "%s: %s", url, error);
    ck_assert_str_eq(address.host, host);
    ck_assert_uint_eq(address.port, port);
    ck_assert_uint_eq(address.database, database);
    ck_assert_str_eq(address.user, user);
    ck_assert_int_eq(address.password != NULL, password != NULL);
    ck_assert(password == NULL || span_is(secret_bytes(address.password), password));
}

START_TEST(two_addresses_are_the_same_when_all_of_them_is) {
    static const char *const others[] = {"redis://u:p@i:2/3", "redis://u:p@h:3/3",
                                         "redis://u:p@h:2/4", "redis://v:p@h:2/3",
                                         "redis://u:q@h:2/3", "redis://h:2/3"};
    struct redis_address first;

    ck_assert_int_eq(read_url("redis://u:p@h:2/3"), 1);
    first = address;
    address.password = NULL;
    ck_assert_int_eq(read_url("redis://u:p@h:2/3"), 1);
    ck_assert(redis_address_same(&first, &address));
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++) {
        ck_assert_int_eq(read_url(others[i]), 1);
        ck_assert_msg(!redis_address_same(&first, &address), "%s", others[i]);
    }
    redis_address_done(&first);
}
END_TEST

START_TEST(an_address_says_where_and_who) {
    expect("redis://h", "h", 6379, 0, "", NULL);
    expect("redis://h:1/", "h", 1, 0, "", NULL);
    expect("redis://h:65535/15", "h", 65535, 15, "", NULL);
    expect("redis://[::1]:7/2", "::1", 7, 2, "", NULL);
    expect("redis://[::1]", "::1", 6379, 0, "", NULL);
    expect("redis://:p@h", "h", 6379, 0, "", "p");
    expect("redis://u:p@q:r@h:2", "h", 2, 0, "u", "p@q:r");
    expect("redis://u%3a:%25%41%2f@h", "h", 6379, 0, "u:", "%A/");
    expect("unix:///run/redis", "/run/redis", 6379, 0, "", NULL);
    expect("unix://:p@/run/redis", "/run/redis", 6379, 0, "", "p");
}
END_TEST

START_TEST(what_is_no_address_is_refused_without_showing_the_password) {
    static const char *const wrong[] = {
        "h",
        "redis:/h",
        "rediss://:geheim@h",
        "redis://",
        "redis://:geheim@",
        "redis://h:",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:1x",
        "redis://h/x",
        "redis://[::1",
        "redis://[::1]x",
        "redis://geheim@h",
        "redis://:@h",
        "redis://:%4@h",
        "redis://:%@h",
        "redis://:%00@h",
        "redis://:%zz@h",
        "redis:///tmp",
        "redis://x y",
        "redis://x%0ay",
        "redis://%2ftmp",
        "unix://tmp",
        "unix:///",
        "redis://h/10000000",
    };
    char path[300] = "unix:///";

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_msg(read_url(wrong[i]) == -EINVAL, "%s", wrong[i]);
        ck_assert_ptr_nonnull(strstr(error, "REDIS_URL"));
        ck_assert_ptr_null(strstr(error, "geheim"));
    }
    memset(path + 8, 'x', 107);
    ck_assert_int_eq(read_url(path), -EINVAL);
    path[8 + 106] = '\0';
    ck_assert_int_eq(read_url(path), 1);
}
END_TEST

START_TEST(what_can_be_no_host_is_refused) {
    static const char *const wrong[] = {"x y", " h", "h\t", "h/x", "h,i", "[::1]", "h\x01"};
    static const char *const right[] = {"::1", "fe80::1%eth0", "redis_1.example-2",
                                        "/run/my redis"};
    struct options options = none();

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        options.redis_host = wrong[i];
        ck_assert_msg(read_options(&options) == -EINVAL, "%s", wrong[i]);
        ck_assert_ptr_nonnull(strstr(error, "REDIS_HOST: "));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(right); i++) {
        options.redis_host = right[i];
        ck_assert_msg(read_options(&options) == 1, "%s", right[i]);
        ck_assert_str_eq(address.host, right[i]);
    }
}
END_TEST

START_TEST(host_port_and_password_may_stand_alone) {
    struct options options = none();

    ck_assert_int_eq(read_options(&options), 0);
    options.redis_host = "h";
    options.redis_port = 7;
    options.redis_password = "p@:%41";
    ck_assert_int_eq(read_options(&options), 1);
    ck_assert_str_eq(address.host, "h");
    ck_assert_uint_eq(address.port, 7);
    ck_assert(span_is(secret_bytes(address.password), "p@:%41"));
    redis_address_done(&address);
    options.redis_password_file = "/nowhere";
    ck_assert_int_eq(read_options(&options), -EINVAL);
    options.redis_password = "";
    ck_assert_int_eq(read_options(&options), -ENOENT);
    options.redis_password_file = "";
    options.redis_host = "redis://h";
    ck_assert_int_eq(read_options(&options), -EINVAL);
}
END_TEST

/* The bytes one at a time; the last reply, or NULL when they were refused. */
static redisReply *read_bytes(const char *bytes, size_t length) {
    redisReader *reader = redis_reply_reader();
    redisReply *last = NULL, *reply;
    int found = 0;

    ck_assert_ptr_nonnull(reader);
    for (size_t i = 0; i < length && found >= 0; i++) {
        found = redis_reply_feed(reader, (struct span){bytes + i, 1});
        while (found >= 0 && (found = redis_reply_next(reader, &reply)) == 1) {
            if (last != NULL) {
                freeReplyObject(last);
            }
            last = reply;
        }
    }
    redisReaderFree(reader);
    if (found < 0 && last != NULL) {
        freeReplyObject(last);
    }
    return found < 0 ? NULL : last;
}

START_TEST(replies_are_read_byte_by_byte) {
    redisReply *reply = read_bytes("+OK\r\n*2\r\n:5\r\n$2\r\nab\r\n", 21);

    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(reply->elements, 2);
    ck_assert_int_eq(reply->element[0]->integer, 5);
    ck_assert_str_eq(reply->element[1]->str, "ab");
    freeReplyObject(reply);
}
END_TEST

START_TEST(an_array_of_more_than_may_be_is_refused_before_there_is_memory_for_it) {
    char text[32];
    redisReply *reply;

    int length = snprintf(text, sizeof(text), "*%u\r\n", REDIS_REPLY_ELEMENTS + 1);
    ck_assert_ptr_null(read_bytes(text, (size_t)length));
    ck_assert_ptr_null(read_bytes("*2147483647\r\n", 13));
    reply = read_bytes("*0\r\n", 4);
    ck_assert_ptr_nonnull(reply);
    freeReplyObject(reply);
}
END_TEST

START_TEST(a_string_that_never_ends_is_given_up) {
    static char piece[4096];
    redisReader *reader = redis_reply_reader();
    redisReply *reply;
    size_t fed = 0;
    int result = redis_reply_feed(reader, SPAN_LITERAL("$2147483647\r\n"));

    while (result == 0) {
        ck_assert_int_eq(redis_reply_next(reader, &reply), 0);
        ck_assert_uint_le(fed, REDIS_REPLY_BYTES);
        result = redis_reply_feed(reader, (struct span){piece, sizeof(piece)});
        fed += sizeof(piece);
    }
    ck_assert_int_eq(result, -EPROTO);
    redisReaderFree(reader);
}
END_TEST

START_TEST(errors_of_the_whole_server_count_as_down_and_others_do_not) {
    static const struct {
        const char *text;
        bool down;
        const char *word;
    } rows[] = {
        {"-LOADING Redis is loading\r\n", true, "LOADING"},
        {"-NOAUTH Authentication required.\r\n", true, "NOAUTH"},
        {"-READONLY You can't write\r\n", true, "READONLY"},
        {"-OOM command not allowed\r\n", true, "OOM"},
        {"-MOVED 3999 127.0.0.1:6381\r\n", true, "MOVED"},
        {"-WRONGTYPE Operation\r\n", false, "WRONGTYPE"},
        {"-ERR unknown\r\n", false, "ERR"},
        {"-\r\n", false, "error"},
        {"-OOMX\r\n", false, "OOMX"},
        {"+OOM\r\n", false, "OOM"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char word[32];
        redisReply *reply = read_bytes(rows[i].text, strlen(rows[i].text));
        ck_assert_ptr_nonnull(reply);
        ck_assert_msg(redis_reply_is_down(reply) == rows[i].down, "%s", rows[i].text);
        redis_reply_word(reply, word, sizeof(word));
        ck_assert_str_eq(word, rows[i].word);
        freeReplyObject(reply);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis");
    TCase *cases = tcase_create("redis");

    tcase_add_checked_fixture(cases, NULL, done);
    tcase_add_test(cases, an_address_says_where_and_who);
    tcase_add_test(cases, two_addresses_are_the_same_when_all_of_them_is);
    tcase_add_test(cases, what_is_no_address_is_refused_without_showing_the_password);
    tcase_add_test(cases, what_can_be_no_host_is_refused);
    tcase_add_test(cases, host_port_and_password_may_stand_alone);
    tcase_add_test(cases, replies_are_read_byte_by_byte);
    tcase_add_test(cases, an_array_of_more_than_may_be_is_refused_before_there_is_memory_for_it);
    tcase_add_test(cases, a_string_that_never_ends_is_given_up);
    tcase_add_test(cases, errors_of_the_whole_server_count_as_down_and_others_do_not);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
