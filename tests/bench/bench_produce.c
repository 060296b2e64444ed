/* bench_produce: events into Kafka at a given rate, k at once, so that the gateway sees k events a batch.
 *
 *   bench_produce --mock [--topic NAME:PARTITIONS]...     hosts librdkafka's mock cluster until its standard
 *                                                         input ends; says {"bootstrap":"HOST:PORT"}
 *   bench_produce --bootstrap B --topic T [--user ID] [--batch K] [--rate BATCHES_A_SECOND]
 *                 [--seconds S | --events E] [--frame-bytes 300] [--partitions P] [--probe]
 *                 [--prices KEYS]
 *
 * Without --rate as fast as it goes. A batch goes to one partition in one message set, partitions in turn.
 * With --user the event is a private one, and the intervals vary by half, so that they do not march in step
 * with another stream; with --prices it is the price of one of so many tokens, one after the other. --probe also consumes the topic and measures what Kafka alone takes. Says
 * {"started":true} when connected, waits for a line on its standard input, and ends with one line of JSON that
 * tells what was done. */
#include "common/clock.h"
#include "tests/bench/histogram.h"
#include "tests/bench/produce_event.h"

#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_TOPICS 32

struct settings {
    const char *bootstrap, *topics[MAX_TOPICS], *user;
    unsigned topic_count, batch, partitions, keys;
    double rate, seconds;
    unsigned long events;
    size_t frame_bytes;
    bool mock, probe;
};

static int host_mock(const struct settings *settings);
static int produce(const struct settings *settings);

static struct produce_value value;
static unsigned long failed_events;
static struct histogram probe_latency;
static volatile bool probe_stop, probe_ready;
static volatile unsigned probe_warm; /* warming events that it has seen */

int main(int argc, char **argv) {
    static const struct option known[] = {{"bootstrap", required_argument, NULL, 'b'},
                                          {"topic", required_argument, NULL, 't'},
                                          {"user", required_argument, NULL, 'u'},
                                          {"batch", required_argument, NULL, 'k'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"events", required_argument, NULL, 'e'},
                                          {"frame-bytes", required_argument, NULL, 'f'},
                                          {"partitions", required_argument, NULL, 'p'},
                                          {"prices", required_argument, NULL, 'y'},
                                          {"mock", no_argument, NULL, 'm'},
                                          {"probe", no_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    struct settings settings = {.batch = 1, .partitions = 1, .seconds = 1, .frame_bytes = 300};
    int option;
    bool wrong = false;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        double number = optarg == NULL ? 0 : atof(optarg);
        switch (option) {
        case 'b':
            settings.bootstrap = optarg;
            break;
        case 't':
            wrong = wrong || settings.topic_count == MAX_TOPICS;
            settings.topics[settings.topic_count % MAX_TOPICS] = optarg;
            settings.topic_count++;
            break;
        case 'u':
            settings.user = optarg;
            break;
        case 'k':
            settings.batch = (unsigned)number;
            break;
        case 'r':
            settings.rate = number;
            break;
        case 's':
            settings.seconds = number;
            break;
        case 'e':
            settings.events = (unsigned long)number;
            break;
        case 'f':
            settings.frame_bytes = (size_t)number;
            break;
        case 'p':
            settings.partitions = (unsigned)number;
            break;
        case 'y':
            settings.keys = (unsigned)number;
            break;
        case 'm':
            settings.mock = true;
            break;
        case 'o':
            settings.probe = true;
            break;
        default:
            wrong = true;
        }
    }
    wrong = wrong || settings.batch == 0 || settings.partitions == 0 || settings.topic_count == 0 ||
            (!settings.mock && settings.bootstrap == NULL) ||
            (settings.rate <= 0 && settings.events == 0 && !settings.mock);
    if (wrong) {
        fprintf(stderr, "bench_produce: wrong usage, see the head of bench_produce.c\n");
        return 2;
    }
    return settings.mock ? host_mock(&settings) : produce(&settings);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *text) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, text, error, sizeof(error)) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "bench_produce: %s\n", error);
        exit(EXIT_FAILURE);
    }
}

static rd_kafka_t *start(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char error[256];
    rd_kafka_t *kafka = rd_kafka_new(type, conf, error, sizeof(error));
    if (kafka == NULL) {
        fprintf(stderr, "bench_produce: %s\n", error);
        exit(EXIT_FAILURE);
    }
    return kafka;
}

