/* What hosts tell each other by Redis: how it is put into commands, and what the answers change. */
#include "common/clock.h"
#include "gateway/redis/redis_connections.h"
#include "gateway/redis/redis_limit.h"
#include "gateway/redis/redis_presence.h"
#include "shm/stats.h"
#include "tests/fake/fake_redis.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

#define NOW_NS 1000000000000ull
#define SECOND 1000000000ull

static const struct limit_rate rate = {10, SECOND}; /* ten, then one a second */
static struct limit_table table;
static struct stats stats;
static struct options options;
static int fd;
static struct redis *const redis = (struct redis *)&fake_redis; /* never looked into */

static void set_up(void) {
    clock_set_fake(NOW_NS, 1700000000000);
    memset(&fake_redis, 0, sizeof(fake_redis));
    memset(&stats, 0, sizeof(stats));
    options = (struct options){
        .instance_id = "a \"host\"", .redis_expiry = 30000, .presence_grace = 5000};
    fake_redis.up = true;
    fake_redis.base = event_base_new();
    fake_redis.stats = &stats;
    ck_assert_int_eq(limit_table_create(1000, 2, &fd), 0);
    ck_assert_int_eq(limit_table_map(fd, &table), 0);
}

static void tear_down(void) {
    while (fake_redis.call_count > 0) {
        fake_redis_answer(NULL);
    }
    event_base_free(fake_redis.base);
    limit_table_unmap(&table);
    close(fd);
    clock_set_real();
}

static const char *word(unsigned call, int n) {
    ck_assert_uint_lt(call, fake_redis.call_count);
    ck_assert_int_lt(n, fake_redis.calls[call].count);
    return fake_redis.calls[call].words[n];
}

/* Until the timer of what is being tested has fired. */
static void flush(void) {
    ck_assert_int_eq(event_base_loop(fake_redis.base, EVLOOP_ONCE), 0);
}

/* ---- limits */

static struct redis_limit *limit_made(void) {
    struct redis_limit *limit = NULL;

    ck_assert_int_eq(redis_limit_new(redis, &table, &limit), 0);
    return limit;
}

static uint32_t use(struct redis_limit *limit, uint64_t key, const char *user) {
    uint32_t index = limit_table_find(&table, key, NOW_NS);

    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW_NS), 0);
    redis_limit_touch(limit, index, SECOND, SPAN_LITERAL("messages"), span_of(user));
    return index;
}

START_TEST(a_user_has_one_share_however_much_he_has_said_and_the_end_tells_it) {
    struct redis_limit *limit = limit_made();

    use(limit, 1ull << 32, "ann");
    use(limit, 1ull << 32, "ann");
    use(limit, 2ull << 32, "bob");
    redis_limit_free(limit);
    ck_assert_uint_eq(fake_redis.call_count, 1);
    ck_assert_str_eq(word(0, 0), "EVAL");
    ck_assert_str_eq(word(0, 2), "2");
    ck_assert_str_eq(word(0, 3), "p:ratelimit:messages:ann");
    ck_assert_str_eq(word(0, 4), "p:ratelimit:messages:bob");
    ck_assert_str_eq(word(0, 5), "2000000.000");
    ck_assert_str_eq(word(0, 6), "1000000.000");
    ck_assert_uint_eq(stats_get(&stats, STAT_LIMIT_SHARES), 2);
    fake_redis_answer("*2\r\n:9000000\r\n:9000000\r\n"); /* for nobody */
}
END_TEST

START_TEST(more_shares_than_a_command_holds_go_in_two) {
    struct redis_limit *limit = limit_made();

    for (uint64_t i = 0; i <= REDIS_LIMIT_KEYS; i++) {
        char user[16];
        (void)snprintf(user, sizeof(user), "u%u", (unsigned)i);
        use(limit, (i + 1) << 32, user);
    }
    redis_limit_free(limit);
    ck_assert_uint_eq(fake_redis.call_count, 2);
    ck_assert_str_eq(word(0, 2), "64");
    ck_assert_str_eq(word(1, 2), "1");
    ck_assert_str_eq(word(1, 3), "p:ratelimit:messages:u64");
}
END_TEST

