/* moonx-ingest itself, started as the supervisor starts it, against a broker in this process.
 *   ingest_harness PATH-OF-MOONX-INGEST        all tests
 *   ingest_harness PATH-OF-MOONX-INGEST bench  events a second from Kafka into the ring */
#include "tests/integration/ingest_host.h"

#include <inttypes.h>

#define RING_BYTES (16u << 20)

static const char *program;

/* Topics are looked at every second: the default of ten would make the tests long. */
static char properties[] = "/tmp/moonx-ingest-properties-XXXXXX";

static void make_properties(void) {
    static const char text[] = "topic.metadata.refresh.interval.ms = 1000\n";
    int fd = mkstemp(properties);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "properties");
    close(fd);
}

static void forget_properties(void) {
    unlink(properties);
}

static void start(struct host *host, const struct broker *broker) {
    char brokers[200], config[64];
    char format[] = "--log-format=text", *const arguments[] = {brokers, format, config, NULL};

    snprintf(brokers, sizeof(brokers), "--kafka=%s", broker->address);
    snprintf(config, sizeof(config), "--kafka-config-file=%s", properties);
    host_start(host, arguments);
}

static void open_all(struct host *host, struct broker *broker) {
    broker_open(broker);
    broker_topic(broker, "price.updates", 2);
    broker_topic(broker, "order.updates", 2);
    broker_topic(broker, "notification.updates", 1);
    host_open(host, program, RING_BYTES);
}

static void close_all(struct host *host, struct broker *broker) {
    host_close(host);
    broker_close(broker);
}

static uint64_t stat(const struct host *host, enum stat_id id) {
    return stats_get(&host->segment.ingest->stats, id);
}

static uint64_t next_of(const struct host *host, const char *topic, int32_t number) {
    int index = positions_find(host->segment.positions, span_of(topic), number);
    CHECK(index >= 0, "%s:%d is known", topic, number);
    return load_acquire(&host->segment.positions->partitions[index].next);
}

static void an_event_arrives_with_its_bytes_and_rooms_and_what_was_there_before_does_not(void) {
    static const char value[] = "{\"orderId\":\"o-1\",\"userId\":\"u-7\",\"amountIn\":10500.250,"
                                "\"price\":\"2150.45\",\"big\":12345678901234567890}";
    struct host host;
    struct broker broker;
    const struct record *record;
    struct span envelope;

    open_all(&host, &broker);
    broker_text(&broker, "order.updates", 0, "{\"orderId\":\"old\",\"userId\":\"u-7\"}");
    broker_flush(&broker);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    broker_text(&broker, "order.updates", 0, value);
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->kind == RECORD_EVENT, "an event");
    CHECK(record->offset == 1 && record->room_count == 2, "offset %" PRId64, record->offset);
    CHECK(record->rooms[0].kind == ROOM_ORDERS && span_is(record_room_key(record, 0), "u-7"),
          "own");
    CHECK(record->rooms[1].kind == ROOM_PLAIN && span_is(record_room_key(record, 1), "order:o-1"),
          "order");
    envelope = record_envelope(record);
    CHECK(memmem(envelope.data, envelope.length,
                 "{\"id\":\"order.updates:0:1\",\"type\":\"order_update\"", 46) == envelope.data,
          SPAN_FORMAT, SPAN_ARGS(envelope));
    CHECK(memmem(envelope.data, envelope.length, value, strlen(value)) != NULL, SPAN_FORMAT,
          SPAN_ARGS(envelope));
    host_stop(&host);
    close_all(&host, &broker);
}

