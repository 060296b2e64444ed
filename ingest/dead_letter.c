#include "ingest/dead_letter.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>

static bool within_rate(struct dead_letter *letters, uint64_t now_ms);
static rd_kafka_headers_t *headers_of(const struct dead_letter *letters,
                                      const rd_kafka_message_t *message, enum event_fault fault);
static void lose(struct dead_letter *letters, int error);

void dead_letter_send(struct dead_letter *letters, const rd_kafka_message_t *message,
                      enum event_fault fault, uint64_t now_ms) {
    int result = -EBUSY;

    if (letters->options->dead_letter_topic[0] == '\0') {
        return;
    }
    if (within_rate(letters, now_ms)) {
        result = kafka_produce_send(letters->produce, letters->options->dead_letter_topic,
                                    (struct span){message->key, message->key_len},
                                    (struct span){message->payload, message->len},
                                    headers_of(letters, message, fault), DEAD_LETTER_TAG);
    }
    if (result == 0) {
        stats_add(letters->stats, STAT_DEAD_LETTERS, 1);
    } else {
        lose(letters, result);
    }
}

void dead_letter_report(struct dead_letter *letters, int error) {
    if (error != 0) {
        lose(letters, error);
    }
}

static bool within_rate(struct dead_letter *letters, uint64_t now_ms) {
    if (now_ms / 1000 != letters->second) {
        letters->second = now_ms / 1000;
        letters->count = 0;
    }
    return letters->count++ < DEAD_LETTER_PER_SECOND;
}

static rd_kafka_headers_t *headers_of(const struct dead_letter *letters,
                                      const rd_kafka_message_t *message, enum event_fault fault) {
    rd_kafka_headers_t *headers = rd_kafka_headers_new(5);
    char number[24];

    (void)rd_kafka_header_add(headers, "topic", -1, rd_kafka_topic_name(message->rkt), -1);
    snprintf(number, sizeof(number), "%" PRId32, message->partition);
    (void)rd_kafka_header_add(headers, "partition", -1, number, -1);
    snprintf(number, sizeof(number), "%" PRId64, message->offset);
    (void)rd_kafka_header_add(headers, "offset", -1, number, -1);
    (void)rd_kafka_header_add(headers, "error", -1, event_check_text(fault), -1);
    (void)rd_kafka_header_add(headers, "instance", -1, letters->options->instance_id, -1);
    return headers;
}

static void lose(struct dead_letter *letters, int error) {
    static struct log_rate rate = {.per_second = 1};

    stats_add(letters->stats, STAT_DEAD_LETTERS_LOST, 1);
    if (log_rate_allow(&rate)) {
        log_warn("a bad value could not be kept as a dead letter: %s%s",
                 error == -EBUSY ? "too many in this second" : strerror(-error), rate.left_out);
    }
}
