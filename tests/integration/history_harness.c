/* The history refill as it lies in the ring, record by record, on a real Kafka (the mock can't look up by time).
 *   history_harness PATH-OF-MOONX-INGEST BROKERS
 * Topics price.updates (2 partitions) and order.updates (1) must be there and empty. What is sent is stamped with
 * times of the past, so nothing waits. */
#include "tests/integration/ingest_host.h"

#include <inttypes.h>

#define OLD     1000  /* messages of an hour ago, in each partition */
#define RECENT  30000 /* of the last minutes, in each partition of price.updates */
#define QUIET   40    /* likewise in order.updates */
#define KILLS   5
#define ORDERS  2 /* index of order.updates:0 below */
#define LOOK_MS 2

static const char *program, *brokers;
static int64_t end_of[3]; /* price.updates:0, price.updates:1, order.updates:0 */

static rd_kafka_t *producer_open(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_t *producer;

    broker_set(conf, "bootstrap.servers", brokers);
    broker_set(conf, "enable.idempotence", "true");
    broker_set(conf, "linger.ms", "5");
    broker_set(conf, "queue.buffering.max.messages", "1000000");
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    CHECK(producer != NULL, "%s", why);
    return producer;
}

static const char *topic_of(unsigned which) {
    return which == ORDERS ? "order.updates" : "price.updates";
}

static int32_t number_of(unsigned which) {
    return which == ORDERS ? 0 : (int32_t)which;
}

static void produce(rd_kafka_t *producer, unsigned which, int count, int64_t age_ms) {
    for (int i = 0; i < count; i++) {
        char value[512];
        int length =
            which == ORDERS
                ? snprintf(value, sizeof(value), "{\"orderId\":\"o-%d\",\"userId\":\"u\"}", i)
                : snprintf(value, sizeof(value),
                           "{\"token\":\"T%d\",\"chainId\":1,\"price\":\"%d\",\"pad\":\"%0200d\"}",
                           i % 100, i, i);
        rd_kafka_resp_err_t error = rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC(topic_of(which)), RD_KAFKA_V_PARTITION(number_of(which)),
            RD_KAFKA_V_VALUE(value, (size_t)length), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_TIMESTAMP(clock_wall_ms() - age_ms), RD_KAFKA_V_END);
        CHECK(error == 0, "%s", rd_kafka_err2str(error));
        rd_kafka_poll(producer, 0);
    }
    CHECK(rd_kafka_flush(producer, HOST_PATIENCE_MS) == 0, "flush");
    end_of[which] += count;
}

static void start(struct host *host, const char *history_seconds) {
    char kafka[200], seconds[64], format[] = "--log-format=text";
    char *const arguments[] = {kafka, seconds, format, NULL};

    snprintf(kafka, sizeof(kafka), "--kafka=%s", brokers);
    snprintf(seconds, sizeof(seconds), "--history-seconds=%s", history_seconds);
    host_start(host, arguments);
}

static struct position *position_of(const struct host *host, unsigned which) {
    int index = positions_find(host->segment.positions, span_of(topic_of(which)), number_of(which));
    CHECK(index >= 0, "%s:%d is known", topic_of(which), number_of(which));
    return &host->segment.positions->partitions[index];
}

static unsigned which_of(const struct host *host, const struct record *record) {
    const struct position *position = &host->segment.positions->partitions[record->partition];
    struct span topic = positions_topic_name(host->segment.positions, record->partition);
    return span_is(topic, "order.updates") ? ORDERS : (unsigned)position->number;
}

/* Offsets rise by one, history lies below live_from and nothing else does. */
static void check_record(const struct host *host, const struct record *record, int64_t *next) {
    unsigned which = which_of(host, record);
    int64_t live_from = (int64_t)load_relaxed(&position_of(host, which)->live_from);

    CHECK(next[which] < 0 || record->offset == next[which],
          "%s:%d offset %" PRId64 " after %" PRId64, topic_of(which), number_of(which),
          record->offset, next[which] - 1);
    CHECK(record->kind == (record->offset < live_from ? RECORD_HISTORY : RECORD_EVENT),
          "offset %" PRId64 " is of kind %u, live from %" PRId64, record->offset, record->kind,
          live_from);
    next[which] = record->offset + 1;
}

static bool all_read(const int64_t *next) {
    for (unsigned which = 0; which < ARRAY_LENGTH(end_of); which++) {
        if (next[which] != end_of[which]) {
            return false;
        }
    }
    return true;
}

/* History wakes nobody, so it is looked for. */
static const struct record *read_history(struct host *host) {
    uint64_t until_ms = clock_mono_ms() + HOST_PATIENCE_MS;
    const struct record *record;

    do {
        record = host_read(host, LOOK_MS);
    } while (record == NULL && clock_mono_ms() < until_ms);
    return record;
}

static void the_last_minutes_come_as_history_and_what_follows_is_live(rd_kafka_t *producer) {
    struct host host;
    int64_t next[] = {OLD, OLD, OLD}, live[] = {end_of[0], end_of[1], end_of[2]};

    host_open(&host, program, 64 << 20);
    start(&host, "300");
    while (!all_read(next)) {
        const struct record *record = read_history(&host);
        CHECK(record != NULL, "price %" PRId64 " %" PRId64 " order %" PRId64, next[0], next[1],
              next[2]);
        check_record(&host, record, next);
    }
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    CHECK(stats_get(&host.segment.ingest->stats, STAT_HISTORY_RECORDS) == 2 * RECENT + QUIET,
          "records of history");
    for (unsigned which = 0; which < ARRAY_LENGTH(end_of); which++) {
        produce(producer, which, 1, 0);
        const struct record *record = host_read(&host, HOST_PATIENCE_MS);
        CHECK(record != NULL && record->kind == RECORD_EVENT, "a live event");
        check_record(&host, record, next);
        CHECK(load_relaxed(&position_of(&host, which)->live_from) == (uint64_t)live[which],
              "fixed");
        CHECK(load_relaxed(&position_of(&host, which)->whole_from) == OLD, "whole");
    }
    host_stop(&host);
    host_close(&host);
}