static void bad_values_are_counted_and_skipped_and_consumption_goes_on(void) {
    static char huge[3 << 20], deep[200];
    struct host host;
    struct broker broker;
    const struct record *record;

    open_all(&host, &broker);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    memset(huge, ' ', sizeof(huge));
    memcpy(huge, "{\"orderId\":1", 12);
    memcpy(huge + sizeof(huge) - 13, ",\"userId\":\"u\"", 13);
    huge[sizeof(huge) - 1] = '}';
    memset(deep, '[', sizeof(deep));
    broker_text(&broker, "order.updates", 1, "{\"orderId\":1,\"userId\":1}");
    broker_send(&broker, "order.updates", 1, "{\"a\0\":1}", 8);
    broker_send(&broker, "order.updates", 1, "", 0);
    broker_send(&broker, "order.updates", 1, NULL, 0);
    broker_text(&broker, "order.updates", 1, "not json \033[31m");
    broker_send(&broker, "order.updates", 1, huge, sizeof(huge));
    broker_send(&broker, "order.updates", 1, deep, sizeof(deep));
    broker_text(&broker, "order.updates", 1, "{\"orderId\":1,\"userId\":1,\"userId\":2}");
    broker_text(&broker, "order.updates", 1, "{\"orderId\":2}");
    broker_text(&broker, "order.updates", 1, "{\"orderId\":1,\"userId\":\"a b\"}");
    broker_text(&broker, "order.updates", 1, "{\"orderId\":3,\"userId\":3}");
    broker_send(&broker, "order.updates", 1, NULL, 0);
    for (int64_t offset = 0; offset <= 10; offset += offset == 0 ? 9 : 1) {
        record = host_read(&host, HOST_PATIENCE_MS); /* `a b` still has its order's room */
        CHECK(record != NULL && record->offset == offset, "offset %" PRId64, offset);
    }
    host_await_stat(&host, STAT_KAFKA_TOMBSTONES, 3);
    CHECK(stat(&host, STAT_EVENTS_REJECTED) == 6, "%" PRIu64, stat(&host, STAT_EVENTS_REJECTED));
    CHECK(stat(&host, STAT_ROOMS_INVALID) == 1, "%" PRIu64, stat(&host, STAT_ROOMS_INVALID));
    host_stop(&host);
    CHECK(next_of(&host, "order.updates", 1) == 12, "%" PRIu64, next_of(&host, "order.updates", 1));
    close_all(&host, &broker);
}

/* Each killed somewhere in the middle of a stream; the reader must see every offset of each partition once, in
 * order. */
static void a_killed_ingest_loses_and_doubles_nothing(void) {
    enum { EVENTS = 60000, KILLS = 6 };
    struct host host;
    struct broker broker;
    int64_t seen[2] = {0, 0};
    unsigned kills = 0;
    char value[400];

    open_all(&host, &broker);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    for (unsigned i = 0; i < EVENTS; i++) {
        snprintf(value, sizeof(value),
                 "{\"token\":\"T%u\",\"chainId\":1,\"price\":\"%u.5\",\"pad\":\"%0*d\"}", i % 20, i,
                 (int)(i % 250) + 1, 7);
        broker_text(&broker, "price.updates", (int32_t)(i % 2), value);
    }
    while (seen[0] + seen[1] < EVENTS) {
        const struct record *record = host_read(&host, HOST_PATIENCE_MS);
        unsigned partition;
        CHECK(record != NULL, "%" PRId64 " and %" PRId64 " seen", seen[0], seen[1]);
        partition = host.segment.positions->partitions[record->partition].number == 1;
        CHECK(record->offset == seen[partition],
              "partition %u: offset %" PRId64 " instead of %" PRId64, partition, record->offset,
              seen[partition]);
        seen[partition]++;
        if (kills < KILLS && seen[0] + seen[1] > (kills + 1) * (EVENTS / (KILLS + 2))) {
            kills++;
            host_kill(&host);
            start(&host, &broker);
        }
    }
    CHECK(host_read(&host, 300) == NULL, "nothing twice");
    host_stop(&host);
    close_all(&host, &broker);
}