START_TEST(an_answer_moves_the_buckets_and_what_is_none_moves_nothing) {
    static const char *const rubbish[] = {
        "-ERR no\r\n",   "*2\r\n:1\r\n:1\r\n",     "*1\r\n$1\r\nx\r\n",
        "*1\r\n:-1\r\n", "*1\r\n:86400000001\r\n", NULL};
    struct redis_limit *limit = limit_made();
    uint32_t index = use(limit, 1ull << 32, "ann");

    for (unsigned i = 0; i < ARRAY_LENGTH(rubbish); i++) {
        flush();
        fake_redis_answer(rubbish[i]);
        ck_assert_uint_eq(
            limit_table_take(&table, index, &(struct limit_rate){2, SECOND}, 1, NOW_NS),
            i == 0 ? 0 : SECOND);
        redis_limit_touch(limit, index, 0, SPAN_LITERAL("messages"), SPAN_LITERAL("ann"));
    }
    flush();
    fake_redis_answer("*1\r\n:10000000\r\n"); /* ten seconds to fill: none left */
    ck_assert_uint_eq(limit_table_take(&table, index, &rate, 1, NOW_NS), SECOND);
    redis_limit_free(limit);
}
END_TEST

/* ---- connections */

static struct redis_connections *connections_made(void) {
    struct redis_connections *connections = NULL;

    ck_assert_int_eq(redis_connections_new(redis, &table, 0, &options, &connections), 0);
    return connections;
}

static uint32_t come(uint32_t worker) {
    uint32_t index;

    ck_assert(limit_table_enter(&table, worker, 1ull << 32, 99, NOW_NS, &index));
    return index;
}

START_TEST(a_count_is_that_of_all_workers_and_the_answer_counts_for_them) {
    struct redis_connections *connections = connections_made();
    uint32_t index = come(0);

    (void)come(1);
    redis_connections_touch(connections, index, SPAN_LITERAL("user"), SPAN_LITERAL("ann"));
    redis_connections_touch(connections, index, SPAN_LITERAL("user"), SPAN_LITERAL("ann"));
    ck_assert(!redis_connections_over(connections, index, 2));
    flush();
    ck_assert_str_eq(word(0, 2), "1");
    ck_assert_str_eq(word(0, 3), "p:ratelimit:connections:user:ann");
    ck_assert_str_eq(word(0, 4), "a \"host\"");
    ck_assert_str_eq(word(0, 5), "30000");
    ck_assert_str_eq(word(0, 6), "2");
    fake_redis_answer("*1\r\n:3\r\n");
    fake_redis_answer("-ERR no\r\n"); /* the refresh of the same turn */
    ck_assert(redis_connections_over(connections, index, 4));
    ck_assert(!redis_connections_over(connections, index, 5));
    fake_redis.up = false;
    ck_assert(!redis_connections_over(connections, index, 4));
    fake_redis.up = true;
    clock_set_fake(NOW_NS + 30 * SECOND, 1700000030000); /* the others have not told again */
    ck_assert(!redis_connections_over(connections, index, 4));
    redis_connections_free(connections);
}
END_TEST

START_TEST(who_has_gone_is_told_once_and_forgotten) {
    struct redis_connections *connections = connections_made();
    uint32_t index = come(0);

    redis_connections_touch(connections, index, SPAN_LITERAL("user"), SPAN_LITERAL("ann"));
    limit_table_leave(&table, 0, index);
    redis_connections_left(connections, 1ull << 32);
    redis_connections_left(connections, 77); /* nobody knows */
    flush();
    ck_assert_uint_eq(fake_redis.call_count, 1);
    ck_assert_str_eq(word(0, 6), "0");
    flush();
    ck_assert_uint_eq(fake_redis.call_count, 1);
    redis_connections_free(connections);
    fake_redis_answer("*1\r\n:3\r\n"); /* for nobody */
}
END_TEST

START_TEST(who_stays_is_told_again) {
    struct redis_connections *connections = connections_made();

    redis_connections_touch(connections, come(0), SPAN_LITERAL("user"), SPAN_LITERAL("ann"));
    for (unsigned i = 0; i < 3; i++) {
        flush();
    }
    ck_assert_uint_ge(fake_redis.call_count, 3);
    redis_connections_free(connections);
}
END_TEST

/* ---- presence */

static struct {
    unsigned count;
    char text[256];
} changes;

static void on_change(void *context, struct span user, bool online) {
    size_t length = strlen(changes.text);

    ck_assert_ptr_eq(context, &changes);
    changes.count++;
    (void)snprintf(changes.text + length, sizeof(changes.text) - length, SPAN_FORMAT "%c ",
                   SPAN_ARGS(user), online ? '+' : '-');
}

static struct redis_presence *presence_made(void) {
    struct redis_presence *presence = NULL;

    memset(&changes, 0, sizeof(changes));
    ck_assert_int_eq(redis_presence_new(redis, &options, on_change, &changes, &presence), 0);
    return presence;
}

