/* Revocations and disconnects as a worker follows them: whom they shut, how many a turn, and what becomes of changes that
 * were missed. */
#include "gateway/connection/conn_revoke.h"

#include "common/clock.h"
#include "tests/unit/conn_fixture.h"
#include "tests/unit/unit.h"

#define CONNS  400u
#define NOW_MS 1700000000000ull
#define LATER  (NOW_MS + 3600000)

static int revocations_fd;
static int peers[CONNS];
static unsigned conns;

static void start(void) {
    set_up();
    clock_set_fake(1000000000, NOW_MS);
    ck_assert_int_eq(revocations_create(1, &revocations_fd), 0);
    ck_assert_int_eq(revocations_map(revocations_fd, true, &worker.view.revocations), 0);
    conn_revoke_start(&worker);
    conns = 0;
}

static void stop(void) {
    tear_down();
    revocations_unmap(&worker.view.revocations);
    close(revocations_fd);
    while (conns > 0) {
        close(peers[--conns]);
    }
}

/* One that has signed in. */
static struct conn *signed_in(const char *user, const char *session, const char *token,
                              uint64_t issued_ms) {
    struct identity identity = {.expires_ms = INT64_MAX / 4};
    uint32_t index = slab_take(&worker.conns->slab);
    struct conn *conn = conn_at(&worker, index);
    int pair[2];

    snprintf(identity.user_id, sizeof identity.user_id, "%s", user);
    snprintf(identity.marks.session_id, sizeof identity.marks.session_id, "%s", session);
    snprintf(identity.marks.token_id, sizeof identity.marks.token_id, "%s", token);
    identity.marks.issued_ms = (int64_t)issued_ms;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    peers[conns++] = pair[1];
    conn->self = index;
    conn->fd = pair[0];
    conn->id = 1000 + index;
    conn_set_state(&worker, conn, CONN_PENDING);
    ck_assert_int_eq(conn_poll_add(&worker, conn), 0);
    ck_assert_int_eq(conn_set_identity(&worker, conn, &identity), 0);
    ck_assert(conn_authenticated(conn));
    return conn;
}

static uint64_t key(enum revocation_kind kind, const char *name) {
    return revocations_key(&worker.view.segment.header->hash_key, kind, span_of(name));
}

static void announce(enum revocation_kind kind, const char *name, uint64_t before_ms) {
    struct revocations_change change = {.kind = kind, .before_ms = before_ms};
    change.name_length = (uint16_t)strlen(name);
    memcpy(change.name, name, change.name_length);
    change.key = key(kind, name);
    revocations_announce(&worker.view.revocations, &change);
}

static uint64_t shut(void) {
    return stats_get(worker.stats, STAT_REVOKED_CLOSED) +
           stats_get(worker.stats, STAT_DISCONNECTED);
}

START_TEST(a_session_or_token_goes_with_its_own_connections_and_nobody_elses) {
    struct conn *one = signed_in("ann", "s1", "t1", NOW_MS);
    struct conn *two = signed_in("ann", "s2", "t2", NOW_MS);
    struct conn *none = signed_in("ben", "", "", NOW_MS);
    announce(REVOCATION_SESSION, "s1", REVOCATIONS_ANY_TIME);
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(!conn_authenticated(one) && conn_authenticated(two) && conn_authenticated(none));
    announce(REVOCATION_TOKEN, "t2", REVOCATIONS_ANY_TIME);
    announce(REVOCATION_TOKEN, "s1", REVOCATIONS_ANY_TIME);
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(!conn_authenticated(two) && conn_authenticated(none));
    ck_assert_uint_eq(shut(), 2);
}
END_TEST

START_TEST(a_user_goes_with_what_was_issued_before_and_a_disconnect_takes_all) {
    struct conn *old = signed_in("ann", "", "", NOW_MS - 1);
    struct conn *new = signed_in("ann", "", "", NOW_MS);
    struct conn *other = signed_in("ben", "", "", NOW_MS - 1);
    announce(REVOCATION_USER_BEFORE, "ann", NOW_MS);
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(!conn_authenticated(old) && conn_authenticated(new) && conn_authenticated(other));
    announce(REVOCATION_DISCONNECT_USER, "ann", 0);
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(!conn_authenticated(new) && conn_authenticated(other));
    ck_assert_uint_eq(stats_get(worker.stats, STAT_DISCONNECTED), 1);
}
END_TEST

START_TEST(a_connection_is_shut_by_the_id_that_its_client_sees) {
    struct conn *one = signed_in("ann", "", "", NOW_MS), *two = signed_in("ann", "", "", NOW_MS);
    char id[CONN_ID_BYTES];
    conn_id_text(two, id);
    announce(REVOCATION_DISCONNECT_CONNECTION, id, 0);
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(conn_authenticated(one) && !conn_authenticated(two));
}
END_TEST

START_TEST(everybody_at_once_is_shut_a_slice_a_turn_and_what_comes_meanwhile_follows) {
    for (unsigned i = 0; i < CONNS; i++) {
        signed_in("ann", "", "", i == CONNS - 1 ? NOW_MS : NOW_MS - 1);
    }
    announce(REVOCATION_ALL_BEFORE, "", NOW_MS);
    ck_assert(conn_revoke_follow(&worker));
    ck_assert_uint_gt(shut(), 0);
    ck_assert_uint_lt(shut(), CONNS - 1);
    announce(REVOCATION_DISCONNECT_USER, "ann", 0);
    while (conn_revoke_follow(&worker)) {
        turn();
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_REVOKED_CLOSED), CONNS - 1);
    ck_assert_uint_eq(stats_get(worker.stats, STAT_DISCONNECTED), 1);
}
END_TEST