static void it_runs_while_the_broker_is_away_and_catches_up_by_itself(void) {
    struct host host;
    struct broker broker;
    char *log;

    open_all(&host, &broker);
    rd_kafka_mock_broker_set_down(broker.cluster, 1);
    start(&host, &broker);
    host_await_stat(&host, STAT_KAFKA_ERRORS, 2);
    CHECK(!host_has_flag(&host, INGEST_KAFKA_UP) && !host_has_flag(&host, INGEST_CAUGHT_UP),
          "down");
    rd_kafka_mock_broker_set_up(broker.cluster, 1);
    host_await_flag(&host, INGEST_KAFKA_UP, true);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    broker_text(&broker, "price.updates", 0, "{\"token\":\"A\",\"price\":1,\"chainId\":1}");
    CHECK(host_read(&host, HOST_PATIENCE_MS) != NULL, "an event");
    rd_kafka_mock_broker_set_down(broker.cluster, 1);
    host_await_flag(&host, INGEST_KAFKA_UP, false);
    broker_text(&broker, "price.updates", 0, "{\"token\":\"B\",\"price\":2,\"chainId\":1}");
    rd_kafka_mock_broker_set_up(broker.cluster, 1);
    CHECK(host_read(&host, HOST_PATIENCE_MS) != NULL, "what was sent meanwhile");
    host_await_flag(&host, INGEST_KAFKA_UP, true);
    rd_kafka_mock_broker_set_down(broker.cluster, 1);
    host_await_flag(&host, INGEST_KAFKA_UP, false);
    host_stop(&host); /* also while it is away, within a second */
    log = host_log(&host);
    for (unsigned lines = 0, i = 0; log[i] != '\0'; i++) {
        lines += log[i] == '\n';
        CHECK(lines < 30, "a flood of lines:\n%s", log);
    }
    free(log);
    close_all(&host, &broker);
}

static void a_topic_that_appears_later_is_consumed_from_its_beginning(void) {
    struct host host;
    struct broker broker;
    const struct record *record;

    open_all(&host, &broker);
    /* The mock makes every topic that it is asked about; this is how it says that there is none. */
    rd_kafka_mock_topic_set_error(broker.cluster, "trade.updates",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    CHECK(positions_find(host.segment.positions, SPAN_LITERAL("trade.updates"), 0) == -ENOENT,
          "none");
    rd_kafka_mock_topic_set_error(broker.cluster, "trade.updates", RD_KAFKA_RESP_ERR_NO_ERROR);
    broker_text(&broker, "trade.updates", 0, "{\"tradeId\":1}");
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->offset == 0, "its first event");
    host_stop(&host);
    close_all(&host, &broker);
}

