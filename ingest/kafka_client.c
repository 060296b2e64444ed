#include "ingest/kafka_client.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque);
static void on_commit(rd_kafka_t *handle, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *offsets, void *opaque);
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text);
static void tell_refusal(const char *reason);

int kafka_client_open(struct kafka_client *client, rd_kafka_conf_t *conf, char *error,
                      size_t error_size) {
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_log_cb(conf, on_log);
    client->handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, error_size);
    if (client->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    rd_kafka_poll_set_consumer(client->handle);
    rd_kafka_set_log_queue(client->handle, NULL);
    return 0;
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque) {
    struct kafka_client *client = opaque;

    (void)handle;
    stats_add(client->stats, STAT_KAFKA_ERRORS, 1);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        kafka_status_down(client->status, client->reason[0] != '\0' ? client->reason : reason);
        if (client->watch != NULL) {
            kafka_watch_hurry(client->watch);
        }
        return;
    }
    snprintf(client->reason, sizeof(client->reason), "%s", reason);
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
        code == RD_KAFKA_RESP_ERR__FATAL) {
        tell_refusal(reason);
    }
}

/* What waiting does not cure: said again from time to time. */
static void tell_refusal(const char *reason) {
    static struct log_rate rate = {.per_second = 1};

    if (log_rate_allow(&rate)) {
        log_error("Kafka refuses: %s%s", reason, rate.left_out);
    }
}

static void on_commit(rd_kafka_t *handle, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *offsets, void *opaque) {
    struct kafka_client *client = opaque;

    (void)handle;
    kafka_commit_done(client->commit, error, offsets);
}

/* librdkafka repeats itself while a broker is away; what matters of it comes by on_error too. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text) {
    (void)handle;
    (void)level;
    log_debug("librdkafka %s: %s", facility, text);
}
