/* The table of revoked tokens: what an entry concerns and for how long, what a full set does, and the row of changes
 * that workers follow. */
#include "shm/revocations.h"
#include "tests/unit/unit.h"

#include <unistd.h>

#define NOW  1700000000000ull
#define LATE (NOW + 3600000)

static struct revocations table, reader;
static int fd = -1;
static const struct siphash_key hash_key = {1, 2};

static void set_up(void) {
    ck_assert_int_eq(revocations_create(1, &fd), 0);
    ck_assert_int_eq(revocations_map(fd, true, &table), 0);
    ck_assert_int_eq(revocations_map(fd, false, &reader), 0);
}

static void tear_down(void) {
    revocations_unmap(&table);
    revocations_unmap(&reader);
    close(fd);
}

/* The number-th key of the set that this name's is in. */
static uint64_t in_one_set(unsigned number) {
    return 0x7700000000ull + 2 + number;
}

START_TEST(a_revoked_key_is_refused_until_its_time_and_no_other_is) {
    uint64_t alice = revocations_key(&hash_key, REVOCATION_USER, span_of("alice"));
    uint64_t session = revocations_key(&hash_key, REVOCATION_SESSION, span_of("alice"));

    ck_assert(!revocations_has(&reader, alice, NOW, NOW));
    ck_assert(revocations_put(&table, alice, REVOCATIONS_ANY_TIME, LATE, NOW));
    ck_assert(revocations_has(&reader, alice, 0, NOW));
    ck_assert(revocations_has(&reader, alice, LATE * 2, LATE - 1));
    ck_assert(!revocations_has(&reader, alice, 0, LATE));
    ck_assert_uint_ne(alice, session);
    ck_assert(!revocations_has(&reader, session, 0, NOW));
}
END_TEST

START_TEST(tokens_issued_later_are_good) {
    ck_assert(revocations_put(&table, 7, NOW, LATE, NOW));
    ck_assert(revocations_has(&reader, 7, NOW - 1, NOW));
    ck_assert(revocations_has(&reader, 7, 0, NOW));
    ck_assert(!revocations_has(&reader, 7, NOW, NOW));
}
END_TEST

START_TEST(said_again_the_later_times_count) {
    ck_assert(revocations_put(&table, 7, NOW, LATE, NOW));
    ck_assert(revocations_put(&table, 7, NOW + 5, LATE - 5, NOW));
    ck_assert(revocations_has(&reader, 7, NOW + 4, LATE - 1));
    ck_assert(revocations_put(&table, 7, NOW - 5, LATE + 5, NOW));
    ck_assert(revocations_has(&reader, 7, NOW + 4, LATE + 4));
    ck_assert(!revocations_has(&reader, 7, NOW + 5, LATE + 4));
}
END_TEST

START_TEST(everybodys_tokens_before_a_time) {
    ck_assert(!revocations_has_all(&reader, 0, NOW));
    revocations_put_all(&table, NOW, LATE);
    ck_assert(revocations_has_all(&reader, NOW - 1, NOW));
    ck_assert(!revocations_has_all(&reader, NOW, NOW));
    ck_assert(!revocations_has_all(&reader, NOW - 1, LATE));
}
END_TEST

START_TEST(an_expired_entry_gives_its_place_up) {
    for (unsigned i = 0; i < REVOCATIONS_WAYS; i++) {
        ck_assert(revocations_put(&table, in_one_set(i), REVOCATIONS_ANY_TIME, NOW + i + 1, NOW));
    }
    ck_assert(revocations_put(&table, in_one_set(99), REVOCATIONS_ANY_TIME, LATE, NOW + 1));
    ck_assert(!revocations_has(&reader, in_one_set(0), 0, NOW));
    ck_assert(revocations_has(&reader, in_one_set(1), 0, NOW));
    ck_assert(revocations_has(&reader, in_one_set(99), 0, NOW));
}
END_TEST

