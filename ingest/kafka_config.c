#include "ingest/kafka_config.h"

#include "common/config_files.h"
#include "common/log.h"
#include "ingest/kafka_brokers.h"
#include "ingest/kafka_keys.h"
#include "ingest/kafka_produce.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_OF_THIS(number) #number
#define TEXT_OF(number)      TEXT_OF_THIS(number)

#define FILE_MAX_BYTES     1048576
#define RECEIVE_MIN_BYTES  100000000ll /* librdkafka's default */
#define RECEIVE_OVER_FETCH 512ll       /* librdkafka demands this much beyond fetch.max.bytes */

struct property {
    const char *name, *value;
};

/* What consumption is built on: an operator can't change these without breaking it. Why each is as it is:
 *  - offsets are the segment's, the broker's copy only serves lag tools, so nothing is committed or stored
 *    behind our back, and an offset out of range is told to us instead of being moved silently;
 *  - the end of a partition is told, checksums are checked, topics are never created by looking at them;
 *  - a fetch that finds nothing is answered after 10 ms at most: the mock cluster waits its full length;
 *  - the queue between librdkafka and us is bounded by bytes alone, with room for bursts: past its bound
 *    librdkafka stops fetching for a whole second;
 *  - a broker that comes back is found within two seconds. */
static const struct property fixed[] = {
    {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},  {"enable.partition.eof", "true"},
    {"check.crcs", "true"},          {"allow.auto.create.topics", "false"},
    {"log.queue", "true"},
};
static const struct property preset[] = {
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"fetch.wait.max.ms", "10"},
    {"fetch.error.backoff.ms", "100"},
    {"queued.min.messages", "1000000"},
    {"queued.max.messages.kbytes", "131072"},
    {"reconnect.backoff.max.ms", "2000"},
    {"socket.nagle.disable", "true"},
    {"log.connection.close", "false"},
};
/* The producer: what an operator may tune, and what a message reported as sent rests on. A short linger gathers what
 * one turn of the loop sends; a broker that is away is found as fast as by the consumer. A message may be as long as a
 * broker takes it by default (1 MiB), less what that counts beside the value. */
static const struct property producer_preset[] = {
    {"linger.ms", "1"},
    {"message.max.bytes", "1047552"},
    {"socket.nagle.disable", "true"},
    {"reconnect.backoff.max.ms", "2000"},
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"log.connection.close", "false"},
};
static const struct property producer_fixed[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"message.timeout.ms", TEXT_OF(KAFKA_PRODUCE_TIMEOUT_MS)},
    {"queue.buffering.max.messages", TEXT_OF(KAFKA_PRODUCE_MESSAGES)},
    {"queue.buffering.max.kbytes", TEXT_OF(KAFKA_PRODUCE_KBYTES)},
    {"log.queue", "true"},
};
/* Have an option of their own. */
static const char *const ours[] = {"bootstrap.servers",
                                   "metadata.broker.list",
                                   "client.id",
                                   "group.id",
                                   "fetch.max.bytes",
                                   "max.partition.fetch.bytes",
                                   "fetch.message.max.bytes"};

static int hand_out(rd_kafka_conf_t *conf, int result, rd_kafka_conf_t **out);
static int set(rd_kafka_conf_t *conf, const char *name, const char *value, char *error,
               size_t error_size);
static int set_all(rd_kafka_conf_t *conf, const struct property *properties, size_t count,
                   char *error, size_t error_size);
static int set_options(rd_kafka_conf_t *conf, const struct options *options, const char *brokers,
                       char *error, size_t error_size);
static int set_group(rd_kafka_conf_t *conf, const struct options *options, char *error,
                     size_t error_size);
static int set_file(rd_kafka_conf_t *conf, const char *path, char *error, size_t error_size);
static int set_lines(rd_kafka_conf_t *conf, const char *path, FILE *file, char *error,
                     size_t error_size);
static int set_line(rd_kafka_conf_t *conf, const char *path, unsigned number, char *line,
                    char *error, size_t error_size);
