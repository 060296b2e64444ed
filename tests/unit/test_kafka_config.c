#include "ingest/history_refill.h"
#include "ingest/kafka_brokers.h"
#include "ingest/kafka_config.h"
#include "ingest/kafka_recheck.h"
#include "ingest/kafka_start.h"
#include "shm/positions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct options options;
static char path[] = "/tmp/moonx-properties-XXXXXX";
static char error[1024];
static rd_kafka_conf_t *conf;

static void setup(void) {
    char name[] = "moonx-ingest", *const argv[] = {name, NULL};
    struct option_command command;

    clearenv();
    strcpy(path, "/tmp/moonx-properties-XXXXXX");
    close(mkstemp(path));
    ck_assert_int_eq(option_parse(1, argv, &options, &command, error, sizeof(error)), 0);
    options.kafka_config_file = path;
    options.instance_id = "host-7";
    conf = NULL;
}

static void teardown(void) {
    unlink(path);
    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
}

static int configure(const char *text, size_t length) {
    FILE *file = fopen(path, "w");

    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
    return kafka_config_new(&options, "127.0.0.1:9092", true, &conf, error, sizeof(error));
}

static const char *value_of(const char *name) {
    static char value[256];
    size_t size = sizeof(value);

    ck_assert_int_eq(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    return value;
}

START_TEST(the_consumer_is_set_up_as_consumption_needs_it) {
    options.kafka_consumer_fetch_max_bytes = 2147483135;
    ck_assert_int_eq(configure("", 0), 0);
    ck_assert_str_eq(value_of("group.id"), "moonx-gateway.host-7");
    ck_assert_str_eq(value_of("enable.auto.commit"), "false");
    ck_assert_str_eq(value_of("enable.auto.offset.store"), "false");
    ck_assert_str_eq(value_of("auto.offset.reset"), "error");
    ck_assert_str_eq(value_of("enable.partition.eof"), "true");
    ck_assert_str_eq(value_of("check.crcs"), "true");
    ck_assert_str_eq(value_of("allow.auto.create.topics"), "false");
    ck_assert_str_eq(value_of("fetch.wait.max.ms"), "10");
    ck_assert_str_eq(value_of("topic.metadata.refresh.interval.ms"), "10000");
    ck_assert_str_eq(value_of("receive.message.max.bytes"), "2147483647");
}
END_TEST

START_TEST(properties_of_the_file_come_on_top_and_keep_every_byte_of_their_value) {
    static const char text[] = "# TLS\n\n  fetch.wait.max.ms = 50\r\nsasl.password= a # b=c;d \n";

    ck_assert_int_eq(configure(text, strlen(text)), 0);
    ck_assert_str_eq(value_of("fetch.wait.max.ms"), "50");
    ck_assert_str_eq(value_of("sasl.password"), "a # b=c;d");
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"fetch.wait.max.ms=50\nnonsense\n", ":2: a line is name=value"},
    {"=x\n", ":1: a line is name=value"},
    {"\n\nno.such.thing=1\n", ":3: there is no property no.such.thing"},
    {"fetch.wait.max.ms=s3cret\n", ":1: not allowed: the value of fetch.wait.max.ms"},
    {"auto.offset.reset=earliest\n", ":1: auto.offset.reset is set by the gateway itself"},
    {" bootstrap.servers = x:1\n", ":1: bootstrap.servers is set by the gateway itself"},
    {"group.id=x\n", ":1: group.id is set by the gateway itself"},
};

