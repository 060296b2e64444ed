#include "ingest/kafka_consume.h"

#include "common/clock.h"
#include "common/log.h"
#include "ingest/event_headers.h"
#include "ingest/kafka_recheck.h"
#include "ingest/kafka_unclear.h"

#include <inttypes.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CLOCK_EVERY 16 /* messages between two looks at the clock */

static bool within_bounds(unsigned messages, size_t bytes, uint64_t started_ns);
static void take(struct kafka_consume *consume, const rd_kafka_message_t *message);
static void take_value(struct kafka_consume *consume, struct kafka_topic *topic,
                       struct kafka_partition *partition, const rd_kafka_message_t *message);
static bool take_headers(struct kafka_consume *consume, struct event_source *source,
                         const rd_kafka_message_t *message);
static bool counts(struct kafka_consume *consume, const struct event_source *source,
                   const struct uplink_once *mark);
static int64_t kafka_time(int64_t time_ms);
static void tell_bad_value(const struct kafka_partition *partition, int64_t offset,
                           enum event_fault fault);
static void take_error(struct kafka_consume *consume, const rd_kafka_message_t *message);
static void reach_end(struct kafka_consume *consume, struct kafka_partition *partition,
                      int64_t end);
static void count_error(struct kafka_consume *consume, struct kafka_partition *partition,
                        const rd_kafka_message_t *message);
static void follow(struct kafka_consume *consume, struct kafka_partition *partition);
static void flush(struct kafka_consume *consume);

int kafka_consume_init(struct kafka_consume *consume, rd_kafka_t *handle,
                       struct kafka_assign *assign, struct event_publish *publish,
                       struct stats *stats) {
    static const uint64_t one = 1;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        return -errno;
    }
    *consume = (struct kafka_consume){.handle = handle,
                                      .queue = rd_kafka_queue_get_consumer(handle),
                                      .wake_fd = fd,
                                      .assign = assign,
                                      .publish = publish,
                                      .stats = stats};
    if (consume->queue == NULL) {
        close(fd);
        return -EINVAL;
    }
    rd_kafka_queue_io_event_enable(consume->queue, fd, &one, sizeof(one));
    return 0;
}

enum kafka_consume_result kafka_consume_batch(struct kafka_consume *consume) {
    uint64_t started_ns = clock_mono_ns();
    enum kafka_consume_result result = KAFKA_CONSUME_MORE;
    unsigned messages = 0;
    size_t bytes = 0;

    while (within_bounds(messages, bytes, started_ns)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consume->handle, 0);
        if (message == NULL) {
            /* A poll that served a callback gives nothing although messages wait. */
            if (rd_kafka_queue_length(consume->queue) == 0) {
                result = KAFKA_CONSUME_EMPTY;
                break;
            }
        } else {
            bytes += message->len;
            take(consume, message);
            rd_kafka_message_destroy(message);
        }
        messages++;
    }
    flush(consume);
    return result;
}

static bool within_bounds(unsigned messages, size_t bytes, uint64_t started_ns) {
    if (messages >= KAFKA_CONSUME_RECORDS || bytes >= KAFKA_CONSUME_BYTES) {
        return false;
    }
    return messages % CLOCK_EVERY != 0 || messages == 0 ||
           clock_mono_ns() - started_ns < KAFKA_CONSUME_NS;
}

static void take(struct kafka_consume *consume, const rd_kafka_message_t *message) {
    struct kafka_topic *topic = kafka_topics_of(message->rkt);
    struct kafka_partition *partition = kafka_topics_partition(topic, message->partition);
    rd_kafka_timestamp_type_t type;
    struct kafka_mark mark;

    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_error(consume, message);
        return;
    }
    if (partition == NULL || partition->state != KAFKA_PARTITION_ASSIGNED) {
        return; /* taken out meanwhile */
    }
    mark = (struct kafka_mark){true, (uint64_t)message->offset,
                               rd_kafka_message_timestamp(message, &type), message->len};
    if (kafka_recheck_is_proof(partition, &mark)) {
        kafka_assign_made_anew(consume->assign, topic, message->partition);
        return;
    }
    if (mark.offset < partition->next) {
        return; /* taken before */
    }
    partition->next = mark.offset + 1;
    partition->last = mark;
    stats_add(consume->stats, STAT_KAFKA_MESSAGES, 1);
    stats_add(consume->stats, STAT_KAFKA_BYTES, message->len);
    if (message->payload == NULL || message->len == 0) {
        stats_add(consume->stats, STAT_KAFKA_TOMBSTONES, 1);
        follow(consume, partition);
        return;
    }
    take_value(consume, topic, partition, message);
}

/* Control messages act here, and then wake every worker like an event that concerns all. */
static void take_value(struct kafka_consume *consume, struct kafka_topic *topic,
                       struct kafka_partition *partition, const rd_kafka_message_t *message) {
    uint64_t before = consume->publish->writer->head;
    struct span value = {message->payload, message->len};
    struct event_source source = {.label = {partition->label, partition->label_length},
                                  .partition = partition->index,
                                  .offset = message->offset,
                                  .kafka_time_ms = kafka_time(partition->last.time_ms),
                                  .history = (uint64_t)message->offset <
                                             load_relaxed(&partition->position->live_from)};
    enum event_fault fault;

    if (topic->route->kind != ROUTE_TYPED && !take_headers(consume, &source, message)) {
        follow(consume, partition);
        return;
    }
    if (topic->route->kind == ROUTE_CONTROL &&
        !control_apply_value(&consume->control, partition->label, message->offset,
                             source.kafka_time_ms, value)) {
        follow(consume, partition);
        return;
    }
    fault = event_publish_add(consume->publish, topic->route, &source, value);

    if (fault != EVENT_OK) {
        tell_bad_value(partition, message->offset, fault);
        if (!source.history) {
            dead_letter_send(consume->letters, message, fault, clock_mono_ms());
        }
        follow(consume, partition);
    } else if (source.history) {
        partition->history_bytes += consume->publish->writer->head - before;
        partition->history_records++;
    }
}