static bool set_property(rd_kafka_conf_t *conf, const char *name, const char *value, bool *known);
static bool is_ours(const char *name);
static char *trim(char *text);

int kafka_config_new(const struct options *options, const char *brokers, bool with_file,
                     rd_kafka_conf_t **out, char *error, size_t error_size) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = set_all(conf, fixed, ARRAY_LENGTH(fixed), error, error_size);

    if (result == 0) {
        result = set_all(conf, preset, ARRAY_LENGTH(preset), error, error_size);
    }
    if (result == 0) {
        result = set_options(conf, options, brokers, error, error_size);
    }
    if (result == 0 && with_file) {
        result = set_file(conf, options->kafka_config_file, error, error_size);
    }
    return hand_out(conf, result, out);
}

int kafka_config_producer(const struct options *options, const char *brokers, bool with_file,
                          rd_kafka_conf_t **out, char *error, size_t error_size) {
    const struct property named[] = {{"bootstrap.servers", brokers},
                                     {"client.id", options->kafka_client_id}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = set_all(conf, producer_preset, ARRAY_LENGTH(producer_preset), error, error_size);

    if (result == 0) {
        result = set_all(conf, named, ARRAY_LENGTH(named), error, error_size);
    }
    if (result == 0 && with_file) {
        result = set_file(conf, options->kafka_config_file, error, error_size);
    }
    if (result == 0) {
        result = set_all(conf, producer_fixed, ARRAY_LENGTH(producer_fixed), error, error_size);
    }
    return hand_out(conf, result, out);
}

int kafka_config_check(const struct options *options, char *error, size_t error_size) {
    const char *brokers =
        options->kafka_brokers[0] != '\0' ? options->kafka_brokers : "127.0.0.1:9092";
    rd_kafka_conf_t *conf;
    rd_kafka_t *handle;
    char why[512];
    int result = kafka_brokers_check(brokers, error, error_size);

    if (result == 0) {
        result = kafka_config_new(options, brokers, true, &conf, error, error_size);
    }
    if (result != 0) {
        return result;
    }
    handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        snprintf(error, error_size, "KAFKA_CONFIG_FILE: \"%s\": %s", options->kafka_config_file,
                 why);
        return -EINVAL;
    }
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return 0;
}

static int hand_out(rd_kafka_conf_t *conf, int result, rd_kafka_conf_t **out) {
    if (result < 0) {
        rd_kafka_conf_destroy(conf);
        return result;
    }
    *out = conf;
    return 0;
}

static int set_all(rd_kafka_conf_t *conf, const struct property *properties, size_t count,
                   char *error, size_t error_size) {
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        result = set(conf, properties[i].name, properties[i].value, error, error_size);
    }
    return result;
}

static int set_options(rd_kafka_conf_t *conf, const struct options *options, const char *brokers,
                       char *error, size_t error_size) {
    long long fetch = options->kafka_consumer_fetch_max_bytes;
    long long receive = fetch + RECEIVE_OVER_FETCH;
    char fetch_text[24], part_text[24], receive_text[24];
    const struct property named[] = {
        {"bootstrap.servers", brokers},
        {"client.id", options->kafka_client_id},
        {"fetch.max.bytes", fetch_text},
        {"max.partition.fetch.bytes", part_text},
        {"receive.message.max.bytes", receive_text},
    };
    int result = set_group(conf, options, error, error_size);

    snprintf(fetch_text, sizeof(fetch_text), "%lld", fetch);
    snprintf(part_text, sizeof(part_text), "%lld",
             options->kafka_consumer_max_partition_fetch_bytes);
    snprintf(receive_text, sizeof(receive_text), "%lld",
             receive > RECEIVE_MIN_BYTES ? receive : RECEIVE_MIN_BYTES);
    return result < 0 ? result : set_all(conf, named, ARRAY_LENGTH(named), error, error_size);
}

/* One group a host, that nobody subscribes to: every host sees every event. */
static int set_group(rd_kafka_conf_t *conf, const struct options *options, char *error,
                     size_t error_size) {
    char group[640];

    snprintf(group, sizeof(group), "%s.%s", options->kafka_consumer_group_id, options->instance_id);
    return set(conf, "group.id", group, error, error_size);
}