START_TEST(connections_that_come_and_go_are_entries_of_one_command) {
    struct redis_presence *presence = presence_made();

    redis_presence_flush(presence, false);
    ck_assert_uint_eq(fake_redis.call_count, 0); /* nothing to tell */
    redis_presence_hold(presence, "c0123456789abcdef", SPAN_LITERAL("ann"));
    redis_presence_drop(presence, "c0123456789abcdee", SPAN_LITERAL("bob"));
    redis_presence_flush(presence, false);
    ck_assert_uint_eq(fake_redis.call_count, 1);
    ck_assert_str_eq(word(0, 3), "p:online");
    ck_assert_str_eq(word(0, 5), "\",\"instance\":\"a \\\"host\\\"\"}");
    ck_assert_str_eq(word(0, 9), "+c0123456789abcdefann");
    ck_assert_str_eq(word(0, 10), "-c0123456789abcdeebob");
    fake_redis_answer("*2\r\n*2\r\n$3\r\nann\r\n$2\r\nal\r\n*1\r\n$3\r\nbob\r\n");
    ck_assert_str_eq(changes.text, "ann+ al+ bob- ");
    redis_presence_flush(presence, true);
    ck_assert_int_eq(fake_redis.calls[0].count, 9); /* only looks who has gone */
    fake_redis_answer("-ERR no\r\n");
    redis_presence_flush(presence, true);
    fake_redis_answer("*2\r\n:1\r\n*1\r\n:7\r\n");
    ck_assert_uint_eq(changes.count, 3);
    redis_presence_free(presence);
}
END_TEST

START_TEST(a_full_command_goes_at_once_and_who_asked_may_have_ended) {
    struct redis_presence *presence = presence_made();

    for (unsigned i = 0; i < REDIS_PRESENCE_ENTRIES + 1; i++) {
        redis_presence_hold(presence, "c0123456789abcdef", SPAN_LITERAL("ann"));
    }
    ck_assert_uint_eq(fake_redis.call_count, 1);
    ck_assert_int_eq(fake_redis.calls[0].count, 9 + REDIS_PRESENCE_ENTRIES);
    redis_presence_free(presence); /* tells the last one */
    ck_assert_uint_eq(fake_redis.call_count, 2);
    fake_redis_answer("*2\r\n*1\r\n$3\r\nann\r\n*0\r\n");
    fake_redis_answer(NULL);
    ck_assert_uint_eq(changes.count, 0);
}
END_TEST

static void on_online(void *context, const bool *online, unsigned count) {
    char *text = context;

    for (unsigned i = 0; i < count; i++) {
        text[i] = online == NULL ? '?' : online[i] ? '+' : '-';
    }
    text[count] = '\0';
}

START_TEST(who_is_online_is_who_has_connections_somewhere) {
    static const struct span users[] = {SPAN_LITERAL("ann"), SPAN_LITERAL("bob")};
    static const char *const rows[][2] = {
        {"*2\r\n:2\r\n:0\r\n", "+-"}, {"*1\r\n:2\r\n", "??"}, {"-ERR no\r\n", "??"}, {NULL, "??"}};
    struct redis_presence *presence = presence_made();
    char text[8];

    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert_int_eq(redis_presence_ask(presence, users, 2, on_online, text), 0);
        ck_assert_str_eq(word(0, 4), "p:user:bob:sockets");
        fake_redis_answer(rows[i][0]);
        ck_assert_str_eq(text, rows[i][1]);
    }
    fake_redis.up = false;
    ck_assert_int_eq(redis_presence_ask(presence, users, 2, on_online, text), -EAGAIN);
    redis_presence_free(presence);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis_share");
    TCase *cases = tcase_create("redis_share");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_user_has_one_share_however_much_he_has_said_and_the_end_tells_it);
    tcase_add_test(cases, more_shares_than_a_command_holds_go_in_two);
    tcase_add_test(cases, an_answer_moves_the_buckets_and_what_is_none_moves_nothing);
    tcase_add_test(cases, a_count_is_that_of_all_workers_and_the_answer_counts_for_them);
    tcase_add_test(cases, who_has_gone_is_told_once_and_forgotten);
    tcase_add_test(cases, who_stays_is_told_again);
    tcase_add_test(cases, connections_that_come_and_go_are_entries_of_one_command);
    tcase_add_test(cases, a_full_command_goes_at_once_and_who_asked_may_have_ended);
    tcase_add_test(cases, who_is_online_is_who_has_connections_somewhere);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