/* Whether the broker's rules keep it from us, or it has no leader: both say nothing about what it has revoked. */
static void a_control_topic_that_may_not_be_read_is_said_and_keeps_the_host_from_catching_up(void) {
    struct host host;
    struct broker broker;
    char *log;

    open_all(&host, &broker);
    rd_kafka_mock_topic_set_error(broker.cluster, "gateway.control",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start(&host, &broker);
    host_await_stat(&host, STAT_KAFKA_ERRORS, 2); /* two answers, with a second of ticks between */
    CHECK(host_has_flag(&host, INGEST_KAFKA_UP), "up");
    CHECK(!host_has_flag(&host, INGEST_CAUGHT_UP), "not caught up");
    log = host_log(&host);
    CHECK(strstr(log, "gateway.control can't be read: Broker: Topic authorization failed") != NULL,
          "said:\n%s", log);
    free(log);
    rd_kafka_mock_topic_set_error(broker.cluster, "gateway.control", RD_KAFKA_RESP_ERR_NO_ERROR);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    host_stop(&host);
    close_all(&host, &broker);
}

static void a_control_topic_that_is_not_there_keeps_nobody_waiting(void) {
    struct host host;
    struct broker broker;

    open_all(&host, &broker);
    rd_kafka_mock_topic_set_error(broker.cluster, "gateway.control",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    host_stop(&host);
    close_all(&host, &broker);
}

/* What lay there before is history, as it would have been from the first: nobody gets it as news. */
static void a_topic_that_becomes_readable_starts_as_if_it_had_been_from_the_first(void) {
    struct host host;
    struct broker broker;
    const struct record *record;
    char *log;

    open_all(&host, &broker);
    broker_text(&broker, "notification.updates", 0, "{\"title\":\"old\",\"message\":\"m\"}");
    broker_flush(&broker);
    rd_kafka_mock_topic_set_error(broker.cluster, "notification.updates",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true); /* only control messages are waited for */
    log = host_log(&host);
    CHECK(strstr(log, "notification.updates can't be read") != NULL, "said:\n%s", log);
    free(log);
    rd_kafka_mock_topic_set_error(broker.cluster, "notification.updates",
                                  RD_KAFKA_RESP_ERR_NO_ERROR);
    uint64_t until_ms = clock_mono_ms() + HOST_PATIENCE_MS;
    while (positions_find(host.segment.positions, SPAN_LITERAL("notification.updates"), 0) < 0 ||
           next_of(&host, "notification.updates", 0) == POSITION_UNKNOWN) {
        CHECK(clock_mono_ms() < until_ms, "its start is found");
        (void)poll(NULL, 0, 5);
    }
    broker_text(&broker, "notification.updates", 0, "{\"title\":\"new\",\"message\":\"m\"}");
    record = host_read(&host, HOST_PATIENCE_MS);
    /* (no history here: this broker can't look up by time) */
    CHECK(record != NULL && record->offset == 1, "the new one first");
    host_stop(&host);
    close_all(&host, &broker);
}

static void a_deleted_topic_is_marked_gone_and_continued_when_it_is_back(void) {
    struct host host;
    struct broker broker;
    const struct record *record;
    const struct position *position;
    uint64_t until_ms = clock_mono_ms() + 2 * HOST_PATIENCE_MS;

    open_all(&host, &broker);
    start(&host, &broker);
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    broker_text(&broker, "notification.updates", 0, "{\"title\":\"t\",\"message\":\"m\"}");
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL, "an event");
    position = &host.segment.positions->partitions[record->partition];
    rd_kafka_mock_topic_set_error(broker.cluster, "notification.updates",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    while (load_acquire(&position->state) != POSITION_GONE) {
        CHECK(clock_mono_ms() < until_ms, "gone");
        (void)poll(NULL, 0, 20);
    }
    rd_kafka_mock_topic_set_error(broker.cluster, "notification.updates",
                                  RD_KAFKA_RESP_ERR_NO_ERROR);
    broker_text(&broker, "notification.updates", 0, "{\"title\":\"t\",\"message\":\"m\"}");
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->offset == 1, "goes on");
    CHECK(load_acquire(&position->state) == POSITION_ASSIGNED, "assigned");
    host_stop(&host);
    close_all(&host, &broker);
}

static void await_mark(struct host *host, const char *topic, uint64_t offset) {
    uint64_t until_ms = clock_mono_ms() + HOST_PATIENCE_MS;
    int index = positions_find(host->segment.positions, span_of(topic), 0);

    CHECK(index >= 0, "a position");
    while (load_acquire(&host->segment.positions->marks[index].offset) != offset) {
        CHECK(clock_mono_ms() < until_ms, "its last message is noted");
        (void)poll(NULL, 0, 20);
    }
}

static void begin_with_five_events(struct host *host, struct broker *broker) {
    open_all(host, broker);
    start(host, broker);
    host_await_flag(host, INGEST_CAUGHT_UP, true);
    for (unsigned i = 0; i < 5; i++) {
        broker_text(broker, "notification.updates", 0, "{\"title\":\"t\",\"message\":\"m\"}");
        CHECK(host_read(host, HOST_PATIENCE_MS) != NULL, "an event");
    }
}

/* The broker that comes after the kill is another one, and has more than the first had: no offset goes back. */
static void a_topic_made_anew_while_ingest_is_away_is_noticed_though_it_is_longer(void) {
    struct host host;
    struct broker broker, second;
    const struct record *record;

    begin_with_five_events(&host, &broker);
    await_mark(&host, "notification.updates", 4);
    host_kill(&host);
    broker_text(&broker, "notification.updates", 0, "{\"title\":\"t\",\"message\":\"m\"}");
    broker_flush(&broker);
    start(&host, &broker); /* the same broker first: nothing is taken for a new topic */
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->offset == 5, "goes on");
    CHECK(stat(&host, STAT_KAFKA_RESTARTS) == 0, "the same topic");
    await_mark(&host, "notification.updates", 5);
    host_kill(&host);
    broker_open(&second);
    broker_topic(&second, "notification.updates", 1);
    for (unsigned i = 0; i < 9; i++) {
        broker_text(&second, "notification.updates", 0, "{\"title\":\"new\",\"message\":\"m\"}");
    }
    broker_flush(&second);
    start(&host, &second);
    for (int64_t offset = 0; offset < 9; offset++) {
        record = host_read(&host, HOST_PATIENCE_MS);
        CHECK(record != NULL && record->offset == offset, "from the first event of the new topic");
    }
    CHECK(stat(&host, STAT_KAFKA_RESTARTS) == 1, "counted");
    host_stop(&host);
    CHECK(next_of(&host, "notification.updates", 0) == 9, "follows");
    broker_close(&second);
    close_all(&host, &broker);
}