static int host_mock(const struct settings *settings) {
    rd_kafka_t *kafka = start(RD_KAFKA_PRODUCER, rd_kafka_conf_new());
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(kafka, 1);
    if (cluster == NULL) {
        fprintf(stderr, "bench_produce: no mock cluster\n");
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < settings->topic_count; i++) {
        char name[256];
        snprintf(name, sizeof(name), "%s", settings->topics[i]);
        char *colon = strrchr(name, ':');
        int partitions = colon == NULL ? 4 : atoi(colon + 1);
        if (colon != NULL) {
            *colon = '\0';
        }
        if (rd_kafka_mock_topic_create(cluster, name, partitions, 1) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            fprintf(stderr, "bench_produce: no topic %s\n", name);
            return EXIT_FAILURE;
        }
    }
    printf("{\"bootstrap\":\"%s\"}\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(kafka);
    return EXIT_SUCCESS;
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *context) {
    (void)kafka;
    (void)context;
    failed_events += message->err != RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
}

static rd_kafka_t *start_producer(const struct settings *settings) {
    char batch[16];
    bool flood = settings->rate <= 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    snprintf(batch, sizeof(batch), "%u", flood ? 10000 : settings->batch);
    set(conf, "bootstrap.servers", settings->bootstrap);
    set(conf, "acks", "1");
    set(conf, "socket.nagle.disable", "true");
    set(conf, "linger.ms", !flood && settings->batch == 1 ? "0" : "5");
    set(conf, "batch.num.messages", batch);
    set(conf, "queue.buffering.max.messages", "2000000");
    set(conf, "queue.buffering.max.kbytes", "1048576");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return start(RD_KAFKA_PRODUCER, conf);
}

static void produce_one(rd_kafka_t *kafka, const struct settings *settings, int32_t partition) {
    static unsigned next_key;
    const char *topic = settings->topics[0];
    rd_kafka_resp_err_t error;
    if (settings->keys > 0) {
        produce_event_key(&value, next_key++ % settings->keys);
    }
    while (
        (error = rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                   RD_KAFKA_V_VALUE(value.text, value.length),
                                   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
        RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(kafka, 1);
    }
    failed_events += error != RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
}

static unsigned long produce_paced(rd_kafka_t *kafka, const struct settings *settings) {
    unsigned long batches = settings->events > 0
                                ? settings->events / settings->batch
                                : (unsigned long)(settings->rate * settings->seconds);
    double interval_ns = 1e9 / settings->rate;
    double due = (double)clock_mono_ns() + interval_ns;
    unsigned seed = 1;
    for (unsigned long batch = 0; batch < batches; batch++) {
        struct timespec until = {(time_t)(due / 1e9), (long)((uint64_t)due % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        stamp_write(value.text + value.stamp_at, clock_mono_ns());
        for (unsigned i = 0; i < settings->batch; i++) {
            produce_one(kafka, settings, (int32_t)(batch % settings->partitions));
        }
        rd_kafka_poll(kafka, 0);
        double vary = settings->user == NULL ? 1.0 : 0.5 + (double)rand_r(&seed) / RAND_MAX;
        due += interval_ns * vary;
    }
    return batches * settings->batch;
}

static unsigned long produce_flood(rd_kafka_t *kafka, const struct settings *settings) {
    const unsigned block = 5000; /* into one partition, so that message sets are large */
    for (unsigned long i = 0; i < settings->events; i++) {
        stamp_write(value.text + value.stamp_at, clock_mono_ns());
        produce_one(kafka, settings, (int32_t)(i / block % settings->partitions));
        if (i % 1000 == 0) {
            rd_kafka_poll(kafka, 0);
        }
    }
    return settings->events;
}

/* Consumes the topic from its end, as ingest does, and counts how old each event is on arrival. */
static void *probe_main(void *context) {
    const struct settings *settings = context;
    size_t from_end = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", settings->bootstrap);
    set(conf, "group.id", "moonx-bench-probe");
    set(conf, "fetch.wait.max.ms", "1"); /* the mock lets an empty fetch wait its full length */
    set(conf, "enable.auto.commit", "false");
    rd_kafka_t *kafka = start(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(kafka);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)settings->partitions);
    for (unsigned i = 0; i < settings->partitions; i++) {
        rd_kafka_topic_partition_list_add(list, settings->topics[0], (int32_t)i);
        int64_t low, high = 0;
        rd_kafka_query_watermark_offsets(kafka, settings->topics[0], (int32_t)i, &low, &high, 5000);
        list->elems[i].offset = high;
    }
    rd_kafka_assign(kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    probe_ready = true;
    while (!probe_stop) {
        uint64_t sent_ns;
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, 100);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            stamp_find(message->payload, message->len, &from_end, &sent_ns) != STAMP_NONE) {
            if (sent_ns == 0) {
                probe_warm = probe_warm + 1;
            } else {
                histogram_count(&probe_latency, clock_mono_ns() - sent_ns);
            }
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
    return NULL;
}

static int produce(const struct settings *settings) {
    pthread_t probe;
    enum produce_kind kind = settings->keys > 0       ? PRODUCE_PRICE
                             : settings->user != NULL ? PRODUCE_ORDER
                                                      : PRODUCE_TRADE;
    if (produce_event_make(kind, settings->topics[0], settings->user, settings->frame_bytes,
                           &value) != 0) {
        fprintf(stderr, "bench_produce: --frame-bytes %zu: too small for an event\n",
                settings->frame_bytes);
        return 2;
    }
    if (settings->probe) {
        if (pthread_create(&probe, NULL, probe_main, (void *)settings) != 0) {
            return EXIT_FAILURE;
        }
        while (!probe_ready) {
            usleep(1000);
        }
    }
    rd_kafka_t *kafka = start_producer(settings);
    for (unsigned i = 0; i < settings->partitions && settings->rate > 0; i++) {
        produce_one(kafka, settings, (int32_t)i); /* stamp 0: opens the connection */
    }
    rd_kafka_flush(kafka, 10000);
    for (unsigned ms = 0; settings->probe && probe_warm < settings->partitions && ms < 5000; ms++) {
        usleep(1000);
    }
    puts("{\"started\":true}");
    fflush(stdout);
    (void)getchar();
    uint64_t start_ns = clock_mono_ns();
    unsigned long events =
        settings->rate > 0 ? produce_paced(kafka, settings) : produce_flood(kafka, settings);
    rd_kafka_flush(kafka, 60000);
    double seconds = (double)(clock_mono_ns() - start_ns) / 1e9;
    rd_kafka_destroy(kafka);
    if (settings->probe) {
        usleep(200000);
        probe_stop = true;
        pthread_join(probe, NULL);
    }
    printf("{\"events\":%lu,\"failed\":%lu,\"seconds\":%.3f,\"value_bytes\":%zu,\"kafka\":", events,
           failed_events, seconds, value.length);
    histogram_print(stdout, &probe_latency);
    puts("}");
    return failed_events == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
