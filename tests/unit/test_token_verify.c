/* Tokens that come before the host knows what is revoked: they wait, as long as is promised, and are then judged. */
#include "common/clock.h"
#include "gateway/access/revocation.h"
#include "gateway/access/token_verify.h"
#include "shm/segment.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#define START_MS 1000000
#define WALL_MS  1700000000000

static struct worker worker;
static struct options options;
static struct ingest_block *ingest;
static struct revocations_header *header; /* present: that is all that is asked here */

static struct heard {
    unsigned count;
    char user_id[ROOM_NAME_MAX_BYTES + 1]; /* "": refused */
    enum error_code code;
} heard[TOKEN_VERIFY_MOST];

static void setup(void) {
    char error[512];
    worker = (struct worker){.options = &options};
    options = (struct options){.jwt_issuer = "", .jwt_audience = "", .auth_timeout = 60000};
    options.jwt_secret = "unit-tests-only-0123456789abcdef-0123456789";
    ck_assert_msg(auth_new(&options, false, &worker.auth, error, sizeof error) == 0, "%s", error);
    ingest = aligned_alloc(CACHE_LINE, sizeof *ingest);
    header = aligned_alloc(CACHE_LINE, sizeof *header);
    ck_assert(ingest != NULL && header != NULL);
    memset(ingest, 0, sizeof *ingest);
    memset(header, 0, sizeof *header);
    worker.view.segment.ingest = ingest;
    worker.view.revocations.header = header;
    memset(heard, 0, sizeof heard);
    clock_set_fake(START_MS * 1000000ull, WALL_MS);
}

static void teardown(void) {
    token_verify_stop();
    auth_free(worker.auth);
    free(ingest);
    free(header);
    clock_set_real();
}

static void pass(unsigned ms) {
    clock_set_fake(clock_mono_ns() + ms * 1000000ull, clock_wall_ms() + ms);
}

static void control_topic_is_read(void) {
    store_relaxed(&ingest->flags, INGEST_CAUGHT_UP);
}

static void on_answer(void *context, const struct identity *identity, enum error_code code) {
    struct heard *mine = context;
    mine->count++;
    mine->code = code;
    memcpy(mine->user_id, identity != NULL ? identity->user_id : "", identity != NULL ? 6 : 1);
}

static char *mint(void) {
    const struct identity identity = {.user_id = "alice"};
    char *token = NULL;
    ck_assert_int_eq(auth_mint(worker.auth, &identity, clock_wall_ms(), 60, &token), 0);
    return token;
}

static int verify(const char *token) {
    struct identity identity;
    enum error_code code = ERROR_CODE_COUNT;
    return token_verify(&worker, span_of(token), &identity, &code);
}

static int wait_as(unsigned who, const char *token) {
    return token_verify_later(&worker, span_of(token), on_answer, &heard[who]);
}

START_TEST(a_good_token_waits_until_the_control_topic_is_read_and_is_accepted_then) {
    char *token = mint();
    ck_assert_int_eq(verify(token), -EINPROGRESS);
    ck_assert_int_eq(wait_as(0, token), 0);
    token_verify_tick(&worker);
    ck_assert_uint_eq(heard[0].count, 0);
    control_topic_is_read();
    ck_assert_uint_eq(heard[0].count, 0);
    token_verify_tick(&worker);
    token_verify_tick(&worker);
    ck_assert_uint_eq(heard[0].count, 1);
    ck_assert_str_eq(heard[0].user_id, "alice");
    ck_assert_int_eq(verify(token), 0);
    free(token);
}
END_TEST

START_TEST(a_bad_one_is_refused_at_once) {
    ck_assert_int_eq(verify("a.b.c"), -EACCES);
}
END_TEST

START_TEST(one_that_has_expired_while_it_waited_is_refused) {
    char *token = mint();
    options.auth_timeout = 600000;
    ck_assert_int_eq(wait_as(0, token), 0);
    clock_set_fake(clock_mono_ns(), clock_wall_ms() + 3600000);
    control_topic_is_read();
    token_verify_tick(&worker);
    ck_assert_str_eq(heard[0].user_id, "");
    ck_assert_int_eq(heard[0].code, ERROR_TOKEN_EXPIRED);
    free(token);
}
END_TEST