START_TEST(a_bad_line_is_named_and_its_value_is_not_shown) {
    ck_assert_int_eq(configure(bad[_i].text, strlen(bad[_i].text)), -EINVAL);
    ck_assert_msg(strstr(error, bad[_i].says) != NULL, "%s", error);
    ck_assert_ptr_nonnull(strstr(error, path));
    ck_assert_ptr_null(strstr(error, "s3cret"));
    ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(a_nul_byte_and_a_missing_file_are_errors) {
    ck_assert_int_eq(configure("a=b\0c\n", 6), -EINVAL);
    unlink(path);
    ck_assert_int_eq(kafka_config_new(&options, "x:1", true, &conf, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "No such file"));
    ck_assert_int_eq(kafka_config_new(&options, "x:1", false, &conf, error, sizeof(error)), 0);
}
END_TEST

START_TEST(the_check_finds_what_only_a_client_notices) {
    static const char text[] = "security.protocol=ssl\nssl.crl.location=/nowhere/crl.pem\n";

    ck_assert_int_eq(configure(text, strlen(text)), 0);
    ck_assert_int_eq(kafka_config_check(&options, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "KAFKA_CONFIG_FILE"));
}
END_TEST

#define UNKNOWN POSITION_UNKNOWN

/* next, live_from, low, high, since, made_anew, control: what becomes of it. */
static const struct {
    struct kafka_start_facts facts;
    struct kafka_start start;
} starts[] = {
    /* never consumed: history as far back as asked and as there is, live from the end */
    {{UNKNOWN, UNKNOWN, 0, 0, UNKNOWN, false, false}, {KAFKA_START_FIRST, 0, 0, 0}},
    {{UNKNOWN, UNKNOWN, 5, 9, UNKNOWN, false, false}, {KAFKA_START_FIRST, 9, 9, 0}},
    {{UNKNOWN, UNKNOWN, 5, 9, 7, false, false}, {KAFKA_START_FIRST, 7, 9, 0}},
    {{UNKNOWN, UNKNOWN, 5, 9, 4, false, false}, {KAFKA_START_FIRST, 5, 9, 0}},
    {{UNKNOWN, UNKNOWN, 5, 9, 12, false, false}, {KAFKA_START_FIRST, 9, 9, 0}},
    /* killed between the two stores: the end when it was first seen stays, what has come since is live */
    {{UNKNOWN, 7, 0, 9, 4, false, false}, {KAFKA_START_FIRST, 4, 7, 0}},
    {{UNKNOWN, 7, 0, 9, 8, false, false}, {KAFKA_START_FIRST, 7, 7, 0}},
    {{UNKNOWN, 7, 0, 9, UNKNOWN, false, false}, {KAFKA_START_FIRST, 7, 7, 0}},
    {{UNKNOWN, 7, 8, 9, UNKNOWN, false, false}, {KAFKA_START_FIRST, 8, 8, 0}},
    {{UNKNOWN, 7, 0, 5, 4, false, false}, {KAFKA_START_FIRST, 4, 5, 0}},
    /* control messages: all of them, none is history */
    {{UNKNOWN, UNKNOWN, 5, 9, 7, false, true}, {KAFKA_START_FIRST, 5, 5, 0}},
    {{7, 5, 5, 9, 8, false, true}, {KAFKA_START_CONTINUE, 7, 5, 0}},
    /* a position wins over the refill, in the middle of it too */
    {{0, 0, 0, 0, 0, false, false}, {KAFKA_START_CONTINUE, 0, 0, 0}},
    {{5, 0, 5, 9, 7, false, false}, {KAFKA_START_CONTINUE, 5, 0, 0}},
    {{9, 0, 5, 9, 7, false, false}, {KAFKA_START_CONTINUE, 9, 0, 0}},
    {{6, 8, 5, 9, 7, false, false}, {KAFKA_START_CONTINUE, 6, 8, 0}},
    /* retention: only what was to be live is lost */
    {{4, 0, 5, 9, UNKNOWN, false, false}, {KAFKA_START_GAP, 5, 0, 1}},
    {{0, 0, 5, 5, UNKNOWN, false, false}, {KAFKA_START_GAP, 5, 0, 5}},
    {{2, 8, 5, 9, UNKNOWN, false, false}, {KAFKA_START_GAP, 5, 8, 0}},
    {{2, 4, 5, 9, UNKNOWN, false, false}, {KAFKA_START_GAP, 5, 4, 1}},
    /* made anew */
    {{10, 3, 5, 9, 7, false, false}, {KAFKA_START_AGAIN, 5, 5, 0}},
    {{7, 3, 5, 9, 7, true, false}, {KAFKA_START_AGAIN, 5, 5, 0}},
    {{UNKNOWN - 1, 0, 0, 9, UNKNOWN, false, false}, {KAFKA_START_AGAIN, 0, 0, 0}},
};

START_TEST(a_partition_starts_where_neither_a_gap_nor_a_double_goes_unsaid) {
    struct kafka_start start = kafka_start_choose(&starts[_i].facts);

    ck_assert_int_eq(start.kind, starts[_i].start.kind);
    ck_assert_uint_eq(start.offset, starts[_i].start.offset);
    ck_assert_uint_eq(start.live_from, starts[_i].start.live_from);
    ck_assert_uint_eq(start.lost, starts[_i].start.lost);
}
END_TEST

START_TEST(history_that_fits_or_of_which_too_little_is_known_is_kept_whole) {
    struct history_share shares[] = {{100, 1000, 10}, {50, 0, 0}};

    ck_assert_uint_eq(history_refill_cap(shares, 2, 15000, 1000), UINT64_MAX);
    ck_assert_uint_eq(history_refill_cap(shares, 2, 0, 1001), UINT64_MAX);
    ck_assert_uint_eq(history_refill_cap(shares, 0, 0, 0), UINT64_MAX);
    ck_assert_uint_eq(history_refill_keep(&shares[0], UINT64_MAX, 100), 100);
}
END_TEST

START_TEST(of_history_too_large_for_the_ring_the_loudest_give_way) {
    /* 100 records of 100 bytes, 50 of 1000; those of the third are taken for average ones, 550 bytes */
    struct history_share shares[] = {{100, 1000, 10}, {50, 10000, 10}, {100, 0, 0}};

    ck_assert_uint_eq(history_refill_cap(shares, 2, 60000, 1000), UINT64_MAX);
    ck_assert_uint_eq(history_refill_cap(shares, 2, 30000, 1000), 20000);
    ck_assert_uint_eq(history_refill_keep(&shares[0], 20000, 550), 100);
    ck_assert_uint_eq(history_refill_keep(&shares[1], 20000, 550), 20);
    ck_assert_uint_eq(history_refill_cap(shares, 3, 115000, 1000), UINT64_MAX);
    ck_assert_uint_eq(history_refill_cap(shares, 3, 112000, 1000), 52000);
    ck_assert_uint_eq(history_refill_keep(&shares[2], 52000, 550), 94);
    ck_assert_uint_eq(history_refill_cap(shares, 3, 15000, 1000), 5000);
    ck_assert_uint_eq(history_refill_keep(&shares[0], 5000, 550), 50);
    ck_assert_uint_eq(history_refill_cap(shares, 3, 0, 1000), 0);
    ck_assert_uint_eq(history_refill_keep(&shares[0], 0, 550), 0);
    shares[0].remaining = UINT64_MAX;
    ck_assert_uint_eq(history_refill_cap(shares, 2, 100000, 1000), 50000);
}
END_TEST

START_TEST(only_another_message_at_the_anchor_proves_a_topic_made_anew) {
    struct kafka_partition partition = {.next = 9, .anchor = {true, 6, 1700, 30}};
    struct kafka_mark same = {true, 6, 1700, 30}, later = {true, 6, 1701, 30};
    struct kafka_mark longer = {true, 6, 1700, 31}, behind = {true, 7, 1, 1};

    ck_assert(!kafka_recheck_is_proof(&partition, &later)); /* nobody asked */
    partition.rechecking = true;
    ck_assert(!kafka_recheck_is_proof(&partition, &same));
    ck_assert(!partition.rechecking);
    partition.rechecking = true;
    ck_assert(kafka_recheck_is_proof(&partition, &later));
    partition.rechecking = true;
    ck_assert(kafka_recheck_is_proof(&partition, &longer));
    partition.rechecking = true;
    ck_assert(!kafka_recheck_is_proof(&partition, &behind)); /* compacted away: proves nothing */
    ck_assert(!partition.rechecking);
}
END_TEST

static const char *const good_brokers[] = {
    "localhost",  "a.example:9092", "10.0.0.1:1,b-2.example:65535", "a:1, b:2",
    "[::1]:9092", "[fe80::1%eth0]", "SASL_SSL://a:9093,b",
};

START_TEST(brokers_are_names_or_addresses_with_or_without_a_port) {
    ck_assert_int_eq(kafka_brokers_check(good_brokers[_i], error, sizeof(error)), 0);
}
END_TEST

static const struct {
    const char *brokers, *named;
} bad_brokers[] = {
    {"", "\"\""},           {",", "\"\""},
    {"a:9092,", "\"\""},    {"a:65536", "\"a:65536\""},
    {"a:0", "\"a:0\""},     {"a:", "\"a:\""},
    {"a:9x", "\"a:9x\""},   {"a b", "\"a b\""},
    {"a:1;b:2", "a:1;b:2"}, {":9092", ":9092"},
    {"[::1", "\"[::1\""},   {"a:99999999999", "a:9999"},
    {"::1", "\"::1\""},     {"[]:1", "\"[]:1\""},
    {"http://a:1", "http"}, {"SSL://", "\"SSL://\""},
};

START_TEST(what_is_no_broker_is_named) {
    ck_assert_int_eq(kafka_brokers_check(bad_brokers[_i].brokers, error, sizeof(error)), -EINVAL);
    ck_assert_msg(strstr(error, bad_brokers[_i].named) != NULL, "%s", error);
    ck_assert_ptr_nonnull(strstr(error, "KAFKA_BROKERS (--kafka): "));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kafka_config");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_consumer_is_set_up_as_consumption_needs_it);
    tcase_add_test(tests, properties_of_the_file_come_on_top_and_keep_every_byte_of_their_value);
    tcase_add_loop_test(tests, a_bad_line_is_named_and_its_value_is_not_shown, 0,
                        (int)ARRAY_LENGTH(bad));
    tcase_add_test(tests, a_nul_byte_and_a_missing_file_are_errors);
    tcase_add_test(tests, the_check_finds_what_only_a_client_notices);
    tcase_add_loop_test(tests, a_partition_starts_where_neither_a_gap_nor_a_double_goes_unsaid, 0,
                        (int)ARRAY_LENGTH(starts));
    tcase_add_test(tests, history_that_fits_or_of_which_too_little_is_known_is_kept_whole);
    tcase_add_test(tests, of_history_too_large_for_the_ring_the_loudest_give_way);
    tcase_add_test(tests, only_another_message_at_the_anchor_proves_a_topic_made_anew);
    tcase_add_loop_test(tests, brokers_are_names_or_addresses_with_or_without_a_port, 0,
                        (int)ARRAY_LENGTH(good_brokers));
    tcase_add_loop_test(tests, what_is_no_broker_is_named, 0, (int)ARRAY_LENGTH(bad_brokers));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
