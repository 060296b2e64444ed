/* Topics of a test's Kafka, by librdkafka's admin interface: one process start instead of a JVM's.
 *   kafka_admin BROKERS wait MS N            until N brokers are there
 *   kafka_admin BROKERS create TOPIC N       a topic of N partitions, until each has a leader
 *   kafka_admin BROKERS grow TOPIC N         to N partitions, until each has a leader
 *   kafka_admin BROKERS trim TOPIC N         takes all records out of its N partitions
 *   kafka_admin BROKERS delete TOPIC         until no metadata shows it
 *   kafka_admin BROKERS allow TOPIC NAME read|describe
 *                                            gives User:NAME that right, and with it takes away everybody else's
 * Exit status 0, or 1 with one line on standard error. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADMIN_TIMEOUT_MS    60000
#define METADATA_TIMEOUT_MS 2000
#define DEFAULT_REPLICAS    (-1) /* of the broker's configuration */

struct wanted {
    int brokers;       /* at least */
    const char *topic; /* NULL: no matter which */
    int partitions;    /* 0: the topic must be gone */
    const char *user, *right;
};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "kafka_admin: %s: %s\n", what, why);
    return 1;
}

static int led_partitions(const struct rd_kafka_metadata *metadata, const char *topic) {
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *found = &metadata->topics[i];
        if (strcmp(found->topic, topic) != 0)
            continue;
        int led = 0;
        for (int p = 0; p < found->partition_cnt; p++)
            led += found->partitions[p].leader >= 0;
        return led;
    }
    return 0;
}

static bool as_wanted(const struct rd_kafka_metadata *metadata, const struct wanted *wanted) {
    if (metadata->broker_cnt < wanted->brokers)
        return false;
    return !wanted->topic || led_partitions(metadata, wanted->topic) == wanted->partitions;
}

/* The broker has no notification of this kind, so its metadata is asked again until it agrees. */
static int await(rd_kafka_t *client, const struct wanted *wanted, int64_t timeout_ms) {
    const int64_t deadline = now_ms() + timeout_ms;
    rd_kafka_resp_err_t problem = RD_KAFKA_RESP_ERR__TIMED_OUT;
    while (now_ms() < deadline) {
        const struct rd_kafka_metadata *metadata;
        problem = rd_kafka_metadata(client, 1, NULL, &metadata, METADATA_TIMEOUT_MS);
        if (!problem) {
            bool good = as_wanted(metadata, wanted);
            rd_kafka_metadata_destroy(metadata);
            if (good)
                return 0;
        }
        rd_kafka_poll(client, 20);
    }
    return fail("waiting for metadata",
                problem ? rd_kafka_err2str(problem) : "not as wanted in time");
}

static const rd_kafka_topic_result_t **results_of(rd_kafka_event_t *event, size_t *count) {
    const rd_kafka_CreateTopics_result_t *created = rd_kafka_event_CreateTopics_result(event);
    if (created)
        return rd_kafka_CreateTopics_result_topics(created, count);
    const rd_kafka_CreatePartitions_result_t *grown = rd_kafka_event_CreatePartitions_result(event);
    if (grown)
        return rd_kafka_CreatePartitions_result_topics(grown, count);
    return rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), count);
}

static int outcome_of_right(rd_kafka_queue_t *queue) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    if (!event)
        return fail("allow", "no answer in time");
    int status = 0;
    size_t count = 0;
    const rd_kafka_acl_result_t **results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
    if (rd_kafka_event_error(event))
        status = fail("allow", rd_kafka_event_error_string(event));
    else if (count != 1 || rd_kafka_acl_result_error(results[0]))
        status =
            fail("allow", count == 1 ? rd_kafka_error_string(rd_kafka_acl_result_error(results[0]))
                                     : "not one result");
    rd_kafka_event_destroy(event);
    return status;
}

static int outcome(rd_kafka_queue_t *queue) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    if (!event)
        return fail("request", "no answer in time");
    int status = 0;
    if (rd_kafka_event_error(event)) {
        status = fail("request", rd_kafka_event_error_string(event));
    } else {
        size_t count = 0;
        const rd_kafka_topic_result_t **results = results_of(event, &count);
        for (size_t i = 0; i < count; i++)
            if (rd_kafka_topic_result_error(results[i]))
                status = fail(rd_kafka_topic_result_name(results[i]),
                              rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
    }
    rd_kafka_event_destroy(event);
    return status;
}