/* Sooner than anybody could read it: the whole refill takes a fraction of a second. False: that was over already. */
static bool kill_when_published(struct host *host, uint64_t bytes) {
    uint64_t until_ms = clock_mono_ms() + HOST_PATIENCE_MS;

    while (load_relaxed(&host->segment.words->published) < bytes) {
        CHECK(clock_mono_ms() < until_ms, "%" PRIu64 " bytes are published", bytes);
    }
    host_kill(host);
    return !host_has_flag(host, INGEST_CAUGHT_UP);
}

/* Killed at several points of the refill while events go on: the successors' records join on without loss or
 * double, and what is live from the first moment on stays live. How many kills were in the middle. */
static unsigned kill_again_and_again(rd_kafka_t *producer) {
    struct host host;
    int64_t next[] = {OLD, OLD, OLD}, live = end_of[0];
    unsigned in_the_middle = 0;

    host_open(&host, program, 64 << 20);
    for (unsigned kill = 0; kill < KILLS; kill++) {
        start(&host, "300");
        in_the_middle += kill_when_published(&host, (uint64_t)(kill + 1) << 20);
        produce(producer, 0, 10, 0);
    }
    start(&host, "300");
    while (!all_read(next)) {
        const struct record *record = read_history(&host);
        CHECK(record != NULL, "price %" PRId64 " %" PRId64, next[0], next[1]);
        check_record(&host, record, next);
    }
    CHECK(load_relaxed(&position_of(&host, 0)->live_from) == (uint64_t)live, "live_from is fixed");
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    host_stop(&host);
    host_close(&host);
    return in_the_middle;
}

/* On a machine that lets this process wait for too long a refill may be over before the kill: then with a new ring. */
static void a_refill_that_is_killed_again_and_again_goes_on_where_it_was(rd_kafka_t *producer) {
    unsigned in_the_middle = 0;

    for (unsigned rings = 0; in_the_middle < KILLS; rings++) {
        CHECK(rings < 4 * KILLS, "%u kills in the middle of a refill", in_the_middle);
        in_the_middle += kill_again_and_again(producer);
    }
}

/* The ring keeps its newest stretch of the loud topic and all of the quiet one, and never laps itself. */
static void a_ring_too_small_gets_the_newest_part_of_what_it_can_hold(void) {
    struct host host;
    int64_t next[] = {-1, -1, -1};
    uint64_t whole, skipped;
    char *log;

    host_open(&host, program, 4 << 20);
    start(&host, "300");
    for (;;) {
        const struct record *record = host_read(&host, 200);
        if (record == NULL && host_has_flag(&host, INGEST_CAUGHT_UP)) {
            break;
        }
        if (record == NULL) {
            continue;
        }
        unsigned which = which_of(&host, record);
        if (next[which] >= 0 && record->offset > next[which]) {
            next[which] = -1; /* left out: only ever forwards */
        }
        check_record(&host, record, next);
    }
    whole = load_relaxed(&position_of(&host, 0)->whole_from);
    skipped = stats_get(&host.segment.ingest->stats, STAT_HISTORY_SKIPPED);
    CHECK(all_read(next), "up to the end");
    CHECK(load_relaxed(&host.segment.words->published) <= 4 << 20, "%" PRIu64 " bytes in the ring",
          load_relaxed(&host.segment.words->published));
    CHECK(load_relaxed(&host.segment.words->published) > 1 << 20, "hardly anything in the ring");
    CHECK(whole > OLD && whole < (uint64_t)end_of[0], "whole from %" PRIu64, whole);
    CHECK(load_relaxed(&position_of(&host, ORDERS)->whole_from) == OLD, "all of the quiet topic");
    CHECK(skipped > RECENT, "%" PRIu64 " skipped", skipped);
    log = host_log(&host);
    CHECK(strstr(log, "do not fit into RING_BYTES") != NULL, "%s", log);
    free(log);
    host_stop(&host);
    host_close(&host);
}

static void no_seconds_of_history_start_at_the_end(rd_kafka_t *producer) {
    struct host host;
    const struct record *record;

    host_open(&host, program, 4 << 20);
    start(&host, "0");
    host_await_flag(&host, INGEST_CAUGHT_UP, true);
    produce(producer, ORDERS, 1, 0);
    record = host_read(&host, HOST_PATIENCE_MS);
    CHECK(record != NULL && record->kind == RECORD_EVENT && record->offset == end_of[ORDERS] - 1,
          "the first record is the live one");
    host_stop(&host);
    host_close(&host);
}

int main(int argc, char **argv) {
    rd_kafka_t *producer;

    CHECK(argc == 3, "history_harness PATH-OF-MOONX-INGEST BROKERS");
    program = argv[1];
    brokers = argv[2];
    producer = producer_open();
    for (unsigned which = 0; which < ARRAY_LENGTH(end_of); which++) {
        produce(producer, which, OLD, 3600000);
        produce(producer, which, which == ORDERS ? QUIET : RECENT, 60000);
    }
    the_last_minutes_come_as_history_and_what_follows_is_live(producer);
    a_refill_that_is_killed_again_and_again_goes_on_where_it_was(producer);
    a_ring_too_small_gets_the_newest_part_of_what_it_can_hold();
    no_seconds_of_history_start_at_the_end(producer);
    rd_kafka_destroy(producer);
    printf("4 tests of the history refill passed\n");
    return 0;
}
