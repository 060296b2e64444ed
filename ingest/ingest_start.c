#include "ingest/ingest_start.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"
#include "ingest/kafka_config.h"
#include "ingest/room_feed.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOCK_WAIT_MS 5000 /* a predecessor may be just dying */
#define LOCK_TRY_MS  20

static int open_memory(struct ingest *ingest, char *error, size_t error_size);
static int take_lock(struct ingest *ingest);
static int open_kafka(struct ingest *ingest, char *error, size_t error_size);
static int open_broker(struct ingest *ingest, char *error, size_t error_size);
static int open_producer(struct ingest *ingest, char *error, size_t error_size);
static void on_report(void *context, uintptr_t tag, int error, int32_t partition, int64_t offset);
static int give_up_privileges(struct ingest *ingest, pid_t parent, char *error, size_t error_size);
static int begin(struct ingest *ingest, char *error, size_t error_size);
static int say(char *error, size_t error_size, const char *what, int result);

int ingest_start(struct ingest *ingest, char *error, size_t error_size) {
    pid_t parent = getppid();
    int result = route_table_new(ingest->options, &ingest->routes, error, error_size);

    if (result == 0) {
        result = open_memory(ingest, error, error_size);
    }
    if (result == 0 && ingest->own_broker) {
        result = dev_broker_open_file(&ingest->broker, ingest->options->dev_directory, error,
                                      error_size);
    } else if (result == 0) {
        result = open_kafka(ingest, error, error_size);
    }
    if (result == 0) {
        result = give_up_privileges(ingest, parent, error, error_size);
    }
    if (result == 0 && ingest->own_broker) {
        result = open_broker(ingest, error, error_size);
    }
    return result == 0 ? begin(ingest, error, error_size) : result;
}

static int open_memory(struct ingest *ingest, char *error, size_t error_size) {
    struct ingest_block *block;
    int result = host_view_open(&ingest->heritage, &ingest->view);

    if (result < 0) {
        return say(error, error_size, "the shared memory that was handed down can't be used",
                   result);
    }
    if (ingest->heritage.once_fd >= 0) {
        result = once_open(ingest->heritage.once_fd, &ingest->once);
    }
    if (result < 0) {
        return say(error, error_size, "the memory of what counts once can't be used", result);
    }
    result = take_lock(ingest);
    if (result < 0) {
        return say(error, error_size,
                   result == -EAGAIN ? "another ingest holds the ring" : "the ring can't be locked",
                   result);
    }
    result = ring_append_open(&ingest->writer, &ingest->view.segment);
    if (result < 0) {
        return say(error, error_size, "the ring is damaged", result);
    }
    result = snapshot_put_open(&ingest->snapshots, &ingest->view.segment);
    if (result < 0) {
        return say(error, error_size, "the snapshot table can't be opened", result);
    }
    room_feed_values(&ingest->snapshots, ingest->routes);
    room_feed_slots(&ingest->view.segment, ingest->routes);
    room_feed_types(&ingest->view.segment, ingest->routes);
    event_publish_init(&ingest->publish, &ingest->writer, ingest->view.workers,
                       ingest->heritage.wake_fd, ingest->view.worker_count);
    ingest->publish.snapshots = &ingest->snapshots;
    block = ingest->view.segment.ingest;
    stats_reset_gauges(&block->stats);
    kafka_status_init(&ingest->status, block);
    pace_init(&ingest->pace);
    store_relaxed(&block->pid, (uint32_t)getpid());
    store_release(&block->heartbeat_ns, clock_mono_ns());
    return 0;
}

/* Through /proc, so before privileges are given up: afterwards those files are root's. */
static int take_lock(struct ingest *ingest) {
    uint64_t until_ms = clock_mono_ms() + LOCK_WAIT_MS;
    int result;

    do {
        result = segment_lock(ingest->heritage.segment_fd, &ingest->lock_fd);
        if (result != -EAGAIN) {
            return result;
        }
        (void)poll(NULL, 0, LOCK_TRY_MS);
    } while (clock_mono_ms() < until_ms);
    return result;
}

static int open_broker(struct ingest *ingest, char *error, size_t error_size) {
    int result = dev_broker_start(&ingest->broker, ingest->routes, error, error_size);

    if (result == 0) {
        log_info("development broker at %s (also in %s/bootstrap)", ingest->broker.bootstrap,
                 ingest->options->dev_directory);
        result = open_kafka(ingest, error, error_size);
    }
    return result < 0 ? result
                      : dev_stream_new(ingest->options, ingest->broker.producer, &ingest->stream);
}

/* With brokers of others before privileges are given up: the properties may name keys that only
 * root can read, and librdkafka reads them here. */