START_TEST(many_changes_are_followed_over_several_walks) {
    struct conn *last = signed_in("ann", "s40", "", NOW_MS);
    char name[8];
    for (unsigned i = 1; i <= 40; i++) {
        snprintf(name, sizeof name, "s%u", i);
        announce(REVOCATION_SESSION, name, REVOCATIONS_ANY_TIME);
    }
    ck_assert(conn_revoke_follow(&worker));
    ck_assert(conn_authenticated(last));
    while (conn_revoke_follow(&worker)) {
    }
    ck_assert(!conn_authenticated(last));
    ck_assert_uint_eq(worker.revocations_seen, 40);
}
END_TEST

START_TEST(when_more_changes_were_missed_than_the_log_holds_the_table_is_asked_about_everybody) {
    struct revocations *table = &worker.view.revocations;
    struct conn *revoked = signed_in("ann", "s1", "", NOW_MS);
    struct conn *user = signed_in("ben", "", "", NOW_MS - 1);
    struct conn *expired = signed_in("cyd", "s2", "", NOW_MS);
    struct conn *disconnected = signed_in("dan", "", "", NOW_MS);
    ck_assert(
        revocations_put(table, key(REVOCATION_SESSION, "s1"), REVOCATIONS_ANY_TIME, LATER, NOW_MS));
    announce(REVOCATION_SESSION, "s1", REVOCATIONS_ANY_TIME);
    ck_assert(revocations_put(table, key(REVOCATION_USER_BEFORE, "ben"), NOW_MS, LATER, NOW_MS));
    announce(REVOCATION_USER_BEFORE, "ben", NOW_MS);
    ck_assert(revocations_put(table, key(REVOCATION_SESSION, "s2"), REVOCATIONS_ANY_TIME, NOW_MS,
                              NOW_MS - 1));
    announce(REVOCATION_SESSION, "s2", REVOCATIONS_ANY_TIME);
    announce(REVOCATION_DISCONNECT_USER, "dan", 0);
    for (unsigned i = 0; i < REVOCATIONS_CHANGES; i++) {
        announce(REVOCATION_SESSION, "nobody's", REVOCATIONS_ANY_TIME);
    }
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(!conn_authenticated(revoked) && !conn_authenticated(user));
    ck_assert(conn_authenticated(expired) && conn_authenticated(disconnected));
    ck_assert_uint_eq(worker.revocations_seen, REVOCATIONS_CHANGES + 4);
}
END_TEST

START_TEST(exactly_as_many_missed_as_the_log_holds_are_followed_one_by_one) {
    struct conn *conn = signed_in("dan", "", "", NOW_MS);
    announce(REVOCATION_DISCONNECT_USER, "dan", 0);
    for (unsigned i = 1; i < REVOCATIONS_CHANGES; i++) {
        announce(REVOCATION_DISCONNECT_USER, "nobody", 0);
    }
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(!conn_authenticated(conn));
}
END_TEST

START_TEST(what_was_announced_before_the_start_concerns_nobody) {
    struct conn *conn = signed_in("ann", "s1", "", NOW_MS);
    announce(REVOCATION_SESSION, "s1", REVOCATIONS_ANY_TIME);
    conn_revoke_start(&worker);
    ck_assert(!conn_revoke_follow(&worker));
    ck_assert(conn_authenticated(conn));
}
END_TEST

START_TEST(marks_stand_by_index_over_the_edges_of_chunks) {
    static const uint32_t indices[] = {1, 511, 512, 1023, 1024, 70000, 513};
    struct conn_marks table = {NULL, 0};
    for (unsigned i = 0; i < ARRAY_LENGTH(indices); i++) {
        struct revocation_marks marks = {.issued_ms = indices[i], .token_key = i};
        ck_assert_int_eq(conn_marks_set(&table, indices[i], &marks), 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(indices); i++) {
        ck_assert_uint_eq(conn_marks_of(&table, indices[i])->issued_ms, indices[i]);
        ck_assert_uint_eq(conn_marks_of(&table, indices[i])->token_key, i);
    }
    ck_assert_uint_eq(conn_marks_of(&table, 510)->issued_ms, 0);
    ck_assert_uint_eq(table.chunk_count, 70000 / 512 + 1);
    conn_marks_done(&table);
    ck_assert_ptr_null(table.chunks);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("conn_revoke");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, a_session_or_token_goes_with_its_own_connections_and_nobody_elses);
    tcase_add_test(all, a_user_goes_with_what_was_issued_before_and_a_disconnect_takes_all);
    tcase_add_test(all, a_connection_is_shut_by_the_id_that_its_client_sees);
    tcase_add_test(all, everybody_at_once_is_shut_a_slice_a_turn_and_what_comes_meanwhile_follows);
    tcase_add_test(all, many_changes_are_followed_over_several_walks);
    tcase_add_test(
        all, when_more_changes_were_missed_than_the_log_holds_the_table_is_asked_about_everybody);
    tcase_add_test(all, exactly_as_many_missed_as_the_log_holds_are_followed_one_by_one);
    tcase_add_test(all, what_was_announced_before_the_start_concerns_nobody);
    tcase_add_test(all, marks_stand_by_index_over_the_edges_of_chunks);
    suite_add_tcase(suite, all);
    return unit_run(suite);
}
