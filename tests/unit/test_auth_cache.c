/* Verified tokens are remembered, until they end, and only so many. */
#include "gateway/access/auth_cache.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct auth_cache *cache;
static struct identity found;

static void start(void) {
    ck_assert_int_eq(auth_cache_new(&cache), 0);
    memset(&found, 0x5a, sizeof(found));
}

static void stop(void) {
    auth_cache_free(cache);
}

static const unsigned char *key_of(unsigned number) {
    static unsigned char digest[DIGEST_BYTES];
    char text[32];
    (void)snprintf(text, sizeof(text), "token %u", number);
    ck_assert_int_eq(digest_of(span_of(text), digest), 0);
    return digest;
}

static void put(unsigned number, int64_t until) {
    struct identity identity = {.expires_ms = until};
    (void)snprintf(identity.user_id, sizeof(identity.user_id), "user-%u", number);
    auth_cache_put(cache, key_of(number), &identity, until);
}

START_TEST(what_went_in_comes_out_until_its_time) {
    struct identity identity = {.email = "a@b.example", .role_count = 3, .expires_ms = 5000};
    strcpy(identity.user_id, "alice");
    strcpy(identity.roles[0], "x");
    memset(identity.roles[2], 'r', IDENTITY_ROLE_BYTES); /* roles[1] is empty */
    auth_cache_put(cache, key_of(1), &identity, 6000);
    ck_assert(auth_cache_find(cache, key_of(1), 5999, &found));
    ck_assert_str_eq(found.user_id, "alice");
    ck_assert_str_eq(found.email, "a@b.example");
    ck_assert_uint_eq(found.role_count, 3);
    ck_assert_int_eq(found.expires_ms, 5000);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_str_eq(found.roles[i], identity.roles[i]);
    }
    memset(&found, 0x5a, sizeof(found));
    ck_assert(!auth_cache_find(cache, key_of(2), 0, &found));
    ck_assert(!auth_cache_find(cache, key_of(1), 6000, &found));
    ck_assert(!auth_cache_find(cache, key_of(1), 0, &found)); /* and never again */
    ck_assert_int_eq(found.user_id[0], 0x5a);
}
END_TEST

START_TEST(the_largest_identity_fits) {
    struct identity identity = {.role_count = IDENTITY_ROLES_MAX, .expires_ms = 1};
    memset(identity.user_id, 'u', sizeof(identity.user_id) - 1);
    memset(identity.email, 'e', IDENTITY_EMAIL_MAX);
    for (unsigned i = 0; i < IDENTITY_ROLES_MAX; i++) {
        memset(identity.roles[i], 'a' + (int)i % 26, IDENTITY_ROLE_BYTES);
    }
    auth_cache_put(cache, key_of(1), &identity, 10);
    memset(&found, 0, sizeof(found));
    ck_assert(auth_cache_find(cache, key_of(1), 0, &found));
    ck_assert_mem_eq(&found, &identity, sizeof(found));
}
END_TEST

START_TEST(a_newer_answer_replaces_the_older) {
    put(1, 1000);
    put(1, 2000);
    ck_assert(auth_cache_find(cache, key_of(1), 1500, &found));
    ck_assert_int_eq(found.expires_ms, 2000);
}
END_TEST

START_TEST(clearing_forgets_all) {
    for (unsigned i = 0; i < 100; i++) {
        put(i, 1000);
    }
    auth_cache_clear(cache);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(!auth_cache_find(cache, key_of(i), 0, &found));
    }
}
END_TEST

START_TEST(it_stays_bounded_and_keeps_those_that_last) {
    const unsigned many = 3 * AUTH_CACHE_ENTRIES;
    unsigned short_lived = 0, long_lived = 0;
    for (unsigned i = 0; i < many; i++) {
        put(i, i % 8 == 0 ? 9000 : 1000);
    }
    for (unsigned i = 0; i < many; i++) {
        bool there = auth_cache_find(cache, key_of(i), 0, &found);
        long_lived += there && i % 8 == 0;
        short_lived += there && i % 8 != 0;
        if (there) {
            char user[32];
            (void)snprintf(user, sizeof(user), "user-%u", i);
            ck_assert_str_eq(found.user_id, user);
        }
    }
    ck_assert_uint_le(short_lived + long_lived, AUTH_CACHE_ENTRIES);
    ck_assert_uint_ge(long_lived, many / 8 * 9 / 10);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("auth_cache");
    TCase *tests = tcase_create("cache");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, what_went_in_comes_out_until_its_time);
    tcase_add_test(tests, the_largest_identity_fits);
    tcase_add_test(tests, a_newer_answer_replaces_the_older);
    tcase_add_test(tests, clearing_forgets_all);
    tcase_add_test(tests, it_stays_bounded_and_keeps_those_that_last);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
