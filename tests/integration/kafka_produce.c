/* A real producer for the tests: librdkafka, idempotent, every result printed as one JSON line
 * {"n":…,"topic":…,"partition":…,"offset":…,"timestamp":…} or {"n":…,"error":…}, n counting the messages from 0.
 *   kafka_produce BROKERS [TRANSACTIONAL_ID]
 *       sends what standard input says, a message a line, tab-separated:
 *       TOPIC PARTITION|- KEY|- text|hex|null VALUE
 *       With an id also the lines begin, commit and abort, which count as messages: {"n":…} when it is done.
 *   kafka_produce BROKERS COUNT RATE PARTITIONS TOPIC=TEMPLATE…
 *       sends COUNT messages, RATE a second: number n goes to the (n mod templates)-th topic and there,
 *       counted by j, to partition j mod PARTITIONS; {n}, {j} and {j%K} in a template become numbers.
 * The gateway's own producer is another program, so its mistakes can't hide here. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A broker that is killed may be away for minutes where the machine is busy: its JVM starts again meanwhile. */
#define MESSAGE_TIMEOUT_MS   "300000"
#define FLUSH_TIMEOUT_MS     300000
#define TRANSACTION_MS       60000
#define UNKNOWN_PARTITION_NS 15000000000
#define VALUE_MAX_BYTES      65536

struct outgoing {
    const char *topic;
    int32_t partition;
    const char *key;   /* NULL: none */
    const void *value; /* NULL: a tombstone */
    size_t length;
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    (void)opaque;
    const uintptr_t number = (uintptr_t)message->_private;
    if (message->err)
        printf("{\"n\":%" PRIuPTR ",\"error\":\"%s\"}\n", number, rd_kafka_err2str(message->err));
    else
        printf("{\"n\":%" PRIuPTR ",\"topic\":\"%s\",\"partition\":%" PRId32 ",\"offset\":%" PRId64
               ",\"timestamp\":%" PRId64 "}\n",
               number, rd_kafka_topic_name(message->rkt), message->partition, message->offset,
               rd_kafka_message_timestamp(message, NULL));
}

/* transactional_id NULL: no transactions. */
static rd_kafka_t *client_new(const char *brokers, const char *transactional_id) {
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const settings[][2] = {{"bootstrap.servers", brokers},
                                       {"enable.idempotence", "true"},
                                       {"queue.buffering.max.ms", "1"},
                                       {"message.max.bytes", "1048000"},
                                       {"queue.buffering.max.messages", "1000000"},
                                       {"message.timeout.ms", MESSAGE_TIMEOUT_MS},
                                       {"topic.metadata.propagation.max.ms", "20000"},
                                       {"topic.metadata.refresh.interval.ms", "1000"},
                                       {"reconnect.backoff.ms", "20"},
                                       {"reconnect.backoff.max.ms", "200"},
                                       {"log_level", "0"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof error)) {
            fprintf(stderr, "kafka_produce: %s\n", error);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    if (transactional_id) {
        rd_kafka_conf_set(conf, "transactional.id", transactional_id, NULL, 0);
        /* A transaction may last as long as a message in it. */
        rd_kafka_conf_set(conf, "transaction.timeout.ms", MESSAGE_TIMEOUT_MS, NULL, 0);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!client) {
        fprintf(stderr, "kafka_produce: %s\n", error);
        rd_kafka_conf_destroy(conf);
    }
    return client;
}

/* A full queue empties; a partition or topic that is new is known after the next metadata refresh. */
static bool passes(rd_kafka_resp_err_t problem, int64_t give_up) {
    return problem == RD_KAFKA_RESP_ERR__QUEUE_FULL ||
           ((problem == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
             problem == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) &&
            now_ns() < give_up);
}

static void send_one(rd_kafka_t *client, const struct outgoing *out, uintptr_t number) {
    const int64_t give_up = now_ns() + UNKNOWN_PARTITION_NS;
    rd_kafka_resp_err_t problem;
    do {
        problem = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(out->topic),
                                    RD_KAFKA_V_PARTITION(out->partition),
                                    RD_KAFKA_V_KEY(out->key, out->key ? strlen(out->key) : 0),
                                    RD_KAFKA_V_VALUE((void *)(uintptr_t)out->value, out->length),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                    RD_KAFKA_V_OPAQUE((void *)number), RD_KAFKA_V_END);
        if (problem)
            rd_kafka_poll(client, 10);
    } while (passes(problem, give_up));
    if (problem)
        printf("{\"n\":%" PRIuPTR ",\"error\":\"%s\"}\n", number, rd_kafka_err2str(problem));
}

/* Decodes in place; -1 for anything that is no hex. */
static long decode_hex(char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (!isxdigit((unsigned char)text[i]))
            return -1;
    if (length % 2)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        text[i] = (char)strtoul(digits, NULL, 16);
    }
    return (long)(length / 2);
}

static int parse_line(char *line, struct outgoing *out) {
    char *fields[5];
    for (int i = 0; i < 5; i++) {
        fields[i] = i < 4 ? strsep(&line, "\t") : line;
        if (!fields[i])
            return -EINVAL;
    }
    long length = (long)strlen(fields[4]);
    if (strcmp(fields[3], "hex") == 0)
        length = decode_hex(fields[4]);
    if (length < 0)
        return -EINVAL;
    const bool tombstone = strcmp(fields[3], "null") == 0;
    *out = (struct outgoing){
        .topic = fields[0],
        .partition = strcmp(fields[1], "-") == 0 ? RD_KAFKA_PARTITION_UA : (int32_t)atoi(fields[1]),
        .key = strcmp(fields[2], "-") == 0 ? NULL : fields[2],
        .value = tombstone ? NULL : fields[4],
        .length = tombstone ? 0 : (size_t)length,
    };
    return 0;
}

