#include "ingest/dev_broker.h"

#include <fcntl.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTITIONS 4

static rd_kafka_conf_t *producer_conf(void);
static int create_topics(rd_kafka_mock_cluster_t *cluster, const struct route_table *routes,
                         char *error, size_t error_size);
static int write_address(const struct dev_broker *broker, char *error, size_t error_size);

int dev_broker_open_file(struct dev_broker *broker, const char *directory, char *error,
                         size_t error_size) {
    char path[4200];

    snprintf(path, sizeof(path), "%s/bootstrap", directory);
    (void)mkdir(directory, 0700); /* there already, or open says why not */
    broker->file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (broker->file < 0) {
        snprintf(error, error_size, "DEV_DIRECTORY %s: bootstrap can't be written: %s", directory,
                 strerror(errno));
        return -EINVAL;
    }
    return 0;
}

int dev_broker_start(struct dev_broker *broker, const struct route_table *routes, char *error,
                     size_t error_size) {
    rd_kafka_conf_t *conf = producer_conf();
    rd_kafka_mock_cluster_t *cluster;
    char why[256] = "out of memory";
    int result;

    broker->producer =
        conf != NULL ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why)) : NULL;
    cluster = broker->producer != NULL ? rd_kafka_handle_mock_cluster(broker->producer) : NULL;
    if (cluster == NULL) {
        snprintf(error, error_size, "the development broker can't be started: %s", why);
        return -EINVAL;
    }
    broker->bootstrap = rd_kafka_mock_cluster_bootstraps(cluster);
    result = create_topics(cluster, routes, error, error_size);
    return result < 0 ? result : write_address(broker, error, error_size);
}

static rd_kafka_conf_t *producer_conf(void) {
    static const char *const properties[][2] = {
        {"test.mock.num.brokers", "1"},
        {"client.id", "moonx-dev"},
        {"linger.ms", "2"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    for (unsigned i = 0; conf != NULL && i < ARRAY_LENGTH(properties); i++) {
        if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof(why)) !=
            RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    if (conf != NULL) {
        rd_kafka_conf_set_log_cb(conf, NULL); /* it would come from librdkafka's own threads */
    }
    return conf;
}

static int create_topics(rd_kafka_mock_cluster_t *cluster, const struct route_table *routes,
                         char *error, size_t error_size) {
    for (unsigned i = 0; i < routes->count; i++) {
        const struct route *route = routes->routes[i];
        bool single = route->kind == ROUTE_CONTROL || strcmp(route->type, "system_alert") == 0;
        rd_kafka_resp_err_t result =
            rd_kafka_mock_topic_create(cluster, route->topic, single ? 1 : PARTITIONS, 1);
        if (result != RD_KAFKA_RESP_ERR_NO_ERROR) {
            snprintf(error, error_size, "the development broker refuses topic %s: %s", route->topic,
                     rd_kafka_err2str(result));
            return -EINVAL;
        }
    }
    return 0;
}

static int write_address(const struct dev_broker *broker, char *error, size_t error_size) {
    char line[280];
    int length = snprintf(line, sizeof(line), "%s\n", broker->bootstrap);

    /* over what stood there: on a full disk a successor's address finds the room of its predecessor's */
    ssize_t written = pwrite(broker->file, line, (size_t)length, 0);
    if (written != length || ftruncate(broker->file, length) < 0) {
        snprintf(error, error_size, "the development broker's address can't be written: %s",
                 strerror(written >= 0 && written < length ? ENOSPC : errno));
        return -EINVAL;
    }
    return 0;
}