/* The broker that comes after the kill is another one: its offsets lie before ours. */
static void offsets_that_went_back_are_said_counted_and_followed(void) {
    struct host host;
    struct broker broker, second;
    const struct record *record;
    char *log;

    begin_with_five_events(&host, &broker);
    host_kill(&host);
    broker_open(&second);
    broker_topic(&second, "notification.updates", 1);
    broker_text(&second, "notification.updates", 0, "{\"title\":\"new\",\"message\":\"m\"}");
    broker_flush(&second);
    start(&host, &second);
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->offset == 0, "the first event of the new topic");
    CHECK(stat(&host, STAT_KAFKA_RESTARTS) == 1, "counted");
    host_stop(&host);
    log = host_log(&host);
    CHECK(strstr(log, "WENT BACK") != NULL, "said:\n%s", log);
    CHECK(next_of(&host, "notification.updates", 0) == 1, "follows");
    free(log);
    broker_close(&second);
    close_all(&host, &broker);
}

static void a_gap_is_counted_offset_by_offset(void) {
    struct host host;
    struct broker broker;
    int index;

    open_all(&host, &broker);
    index = positions_intern(host.segment.positions, SPAN_LITERAL("price.updates"), 0);
    store_relaxed(&host.segment.positions->partitions[index].live_from, 0);
    store_release(&host.segment.positions->partitions[index].next, 0);
    static char
        value[100000]; /* more than the 5 MiB that the mock keeps, incompressible enough or not */
    for (unsigned i = 0; i < 80; i++) {
        snprintf(value, sizeof(value), "{\"token\":\"A\",\"price\":1,\"chainId\":1,\"pad\":\"");
        for (size_t at = strlen(value); at < sizeof(value) - 2; at++) {
            value[at] = (char)('0' + (int)(lrand48() % 70));
            if (value[at] == '\\' || value[at] == '"') {
                value[at] = '-';
            }
        }
        memcpy(value + sizeof(value) - 2, "\"}", 2);
        broker_send(&broker, "price.updates", 0, value, sizeof(value));
        broker_flush(&broker);
    }
    start(&host, &broker);
    const struct record *record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->offset > 0, "the oldest that is left");
    CHECK(stat(&host, STAT_KAFKA_GAPS) == (uint64_t)record->offset, "%" PRIu64 " counted",
          stat(&host, STAT_KAFKA_GAPS));
    host_stop(&host);
    close_all(&host, &broker);
}

static void dev_mode_brings_its_own_broker_and_a_stream_and_survives_a_kill(void) {
    struct host host;
    char directory[] = "/tmp/moonx-ingest-XXXXXX", path[64], address[64];
    FILE *file;

    CHECK(mkdtemp(directory) != NULL, "folder");
    char dev[] = "--dev",
         flag[] = "--dev-directory", *const arguments[] = {dev, flag, directory, NULL};
    host_open(&host, program, RING_BYTES);
    for (unsigned round = 0; round < 2; round++) {
        host_start(&host, arguments);
        for (unsigned i = 0; i < 60; i++) {
            CHECK(host_read(&host, HOST_PATIENCE_MS) != NULL, "the stream");
        }
        host_await_flag(&host, INGEST_CAUGHT_UP, true);
        if (round == 0) {
            host_kill(&host);
        }
    }
    snprintf(path, sizeof(path), "%s/bootstrap", directory);
    file = fopen(path, "r");
    CHECK(file != NULL && fgets(address, sizeof(address), file) != NULL, "address");
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0 && strchr(address, '\n') != NULL, "%s", address);
    fclose(file);
    CHECK(stat(&host, STAT_EVENTS_REJECTED) == 0, "all its events are good ones");
    host_stop(&host);
    unlink(path);
    rmdir(directory);
    host_close(&host);
}