/* False: it has come before, was for those who were there then, or had it at once. */
static bool take_headers(struct kafka_consume *consume, struct event_source *source,
                         const rd_kafka_message_t *message) {
    struct event_headers headers;
    rd_kafka_headers_t *raw;

    if (rd_kafka_message_headers(message, &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        raw = NULL;
    }
    event_headers_read(raw, &headers);
    source->sender = headers.sender;
    source->expiry_ms = headers.expiry_ms;
    source->ephemeral = headers.ephemeral;
    if (headers.host != 0 && headers.host == consume->host) {
        return false;
    }
    if (headers.has_once && consume->once->block != NULL &&
        !counts(consume, source, &headers.once)) {
        stats_add(consume->stats, STAT_DUPLICATES, 1);
        return false;
    }
    return !(source->history && source->ephemeral);
}

/* When nobody can tell it counts: an event twice is better than none. */
static bool counts(struct kafka_consume *consume, const struct event_source *source,
                   const struct uplink_once *mark) {
    static_assert(KAFKA_CONSUME_RECORDS <= ONCE_AHEAD, "each batch is published before the next");
    static struct log_rate rate = {.per_second = 1};
    int result =
        once_count(consume->once, source->partition, mark, source->offset, source->kafka_time_ms);

    if (result < 0) {
        stats_add(consume->stats, STAT_ONCE_REFUSED, 1);
        if (log_rate_allow(&rate)) {
            log_warn(SPAN_FORMAT ": what is sent again counts again: %s%s",
                     SPAN_ARGS(source->label),
                     result == -ENOSPC ? "too many partitions to be watched for that"
                                       : strerror(-result),
                     rate.left_out);
        }
    }
    return result != 0;
}

/* Messages of very old producers have none. */
static int64_t kafka_time(int64_t time_ms) {
    return time_ms >= 0 ? time_ms : clock_wall_ms();
}

/* The value itself stays out of the log: it may hold what nobody should read there. */
static void tell_bad_value(const struct kafka_partition *partition, int64_t offset,
                           enum event_fault fault) {
    static struct log_rate rate = {.per_second = 5};

    if (log_rate_allow(&rate)) {
        log_warn("%s:%" PRId64 " skipped: %s%s", partition->label, offset, event_check_text(fault),
                 rate.left_out);
    }
}

static void take_error(struct kafka_consume *consume, const rd_kafka_message_t *message) {
    struct kafka_topic *topic = kafka_topics_of(message->rkt);
    struct kafka_partition *partition = kafka_topics_partition(topic, message->partition);

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (partition != NULL) {
            partition->awaited = false;
            partition->rechecking = false;
            reach_end(consume, partition, message->offset);
        }
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        kafka_assign_out_of_range(consume->assign, topic, message->partition);
    } else {
        if (topic != NULL && message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
            kafka_unclear_tell(topic, message->err);
        }
        count_error(consume, partition, message);
    }
}

/* What stands behind the last message and is none (the end of a transaction, one that was aborted, what compaction has
 * removed) has been passed with it. Else history would lack its end, and lag would remain, until another message comes. */
static void reach_end(struct kafka_consume *consume, struct kafka_partition *partition,
                      int64_t end) {
    if (partition->state == KAFKA_PARTITION_ASSIGNED && end > 0 &&
        (uint64_t)end > partition->next) {
        partition->next = (uint64_t)end;
        follow(consume, partition);
    }
}

static void count_error(struct kafka_consume *consume, struct kafka_partition *partition,
                        const rd_kafka_message_t *message) {
    static struct log_rate rate = {.per_second = 2};

    stats_add(consume->stats, STAT_KAFKA_ERRORS, 1);
    if (partition != NULL && partition->position != NULL) {
        store_relaxed(&partition->position->errors, load_relaxed(&partition->position->errors) + 1);
    }
    kafka_watch_hurry(consume->assign->watch);
    if (log_rate_allow(&rate)) {
        log_warn("Kafka: %s: %s%s", partition != NULL ? partition->label : "consumer",
                 rd_kafka_message_errstr(message), rate.left_out);
    }
}

static void follow(struct kafka_consume *consume, struct kafka_partition *partition) {
    if (!partition->behind) {
        partition->behind = true;
        consume->behind[consume->behind_count++] = partition; /* at most one a message */
    }
}

/* The pointers in `behind` are good: partitions move only when metadata comes, between batches. */
static void flush(struct kafka_consume *consume) {
    event_publish_flush(consume->publish);
    for (unsigned i = 0; i < consume->behind_count; i++) {
        struct kafka_partition *partition = consume->behind[i];
        partition->behind = false;
        store_release(&partition->position->next, partition->next);
    }
    consume->behind_count = 0;
}