START_TEST(where_kafka_stays_away_the_key_alone_decides) {
    char *token = mint();
    store_relaxed(&ingest->kafka_changed_ms, WALL_MS);
    ck_assert_int_eq(wait_as(0, token), 0);
    pass(REVOCATION_SILENCE_MS - 1);
    token_verify_tick(&worker);
    ck_assert_uint_eq(heard[0].count, 0);
    store_relaxed(&ingest->flags, INGEST_KAFKA_UP);
    pass(2);
    ck_assert(!revocation_known(&worker)); /* it answers: what it has to say is waited for */
    store_relaxed(&ingest->flags, 0);
    ck_assert(revocation_known(&worker));
    free(token);
}
END_TEST

static const struct {
    long long auth_timeout;
    unsigned hold_ms;
} holds[] = {{60000, TOKEN_VERIFY_HOLD_MS}, {10000, 5000}, {9000, 4500}, {100, 50}};

START_TEST(the_wait_ends_when_it_is_promised_to) {
    char *token = mint();
    options.auth_timeout = holds[_i].auth_timeout;
    ck_assert_int_eq(wait_as(0, token), 0);
    pass(holds[_i].hold_ms - 1);
    token_verify_tick(&worker);
    ck_assert_uint_eq(heard[0].count, 0);
    pass(1);
    token_verify_tick(&worker);
    ck_assert_uint_eq(heard[0].count, 1);
    ck_assert_int_eq(heard[0].code, ERROR_AUTH_UNAVAILABLE);
    free(token);
}
END_TEST

START_TEST(so_many_wait_and_all_are_judged_in_turns) {
    char *token = mint();
    unsigned judged = 0;
    for (unsigned i = 0; i < TOKEN_VERIFY_MOST; i++) {
        ck_assert_int_eq(wait_as(i, token), 0);
    }
    ck_assert_int_eq(wait_as(0, token), -EAGAIN);
    control_topic_is_read();
    token_verify_tick(&worker);
    ck_assert_uint_eq(heard[0].count, 1);
    ck_assert_uint_eq(heard[TOKEN_VERIFY_MOST - 1].count, 0);
    for (unsigned i = 0; i < 100; i++) {
        token_verify_tick(&worker);
    }
    for (unsigned i = 0; i < TOKEN_VERIFY_MOST; i++) {
        judged += heard[i].count == 1 && strcmp(heard[i].user_id, "alice") == 0;
    }
    ck_assert_uint_eq(judged, TOKEN_VERIFY_MOST);
    free(token);
}
END_TEST

START_TEST(who_waits_when_the_worker_stops_is_told_that_no_answer_comes) {
    char *token = mint();
    ck_assert_int_eq(wait_as(0, token), 0);
    ck_assert_int_eq(wait_as(1, token), 0);
    token_verify_stop();
    ck_assert_uint_eq(heard[0].count, 1);
    ck_assert_int_eq(heard[0].code, ERROR_CODE_COUNT);
    ck_assert_uint_eq(heard[1].count, 1);
    free(token);
}
END_TEST

START_TEST(without_a_table_of_revocations_nobody_waits) {
    char *token = mint();
    worker.view.revocations.header = NULL;
    ck_assert_int_eq(verify(token), 0);
    free(token);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("token_verify");
    TCase *tests = tcase_create("token_verify");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_good_token_waits_until_the_control_topic_is_read_and_is_accepted_then);
    tcase_add_test(tests, a_bad_one_is_refused_at_once);
    tcase_add_test(tests, where_kafka_stays_away_the_key_alone_decides);
    tcase_add_test(tests, one_that_has_expired_while_it_waited_is_refused);
    tcase_add_loop_test(tests, the_wait_ends_when_it_is_promised_to, 0, ARRAY_LENGTH(holds));
    tcase_add_test(tests, so_many_wait_and_all_are_judged_in_turns);
    tcase_add_test(tests, who_waits_when_the_worker_stops_is_told_that_no_answer_comes);
    tcase_add_test(tests, without_a_table_of_revocations_nobody_waits);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