/* The main thread's share: the rest is librdkafka's fetching and decompressing, on other cores. */
static void bench_cpu(pid_t pid) {
    unsigned long user = 0, system = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)pid);
    file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                               &user, &system) == 2) {
        printf("main thread: %.2f s user, %.2f s system\n",
               (double)user / (double)sysconf(_SC_CLK_TCK),
               (double)system / (double)sysconf(_SC_CLK_TCK));
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void bench(void) {
    enum { EVENTS = 400000 };
    struct host host;
    struct broker broker;
    uint64_t first_ns = 0;
    char value[512];

    host_open(&host, program, 256u << 20);
    broker_open(&broker);
    broker_topic(&broker, "price.updates", 4);
    for (int32_t i = 0; i < 4; i++) {
        int index = positions_intern(host.segment.positions, SPAN_LITERAL("price.updates"), i);
        store_relaxed(&host.segment.positions->partitions[index].live_from, 0);
        store_release(&host.segment.positions->partitions[index].next, 0);
    }
    for (unsigned i = 0; i < EVENTS; i++) {
        int length =
            snprintf(value, sizeof(value),
                     "{\"token\":\"T%u\",\"chainId\":%u,\"price\":\"%u.45\",\"priceUsd\":%u.45,"
                     "\"change24h\":1.25,\"volume24h\":410000000,\"timestamp\":%u,\"pad\":\"",
                     i % 20, i % 5, 2000 + i % 300, 2000 + i % 300, 1700000000 + i);
        memset(value + length, 'x', (size_t)(298 - length));
        memcpy(value + 298, "\"}", 3);
        broker_send(&broker, "price.updates", (int32_t)(i % 4), value, 300);
    }
    broker_flush(&broker);
    start(&host, &broker);
    store_release(&host.worker->state, WORKER_ABSENT); /* nobody to wait for */
    while (stat(&host, STAT_RING_RECORDS) < EVENTS) {
        if (first_ns == 0 && stat(&host, STAT_RING_RECORDS) > 0) {
            first_ns = clock_mono_ns();
        }
        (void)poll(NULL, 0, 1);
    }
    double seconds = (double)(clock_mono_ns() - first_ns) / 1e9;
    printf("%d events of 300 bytes into the ring: %.2f s, %.0f a second, %.0f a batch\n", EVENTS,
           seconds, EVENTS / seconds, EVENTS / (double)stat(&host, STAT_RING_PUBLISHES));
    bench_cpu(host.ingest);
    host_stop(&host);
    close_all(&host, &broker);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
#define TEST(name) {#name, name}
        TEST(an_event_arrives_with_its_bytes_and_rooms_and_what_was_there_before_does_not),
        TEST(bad_values_are_counted_and_skipped_and_consumption_goes_on),
        TEST(a_killed_ingest_loses_and_doubles_nothing),
        TEST(it_runs_while_the_broker_is_away_and_catches_up_by_itself),
        TEST(a_topic_that_appears_later_is_consumed_from_its_beginning),
        TEST(a_control_topic_that_may_not_be_read_is_said_and_keeps_the_host_from_catching_up),
        TEST(a_control_topic_that_is_not_there_keeps_nobody_waiting),
        TEST(a_topic_that_becomes_readable_starts_as_if_it_had_been_from_the_first),
        TEST(a_deleted_topic_is_marked_gone_and_continued_when_it_is_back),
        TEST(a_topic_made_anew_while_ingest_is_away_is_noticed_though_it_is_longer),
        TEST(offsets_that_went_back_are_said_counted_and_followed),
        TEST(a_gap_is_counted_offset_by_offset),
        TEST(dev_mode_brings_its_own_broker_and_a_stream_and_survives_a_kill),
#undef TEST
    };
    const char *only = argc > 2 ? argv[2] : "";

    if (argc < 2) {
        fprintf(stderr,
                "usage: ingest_harness PATH-OF-MOONX-INGEST [bench | part of a test's name]\n");
        return 2;
    }
    program = argv[1];
    signal(SIGPIPE, SIG_IGN);
    make_properties();
    atexit(forget_properties);
    if (strcmp(only, "bench") == 0) {
        bench();
        return 0;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(tests); i++) {
        if (strstr(tests[i].name, only) != NULL) {
            uint64_t began_ms = clock_mono_ms();
            tests[i].run();
            printf("ok %s (%" PRIu64 " ms)\n", tests[i].name, clock_mono_ms() - began_ms);
        }
    }
    return 0;
}
