/* The producer against librdkafka's mock cluster: reports, refusals, and a fatal error that it comes back from. */
#include "ingest/kafka_produce.h"

#include "common/clock.h"
#include "tests/unit/unit.h"

#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#define PATIENCE_MS 50000

static struct kafka_produce produce;
static struct stats stats;
static rd_kafka_t *owner;
static unsigned reports;
static uintptr_t last_tag;
static int last_error;
static int64_t last_offset;

static void on_report(void *context, uintptr_t tag, int error, int32_t partition, int64_t offset) {
    (void)context;
    (void)partition;
    reports++;
    last_tag = tag;
    last_error = error;
    last_offset = offset;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];

    ck_assert_int_eq(rd_kafka_conf_set(conf, name, value, why, sizeof(why)), RD_KAFKA_CONF_OK);
}

static void setup(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_mock_cluster_t *cluster;
    char why[256];

    set(conf, "test.mock.num.brokers", "1");
    rd_kafka_conf_set_log_cb(conf, NULL);
    owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    ck_assert_ptr_nonnull(owner);
    cluster = rd_kafka_handle_mock_cluster(owner);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, "t", 1, 1), 0);
    conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster));
    set(conf, "enable.idempotence", "true");
    set(conf, "log.queue", "true");
    ck_assert_int_eq(kafka_produce_open(&produce, conf, &stats, on_report, NULL, why, sizeof(why)),
                     0);
    reports = 0;
}

static int send_one(uintptr_t tag) {
    return kafka_produce_send(&produce, "t", SPAN_LITERAL("key"), SPAN_LITERAL("value"), NULL, tag);
}

static void await_reports(unsigned count) {
    uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    while (reports < count) {
        struct pollfd fd = {.fd = produce.wake_fd, .events = POLLIN};
        ck_assert_uint_lt(clock_mono_ms(), until_ms);
        (void)poll(&fd, 1, 100);
        kafka_produce_poll(&produce, clock_mono_ms());
    }
}

START_TEST(each_message_has_its_report_with_where_it_is) {
    ck_assert_int_eq(send_one(41), 0);
    await_reports(1);
    ck_assert(last_tag == 41 && last_error == 0 && last_offset == 0);
    ck_assert_int_eq(send_one(42), 0);
    await_reports(2);
    ck_assert(last_tag == 42 && last_error == 0 && last_offset == 1);
    ck_assert_uint_eq(stats_get(&stats, STAT_PRODUCED), 2);
}
END_TEST

START_TEST(a_producer_that_failed_for_good_is_made_anew) {
    uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    ck_assert_int_eq(send_one(1), 0);
    await_reports(1);
    ck_assert_int_eq(rd_kafka_test_fatal_error(
                         produce.handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "test"),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    while (stats_get(&stats, STAT_PRODUCER_RESTARTS) == 0) {
        ck_assert_uint_lt(clock_mono_ms(), until_ms);
        kafka_produce_poll(&produce, clock_mono_ms());
    }
    ck_assert_int_eq(send_one(2), 0);
    await_reports(2);
    ck_assert(last_tag == 2 && last_error == 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kafka_produce");
    TCase *tests = tcase_create("kafka_produce");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL); /* each in a process of its own, which ends */
    tcase_add_test(tests, each_message_has_its_report_with_where_it_is);
    tcase_add_test(tests, a_producer_that_failed_for_good_is_made_anew);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
