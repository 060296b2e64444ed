/* Events that clients will not get: told once, to those whom it concerns, when there is memory for it, and before any
 * position that would claim them. */
#include "gateway/delivery/loss.h"

#include "gateway/connection/conn.h"
#include "tests/unit/conn_fixture.h"
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static struct conn *client;

static void start(void) {
    struct identity identity = {.expires_ms = INT64_MAX / 4};
    int pair[2];
    set_up();
    loss_start(&worker);
    memcpy(identity.user_id, "alice", sizeof "alice");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    peer = pair[1];
    uint32_t index = slab_take(&worker.conns->slab);
    client = conn_at(&worker, index);
    client->self = index;
    client->fd = pair[0];
    client->id = 1000;
    conn_set_state(&worker, client, CONN_PENDING);
    ck_assert_int_eq(conn_poll_add(&worker, client), 0);
    ck_assert_int_eq(conn_set_identity(&worker, client, &identity), 0);
    ck_assert_int_eq(client->state, CONN_LIVE);
}

/* As ingest does when retention was faster. */
static void kafka_loses(uint64_t offsets) {
    stats_add(&worker.view.segment.ingest->stats, STAT_KAFKA_GAPS, offsets);
}

/* What has come, as one text; "" when nothing has. */
static const char *told(void) {
    turn();
    ssize_t length = hear();
    heard[length > 0 ? length : 0] = '\0';
    return (const char *)heard;
}

START_TEST(what_kafka_no_longer_had_is_told_once) {
    kafka_loses(5);
    loss_look(&worker);
    const char *text = told();
    ck_assert_ptr_nonnull(strstr(text, "\"skipped\""));
    ck_assert_ptr_nonnull(strstr(text, "{\"count\":5,\"reason\":\"EXPIRED\"}"));
    loss_look(&worker);
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(what_was_lost_before_this_worker_started_is_not_told) {
    kafka_loses(5);
    loss_start(&worker);
    loss_look(&worker);
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(who_catches_up_is_told_what_kafka_lost_and_not_what_the_ring_still_has) {
    conn_hold(&worker, client);
    ck_assert_int_eq(client->state, CONN_CATCHING);
    loss_add(&worker, LOSS_LAPPED, 3);
    ck_assert_str_eq(told(), "");
    kafka_loses(7);
    loss_look(&worker);
    ck_assert_ptr_nonnull(strstr(told(), "{\"count\":7,\"reason\":\"EXPIRED\"}"));
}
END_TEST

static void *no_memory(size_t size) {
    (void)size;
    return NULL;
}

START_TEST(without_memory_the_notice_is_owed_and_no_position_is_told) {
    cJSON_Hooks none = {.malloc_fn = no_memory, .free_fn = free};
    struct span position;
    ck_assert(conn_position(&worker, client, &position));
    cJSON_InitHooks(&none);
    loss_add(&worker, LOSS_NO_MEMORY, 1);
    loss_add(&worker, LOSS_NO_MEMORY, 1);
    ck_assert(loss_is_owed(&worker));
    ck_assert(!conn_position(&worker, client, &position));
    loss_look(&worker);
    ck_assert_str_eq(told(), "");
    cJSON_InitHooks(NULL);
    loss_look(&worker);
    ck_assert_ptr_nonnull(strstr(told(), "{\"count\":2,\"reason\":\"NO_MEMORY\"}"));
    ck_assert(!loss_is_owed(&worker));
    ck_assert(conn_position(&worker, client, &position));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("loss");
    TCase *tests = tcase_create("loss");
    tcase_add_checked_fixture(tests, start, tear_down);
    tcase_add_test(tests, what_kafka_no_longer_had_is_told_once);
    tcase_add_test(tests, what_was_lost_before_this_worker_started_is_not_told);
    tcase_add_test(tests, who_catches_up_is_told_what_kafka_lost_and_not_what_the_ring_still_has);
    tcase_add_test(tests, without_memory_the_notice_is_owed_and_no_position_is_told);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