/* For our own values only, which are no secrets: librdkafka's text repeats them. */
static int set(rd_kafka_conf_t *conf, const char *name, const char *value, char *error,
               size_t error_size) {
    char why[512];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        snprintf(error, error_size, "Kafka property %s: %s", name, why);
        return -EINVAL;
    }
    return 0;
}

/* Without a path there is nothing to set. */
static int set_file(rd_kafka_conf_t *conf, const char *path, char *error, size_t error_size) {
    if (path[0] == '\0') {
        return 0;
    }
    int fd = config_files_open(path);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

    if (file == NULL) {
        snprintf(error, error_size, "KAFKA_CONFIG_FILE: \"%s\": cannot be read: %s", path,
                 strerror(fd < 0 ? -fd : errno));
        return -EINVAL;
    }
    int result = set_lines(conf, path, file, error, error_size);
    fclose(file);
    return result;
}

static int set_lines(rd_kafka_conf_t *conf, const char *path, FILE *file, char *error,
                     size_t error_size) {
    char *line = NULL;
    size_t size = 0, total = 0;
    unsigned number = 0;
    ssize_t length;
    int result = 0;

    while (result == 0 && (length = getline(&line, &size, file)) > 0) {
        total += (size_t)length;
        number++;
        if (strlen(line) != (size_t)length || total > FILE_MAX_BYTES) {
            snprintf(error, error_size, "%s:%u: a NUL byte or more than 1 MiB", path, number);
            result = -EINVAL;
        } else {
            result = set_line(conf, path, number, line, error, error_size);
        }
    }
    if (result == 0 && ferror(file)) {
        snprintf(error, error_size, "KAFKA_CONFIG_FILE: \"%s\": cannot be read: %s", path,
                 strerror(errno));
        result = -EINVAL;
    }
    if (line != NULL) {
        explicit_bzero(line, size);
    }
    free(line);
    return result;
}

static int set_line(rd_kafka_conf_t *conf, const char *path, unsigned number, char *line,
                    char *error, size_t error_size) {
    char *name = trim(line), *equals = strchr(name, '=');
    char why[512];
    bool known;
    int result;

    if (*name == '\0' || *name == '#') {
        return 0;
    }
    if (equals == NULL || equals == name) {
        snprintf(error, error_size, "%s:%u: a line is name=value", path, number);
        return -EINVAL;
    }
    *equals = '\0';
    name = trim(name);
    if (is_ours(name)) {
        snprintf(error, error_size, "%s:%u: %s is set by the gateway itself", path, number, name);
        return -EINVAL;
    }
    result = kafka_keys_set(conf, name, trim(equals + 1), why, sizeof(why));
    if (result < 0) {
        snprintf(error, error_size, "%s:%u: %s", path, number, why);
        return -EINVAL;
    }
    if (result == 0 && !set_property(conf, name, trim(equals + 1), &known)) {
        snprintf(error, error_size, "%s:%u: %s %s", path, number,
                 known ? "not allowed: the value of" : "there is no property", name);
        return -EINVAL;
    }
    log_info("Kafka property from the file: %s", name);
    return 0;
}

static bool set_property(rd_kafka_conf_t *conf, const char *name, const char *value, bool *known) {
    char why[512];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, sizeof(why));

    explicit_bzero(why, sizeof(why)); /* it may repeat the value */
    *known = result != RD_KAFKA_CONF_UNKNOWN;
    return result == RD_KAFKA_CONF_OK;
}

static bool is_ours(const char *name) {
    for (unsigned i = 0; i < ARRAY_LENGTH(fixed); i++) {
        if (strcmp(name, fixed[i].name) == 0) {
            return true;
        }
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(ours); i++) {
        if (strcmp(name, ours[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* In place. */
static char *trim(char *text) {
    size_t length;

    while (isspace((unsigned char)*text)) {
        text++;
    }
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        text[--length] = '\0';
    }
    return text;
}
