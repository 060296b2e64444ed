#include "ingest/kafka_config.h"
#include "ingest/kafka_recheck.h"
#include "ingest/kafka_start.h"
#include "shm/positions.h"

#include <check.h>
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
    static const char text[] = "security.protocol=ssl\nssl.ca.location=/nowhere/ca.pem\n";

    ck_assert_int_eq(configure(text, strlen(text)), 0);
    ck_assert_int_eq(kafka_config_check(&options, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "KAFKA_CONFIG_FILE"));
}
END_TEST

/* next, low, high: what becomes of it. */
static const struct {
    uint64_t next, low, high;
    struct kafka_start start;
} starts[] = {
    {POSITION_UNKNOWN, 0, 0, {KAFKA_START_END, 0, 0}},
    {POSITION_UNKNOWN, 5, 9, {KAFKA_START_END, 9, 0}},
    {0, 0, 0, {KAFKA_START_CONTINUE, 0, 0}},
    {5, 5, 9, {KAFKA_START_CONTINUE, 5, 0}},
    {9, 5, 9, {KAFKA_START_CONTINUE, 9, 0}},
    {10, 5, 9, {KAFKA_START_AGAIN, 5, 0}},
    {4, 5, 9, {KAFKA_START_GAP, 5, 1}},
    {0, 5, 5, {KAFKA_START_GAP, 5, 5}},
    {POSITION_UNKNOWN - 1, 0, 9, {KAFKA_START_AGAIN, 0, 0}},
};

START_TEST(a_partition_starts_where_neither_a_gap_nor_a_double_goes_unsaid) {
    struct kafka_start start = kafka_start_choose(starts[_i].next, starts[_i].low, starts[_i].high);

    ck_assert_int_eq(start.kind, starts[_i].start.kind);
    ck_assert_uint_eq(start.offset, starts[_i].start.offset);
    ck_assert_uint_eq(start.lost, starts[_i].start.lost);
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

int main(void) {
    Suite *suite = suite_create("kafka_config");
    TCase *tests = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_consumer_is_set_up_as_consumption_needs_it);
    tcase_add_test(tests, properties_of_the_file_come_on_top_and_keep_every_byte_of_their_value);
    tcase_add_loop_test(tests, a_bad_line_is_named_and_its_value_is_not_shown, 0,
                        (int)ARRAY_LENGTH(bad));
    tcase_add_test(tests, a_nul_byte_and_a_missing_file_are_errors);
    tcase_add_test(tests, the_check_finds_what_only_a_client_notices);
    tcase_add_loop_test(tests, a_partition_starts_where_neither_a_gap_nor_a_double_goes_unsaid, 0,
                        (int)ARRAY_LENGTH(starts));
    tcase_add_test(tests, only_another_message_at_the_anchor_proves_a_topic_made_anew);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
