#include "ingest/kafka_produce.h"

#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS   1000 /* between two tries to make a producer */
#define ABANDON_MS 1000 /* for the reports of a broken one */

static void look_up(struct kafka_produce *produce);
static void forget_topics(struct kafka_produce *produce);
static int make(struct kafka_produce *produce, char *error, size_t error_size);
static void on_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque);
static int error_of(const rd_kafka_message_t *message);
static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque);
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text);
static void abandon(struct kafka_produce *produce);
static void *destroy(void *handle);
static void make_again(struct kafka_produce *produce, uint64_t now_ms);

int kafka_produce_open(struct kafka_produce *produce, rd_kafka_conf_t *conf, struct stats *stats,
                       kafka_produce_report *report, void *context, char *error,
                       size_t error_size) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        rd_kafka_conf_destroy(conf);
        snprintf(error, error_size, "eventfd: %s", strerror(errno));
        return -EMFILE;
    }
    *produce = (struct kafka_produce){
        .conf = conf, .wake_fd = fd, .stats = stats, .report = report, .context = context};
    rd_kafka_conf_set_opaque(conf, produce);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    return make(produce, error, error_size);
}

void kafka_produce_expect(struct kafka_produce *produce, const char *topic) {
    unsigned i = 0;

    while (i < KAFKA_PRODUCE_TOPICS && produce->topics[i].name != NULL) {
        i++;
    }
    assert(i < KAFKA_PRODUCE_TOPICS);
    produce->topics[i].name = topic;
    look_up(produce);
}

static void look_up(struct kafka_produce *produce) {
    for (unsigned i = 0; i < KAFKA_PRODUCE_TOPICS && produce->topics[i].name != NULL; i++) {
        if (produce->topics[i].known == NULL && produce->handle != NULL) {
            produce->topics[i].known =
                rd_kafka_topic_new(produce->handle, produce->topics[i].name, NULL);
        }
    }
}

static void forget_topics(struct kafka_produce *produce) {
    for (unsigned i = 0; i < KAFKA_PRODUCE_TOPICS; i++) {
        if (produce->topics[i].known != NULL) {
            rd_kafka_topic_destroy(produce->topics[i].known);
            produce->topics[i].known = NULL;
        }
    }
}

int kafka_produce_send(struct kafka_produce *produce, const char *topic, struct span key,
                       struct span value, rd_kafka_headers_t *headers, uintptr_t tag) {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__STATE;

    if (produce->handle != NULL && !produce->fatal) {
        error = rd_kafka_producev(
            produce->handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
            RD_KAFKA_V_KEY(key.data, key.length),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.length),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_OPAQUE((void *)tag), RD_KAFKA_V_END);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    if (headers != NULL) {
        rd_kafka_headers_destroy(headers);
    }
    switch (error) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return -EAGAIN;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return -EMSGSIZE;
    case RD_KAFKA_RESP_ERR__STATE:
    case RD_KAFKA_RESP_ERR__FATAL:
        return -ENOTCONN;
    default:
        return -EIO;
    }
}

void kafka_produce_poll(struct kafka_produce *produce, uint64_t now_ms) {
    uint64_t count;

    (void)!read(produce->wake_fd, &count, sizeof(count));
    if (produce->handle != NULL) {
        (void)rd_kafka_poll(produce->handle, 0);
    }
    if (produce->fatal) {
        abandon(produce);
    }
    if (produce->handle == NULL && now_ms >= produce->retry_ms) {
        make_again(produce, now_ms);
    }
}

void kafka_produce_flush(struct kafka_produce *produce, int timeout_ms) {
    if (produce->handle != NULL) {
        (void)rd_kafka_flush(produce->handle, timeout_ms);
    }
}

static int make(struct kafka_produce *produce, char *error, size_t error_size) {
    static const uint64_t one = 1;
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(produce->conf);
    rd_kafka_queue_t *queue;

    produce->handle =
        conf != NULL ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_size) : NULL;
    if (produce->handle == NULL) {
        if (conf != NULL) {
            rd_kafka_conf_destroy(conf);
        }
        return -EINVAL;
    }
    rd_kafka_set_log_queue(produce->handle, NULL);
    queue = rd_kafka_queue_get_main(produce->handle);
    rd_kafka_queue_io_event_enable(queue, produce->wake_fd, &one, sizeof(one));
    rd_kafka_queue_destroy(queue);
    produce->fatal = false;
    look_up(produce);
    return 0;
}

/* A topic that does not exist, where brokers do not make it, shows here alone. */
static void tell_failure(const rd_kafka_message_t *message) {
    static struct log_rate rate = {.per_second = 1};

    if (log_rate_allow(&rate)) {
        log_warn("Kafka did not take a message for %s: %s%s", rd_kafka_topic_name(message->rkt),
                 rd_kafka_err2str(message->err), rate.left_out);
    }
}

static void on_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque) {
    struct kafka_produce *produce = opaque;
    int error = error_of(message);

    (void)handle;
    if (error != 0) {
        tell_failure(message);
    }
    stats_add(produce->stats, error == 0 ? STAT_PRODUCED : STAT_PRODUCE_ERRORS, 1);
    produce->report(produce->context, (uintptr_t)message->_private, error, message->partition,
                    message->offset);
}

/* A message without an offset has not been seen in Kafka by this producer, whatever else is said about it. */
static int error_of(const rd_kafka_message_t *message) {
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return message->offset >= 0 && message->partition >= 0 ? 0 : -EPROTO;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        return -ETIMEDOUT;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return -EMSGSIZE;
    default:
        return -EIO;
    }
}

/* That brokers are away the consumer says; what a producer alone can have wrong is told here. */
static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque) {
    static struct log_rate rate = {.per_second = 1};
    struct kafka_produce *produce = opaque;
    char why[256] = "";

    (void)handle;
    stats_add(produce->stats, STAT_KAFKA_ERRORS, 1);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        produce->fatal = true;
        (void)rd_kafka_fatal_error(handle, why, sizeof(why));
        log_error("the producer has failed for good (%s): it is made anew",
                  why[0] != '\0' ? why : reason);
    } else if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
               code != RD_KAFKA_RESP_ERR__TRANSPORT && log_rate_allow(&rate)) {
        log_warn("producer: %s%s", reason, rate.left_out);
    }
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text) {
    (void)handle;
    (void)level;
    log_debug("librdkafka producer %s: %s", facility, text);
}

/* All that is under way gets its report now. Taking the handle down can hang: a thread of its own may do that. */
static void abandon(struct kafka_produce *produce) {
    uint64_t until_ms = clock_mono_ms() + ABANDON_MS;
    pthread_t thread;

    (void)rd_kafka_purge(produce->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(produce->handle) > 0 && clock_mono_ms() < until_ms) {
        (void)rd_kafka_poll(produce->handle, 10);
    }
    forget_topics(produce);
    if (pthread_create(&thread, NULL, destroy, produce->handle) == 0) {
        pthread_detach(thread);
    }
    produce->handle = NULL;
    produce->fatal = false;
    stats_add(produce->stats, STAT_PRODUCER_RESTARTS, 1);
}

static void *destroy(void *handle) {
    rd_kafka_destroy(handle);
    return NULL;
}

static void make_again(struct kafka_produce *produce, uint64_t now_ms) {
    char error[512];

    produce->retry_ms = now_ms + RETRY_MS;
    if (make(produce, error, sizeof(error)) < 0) {
        log_error("no producer can be made: %s", error);
    }
}