static rd_kafka_error_t *commit(rd_kafka_t *client) {
    return rd_kafka_commit_transaction(client, TRANSACTION_MS);
}

/* What has been sent gets as far as the broker: a message that was only queued would leave no trace there. */
static rd_kafka_error_t *abort_sent(rd_kafka_t *client) {
    rd_kafka_flush(client, FLUSH_TIMEOUT_MS);
    return rd_kafka_abort_transaction(client, TRANSACTION_MS);
}

/* False: the line says nothing about transactions. */
static bool transact(rd_kafka_t *client, const char *line, uintptr_t number) {
    static const struct {
        const char *word;
        rd_kafka_error_t *(*act)(rd_kafka_t *client);
    } acts[] = {{"begin", rd_kafka_begin_transaction}, {"commit", commit}, {"abort", abort_sent}};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(line, acts[i].word) == 0) {
            rd_kafka_error_t *problem = acts[i].act(client);
            if (problem)
                printf("{\"n\":%" PRIuPTR ",\"error\":\"%s\"}\n", number,
                       rd_kafka_error_name(problem));
            else
                printf("{\"n\":%" PRIuPTR "}\n", number);
            rd_kafka_error_destroy(problem);
            return true;
        }
    return false;
}

static int send_lines(rd_kafka_t *client) {
    char *line = NULL;
    size_t size = 0;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    int status = 0;
    for (uintptr_t number = 0; status == 0;) {
        rd_kafka_poll(client, 0);
        /* Unbuffered input below: what poll() reports is all there is. */
        if (poll(&input, 1, 2) == 0)
            continue;
        ssize_t length = getline(&line, &size, stdin);
        if (length < 0)
            break;
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = 0;
        struct outgoing out;
        if (transact(client, line, number)) {
            number++;
        } else if (parse_line(line, &out) == 0) {
            send_one(client, &out, number++);
        } else {
            fprintf(stderr, "kafka_produce: message %" PRIuPTR ": not five fields\n", number);
            status = 1;
        }
    }
    free(line);
    return status;
}

/* Appends the number that a placeholder stands for; returns how much of the template it took, 0: none. */
static size_t fill(const char *template, uint64_t n, uint64_t j, char *value, size_t *length) {
    uint64_t modulus = 0;
    int taken = 0;
    uint64_t number;
    if (strncmp(template, "{n}", 3) == 0) {
        number = n;
        taken = 3;
    } else if (strncmp(template, "{j}", 3) == 0) {
        number = j;
        taken = 3;
    } else if (sscanf(template, "{j%%%" SCNu64 "}%n", &modulus, &taken) == 1 && taken && modulus) {
        number = j % modulus;
    } else {
        return 0;
    }
    *length += (size_t)sprintf(value + *length, "%" PRIu64, number);
    return (size_t)taken;
}

static size_t expand(const char *template, uint64_t n, uint64_t j, char *value) {
    size_t length = 0;
    while (*template && length < VALUE_MAX_BYTES - 32) {
        size_t taken = fill(template, n, j, value, &length);
        if (taken)
            template += taken;
        else
            value[length++] = *template ++;
    }
    return length;
}

static void wait_until(rd_kafka_t *client, int64_t due) {
    rd_kafka_poll(client, 0);
    for (int64_t left; (left = due - now_ns()) > 0;)
        rd_kafka_poll(client, left > 2000000 ? 1 : 0);
}

static int generate(rd_kafka_t *client, uint64_t count, uint64_t rate, int32_t partitions,
                    char **specs, uint64_t spec_count) {
    char *value = malloc(VALUE_MAX_BYTES);
    if (!value || rate == 0 || partitions < 1) {
        free(value);
        return 1;
    }
    for (uint64_t i = 0; i < spec_count; i++) {
        char *equals = strchr(specs[i], '=');
        if (!equals) {
            free(value);
            return 1;
        }
        *equals = 0;
    }
    const int64_t start = now_ns();
    for (uint64_t n = 0; n < count; n++) {
        const char *topic = specs[n % spec_count];
        const uint64_t j = n / spec_count;
        wait_until(client, start + (int64_t)(n * 1000000000 / rate));
        struct outgoing out = {.topic = topic,
                               .partition = (int32_t)(j % (uint64_t)partitions),
                               .value = value,
                               .length = expand(topic + strlen(topic) + 1, n, j, value)};
        send_one(client, &out, n);
    }
    free(value);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3 && argc < 6) {
        fputs("usage: kafka_produce BROKERS [TRANSACTIONAL_ID | COUNT RATE PARTITIONS "
              "TOPIC=TEMPLATE...]\n",
              stderr);
        return 1;
    }
    const bool by_lines = argc < 6;
    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, by_lines ? _IOLBF : _IOFBF, 65536);
    rd_kafka_t *client = client_new(argv[1], argc == 3 ? argv[2] : NULL);
    if (!client)
        return 1;
    if (argc == 3) {
        rd_kafka_error_t *problem = rd_kafka_init_transactions(client, TRANSACTION_MS);
        if (problem) {
            fprintf(stderr, "kafka_produce: %s\n", rd_kafka_error_string(problem));
            return 1;
        }
    }
    int status = by_lines
                     ? send_lines(client)
                     : generate(client, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                                (int32_t)atoi(argv[4]), argv + 5, (uint64_t)(argc - 5));
    if (rd_kafka_flush(client, FLUSH_TIMEOUT_MS))
        status = 1;
    rd_kafka_destroy(client);
    return status;
}