static int open_kafka(struct ingest *ingest, char *error, size_t error_size) {
    const char *brokers =
        ingest->own_broker ? ingest->broker.bootstrap : ingest->options->kafka_brokers;
    rd_kafka_conf_t *conf;
    int result;

    result =
        kafka_config_new(ingest->options, brokers, !ingest->own_broker, &conf, error, error_size);
    if (result < 0) {
        return result;
    }
    ingest->client.status = &ingest->status;
    ingest->client.commit = &ingest->commit;
    ingest->client.stats = ingest->publish.stats;
    result = kafka_client_open(&ingest->client, conf, error, error_size);
    return result < 0 ? result : open_producer(ingest, error, error_size);
}

static int open_producer(struct ingest *ingest, char *error, size_t error_size) {
    const char *brokers =
        ingest->own_broker ? ingest->broker.bootstrap : ingest->options->kafka_brokers;
    rd_kafka_conf_t *conf;
    int result = kafka_config_producer(ingest->options, brokers, !ingest->own_broker, &conf, error,
                                       error_size);

    if (result == 0) {
        result = kafka_produce_open(&ingest->produce, conf, ingest->publish.stats, on_report,
                                    ingest, error, error_size);
    }
    if (result == 0) {
        kafka_produce_expect(&ingest->produce, ingest->options->kafka_topic_events);
        kafka_produce_expect(&ingest->produce, ingest->options->kafka_topic_control);
    }
    return result;
}

static void on_report(void *context, uintptr_t tag, int error, int32_t partition, int64_t offset) {
    struct ingest *ingest = context;

    if (tag == DEAD_LETTER_TAG) {
        dead_letter_report(&ingest->letters, error);
    } else {
        uplink_read_report(&ingest->uplink, tag, error, partition, offset);
    }
}

static int give_up_privileges(struct ingest *ingest, pid_t parent, char *error, size_t error_size) {
    int result = heritage_drop_privileges(&ingest->heritage);

    if (result < 0) {
        return say(error, error_size, "privileges can't be given up", result);
    }
    secret_protect_process();
    /* The change of user has cleared what the supervisor set. It may have died just before. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        return say(error, error_size, "can't follow the supervisor's death", -errno);
    }
    if (getppid() != parent) {
        return say(error, error_size, "the supervisor is gone", -ESRCH);
    }
    return 0;
}

static int begin(struct ingest *ingest, char *error, size_t error_size) {
    rd_kafka_t *handle = ingest->client.handle;
    int result = kafka_topics_init(&ingest->topics, handle, ingest->routes);

    if (result == 0) {
        result = kafka_watch_start(handle, &ingest->watch);
    }
    if (result < 0) {
        return say(error, error_size, "the consumer can't be started", result);
    }
    ingest->client.watch = ingest->watch;
    kafka_commit_init(&ingest->commit, handle, &ingest->topics);
    kafka_assign_init(&ingest->assign, handle, &ingest->topics, ingest->watch, &ingest->status,
                      &ingest->view.segment, ingest->options->history_seconds, ingest->own_broker);
    history_refill_init(&ingest->refill, &ingest->assign, &ingest->view.segment);
    kafka_recheck_init(&ingest->recheck, &ingest->assign, &ingest->commit);
    result = kafka_consume_init(&ingest->consume, handle, &ingest->assign, &ingest->publish,
                                ingest->publish.stats);
    if (result < 0) {
        return say(error, error_size, "the consumer can't be started", result);
    }
    ingest->consume.control = (struct control_apply){
        .table = &ingest->view.revocations,
        .hash_key = &ingest->view.segment.header->hash_key,
        .stats = ingest->publish.stats,
        .default_ms = ingest->options->revocation_seconds * 1000,
    };
    ingest->letters = (struct dead_letter){
        .produce = &ingest->produce, .options = ingest->options, .stats = ingest->publish.stats};
    ingest->consume.letters = &ingest->letters;
    ingest->consume.once = &ingest->once;
    ingest->consume.host = at_once_host(&ingest->view.segment);
    result = uplink_read_init(&ingest->uplink, &ingest->produce, &ingest->view, &ingest->heritage,
                              ingest->options, &ingest->once, &ingest->topics);
    at_once_init(&ingest->uplink.at_once, &ingest->publish,
                 route_table_find(ingest->routes, span_of(ingest->options->kafka_topic_events)));
    if (result < 0) {
        return say(error, error_size, "the uplink can't be started", result);
    }
    if (ingest->own_broker && ingest->options->history_seconds > 0) {
        log_info("no history: the development broker can't look up by time");
    }
    log_info("consuming %u topics from %s", ingest->routes->count,
             ingest->own_broker ? "the development broker" : ingest->options->kafka_brokers);
    return 0;
}

static int say(char *error, size_t error_size, const char *what, int result) {
    snprintf(error, error_size, "%s: %s", what, strerror(-result));
    return result == -EINVAL ? -EPROTO : result; /* not the operator's configuration */
}