static int create(rd_kafka_t *client, rd_kafka_queue_t *queue, const struct wanted *wanted) {
    char error[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(wanted->topic, wanted->partitions,
                                                       DEFAULT_REPLICAS, error, sizeof error);
    if (!topic)
        return fail(wanted->topic, error);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
    return outcome(queue);
}

static int grow(rd_kafka_t *client, rd_kafka_queue_t *queue, const struct wanted *wanted) {
    char error[256];
    rd_kafka_NewPartitions_t *partitions =
        rd_kafka_NewPartitions_new(wanted->topic, (size_t)wanted->partitions, error, sizeof error);
    if (!partitions)
        return fail(wanted->topic, error);
    rd_kafka_CreatePartitions(client, &partitions, 1, NULL, queue);
    rd_kafka_NewPartitions_destroy(partitions);
    return outcome(queue);
}

static int outcome_of_trim(rd_kafka_queue_t *queue) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    if (!event)
        return fail("trim", "no answer in time");
    int status = 0;
    if (rd_kafka_event_error(event)) {
        status = fail("trim", rd_kafka_event_error_string(event));
    } else {
        const rd_kafka_topic_partition_list_t *offsets =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
        for (int i = 0; i < offsets->cnt; i++)
            if (offsets->elems[i].err)
                status = fail(offsets->elems[i].topic, rd_kafka_err2str(offsets->elems[i].err));
    }
    rd_kafka_event_destroy(event);
    return status;
}

static int trim(rd_kafka_t *client, rd_kafka_queue_t *queue, const struct wanted *wanted) {
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(wanted->partitions);
    for (int i = 0; i < wanted->partitions; i++)
        rd_kafka_topic_partition_list_add(ends, wanted->topic, i)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(ends);
    rd_kafka_topic_partition_list_destroy(ends);
    rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
    rd_kafka_DeleteRecords_destroy(request);
    return outcome_of_trim(queue);
}

static int delete (rd_kafka_t *client, rd_kafka_queue_t *queue, const struct wanted *wanted) {
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(wanted->topic);
    rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
    rd_kafka_DeleteTopic_destroy(topic);
    return outcome(queue);
}

static int allow(rd_kafka_t *client, rd_kafka_queue_t *queue, const struct wanted *wanted) {
    char principal[100], error[256];
    bool read = strcmp(wanted->right, "read") == 0;
    snprintf(principal, sizeof principal, "User:%s", wanted->user);
    rd_kafka_AclBinding_t *binding = rd_kafka_AclBinding_new(
        RD_KAFKA_RESOURCE_TOPIC, wanted->topic, RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal, "*",
        read ? RD_KAFKA_ACL_OPERATION_READ : RD_KAFKA_ACL_OPERATION_DESCRIBE,
        RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, error, sizeof error);
    if (!binding)
        return fail(wanted->topic, error);
    rd_kafka_CreateAcls(client, &binding, 1, NULL, queue);
    rd_kafka_AclBinding_destroy(binding);
    return outcome_of_right(queue);
}

static const struct command {
    const char *name;
    int arguments; /* behind its name */
    bool awaited;  /* until metadata agrees */
    int (*request)(rd_kafka_t *client, rd_kafka_queue_t *queue, const struct wanted *wanted);
} commands[] = {{"wait", 2, true, NULL},  {"create", 2, true, create}, {"grow", 2, true, grow},
                {"trim", 2, false, trim}, {"delete", 1, true, delete}, {"allow", 3, false, allow}};

static rd_kafka_t *client_new(const char *brokers) {
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const settings[][2] = {{"bootstrap.servers", brokers},
                                       {"reconnect.backoff.ms", "20"},
                                       {"reconnect.backoff.max.ms", "100"},
                                       {"log_level", "0"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof error)) {
            fail(settings[i][0], error);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!client) {
        fail("starting", error);
        rd_kafka_conf_destroy(conf);
    }
    return client;
}

static int run(const struct command *command, const char *brokers, char **arguments) {
    rd_kafka_t *client = client_new(brokers);
    if (!client)
        return 1;
    int status;
    if (!command->request) {
        status = await(client, &(struct wanted){.brokers = atoi(arguments[1])}, atoi(arguments[0]));
    } else {
        struct wanted wanted = {.brokers = 1,
                                .topic = arguments[0],
                                .partitions = command->arguments > 1 ? atoi(arguments[1]) : 0,
                                .user = command->arguments > 2 ? arguments[1] : "",
                                .right = command->arguments > 2 ? arguments[2] : ""};
        rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
        status = command->request(client, queue, &wanted);
        if (status == 0 && command->awaited)
            status = await(client, &wanted, ADMIN_TIMEOUT_MS);
        rd_kafka_queue_destroy(queue);
    }
    rd_kafka_destroy(client);
    return status;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 2 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[2], commands[i].name) == 0 && argc == 3 + commands[i].arguments)
            return run(&commands[i], argv[1], argv + 3);
    return fail("usage",
                "kafka_admin BROKERS wait MS N | create TOPIC N | grow TOPIC N | trim TOPIC N | "
                "delete TOPIC | allow TOPIC NAME read|describe");
}