START_TEST(a_full_set_forgets_nobody_and_refuses_its_other_keys_too) {
    for (unsigned i = 0; i < REVOCATIONS_WAYS; i++) {
        ck_assert(revocations_put(&table, in_one_set(i), NOW, LATE, NOW));
    }
    ck_assert(!revocations_has(&reader, in_one_set(50), 0, NOW));
    ck_assert(!revocations_put(&table, in_one_set(50), NOW + 10, LATE + 10, NOW));
    for (unsigned i = 0; i < REVOCATIONS_WAYS; i++) {
        ck_assert(revocations_has(&reader, in_one_set(i), 0, NOW));
    }
    ck_assert(revocations_has(&reader, in_one_set(50), NOW + 9, LATE + 9));
    ck_assert(revocations_has(&reader, in_one_set(77), 0, NOW)); /* too strict, never too lax */
    ck_assert(!revocations_has(&reader, in_one_set(77), NOW + 10, NOW));
    ck_assert(!revocations_has(&reader, 2, 0, NOW)); /* other sets are as they were */
    ck_assert(!revocations_put(&table, in_one_set(51), NOW, LATE + 99, NOW));
    ck_assert(revocations_has(&reader, in_one_set(51), 0, LATE + 98));
    /* when all is over the set is everybody's again */
    ck_assert(revocations_put(&table, in_one_set(52), NOW, LATE + 999, LATE + 500));
    ck_assert(!revocations_has(&reader, in_one_set(77), 0, LATE + 500));
}
END_TEST

static void announce(const char *name) {
    struct revocations_change change = {.kind = REVOCATION_USER, .key = 3, .before_ms = NOW};
    change.name_length = (uint16_t)strlen(name);
    memcpy(change.name, name, strlen(name));
    revocations_announce(&table, &change);
}

START_TEST(changes_come_in_order_and_whole) {
    struct revocations_change change;

    ck_assert_uint_eq(revocations_sequence(&reader), 0);
    ck_assert(!revocations_change(&reader, 1, &change));
    announce("alice");
    announce("bob");
    ck_assert_uint_eq(revocations_sequence(&reader), 2);
    ck_assert(revocations_change(&reader, 1, &change));
    ck_assert_str_eq(change.name, "alice");
    ck_assert_uint_eq(change.before_ms, NOW);
    ck_assert(revocations_change(&reader, 2, &change));
    ck_assert_str_eq(change.name, "bob");
    ck_assert(!revocations_change(&reader, 3, &change));
}
END_TEST

START_TEST(a_change_that_was_overwritten_is_not_taken_for_another) {
    struct revocations_change change;

    for (unsigned i = 0; i <= REVOCATIONS_CHANGES; i++) {
        announce("x");
    }
    ck_assert(!revocations_change(&reader, 1, &change));
    ck_assert(revocations_change(&reader, 2, &change));
    ck_assert(revocations_change(&reader, REVOCATIONS_CHANGES + 1, &change));
}
END_TEST

START_TEST(what_is_no_table_is_refused) {
    struct revocations out;

    table.header->version++;
    ck_assert_int_eq(revocations_map(fd, false, &out), -EPROTO);
    table.header->version--;
    table.header->slots *= 2;
    ck_assert_int_eq(revocations_map(fd, false, &out), -EPROTO);
    table.header->slots /= 2;
    ck_assert_int_eq(revocations_map(fd, false, &out), 0);
    revocations_unmap(&out);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("revocations");
    TCase *tests = tcase_create("revocations");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_revoked_key_is_refused_until_its_time_and_no_other_is);
    tcase_add_test(tests, tokens_issued_later_are_good);
    tcase_add_test(tests, said_again_the_later_times_count);
    tcase_add_test(tests, everybodys_tokens_before_a_time);
    tcase_add_test(tests, an_expired_entry_gives_its_place_up);
    tcase_add_test(tests, a_full_set_forgets_nobody_and_refuses_its_other_keys_too);
    tcase_add_test(tests, changes_come_in_order_and_whole);
    tcase_add_test(tests, a_change_that_was_overwritten_is_not_taken_for_another);
    tcase_add_test(tests, what_is_no_table_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
