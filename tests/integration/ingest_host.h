/* What a supervisor would give ingest, made by hand: segment, host block, one worker's block and bell, and the
 * heritage that names them; plus a broker (librdkafka's mock cluster in this process) and a producer. The test
 * is the worker: it serves, sleeps, is woken, and reads the ring. Header only; one test program at a time. */
#ifndef MOONX_TESTS_INGEST_HOST_H
#define MOONX_TESTS_INGEST_HOST_H

#include "common/clock.h"
#include "common/heritage.h"
#include "shm/host_block.h"
#include "shm/positions.h"
#include "shm/ring_read.h"
#include "shm/wake.h"

#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_PATIENCE_MS 60000 /* for what never comes */
#define HOST_STOP_MS                                                                               \
    10000 /* a second is promised, of a machine that is not busy with other tests */

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            host_give_up();                                                                        \
        }                                                                                          \
    } while (0)

struct host {
    const char *program;
    int segment_fd, host_fd, worker_fd, bell, uplink_bell;
    struct segment segment;
    struct worker_block *worker;
    struct ring_read reader;
    pid_t ingest;
    int log_fd; /* what ingest writes to its standard error */
};

struct broker {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    char address[128];
};

static pid_t host_running; /* ended with the test, however it ends */

_Noreturn static inline void host_give_up(void) {
    if (host_running > 0) {
        kill(host_running, SIGKILL);
    }
    exit(1);
}

static inline void host_open(struct host *host, const char *program, uint64_t ring_bytes) {
    *host = (struct host){.program = program, .ingest = -1, .log_fd = -1};
    CHECK(segment_create(ring_bytes, 0, &host->segment_fd) == 0, "segment");
    CHECK(segment_map(host->segment_fd, true, &host->segment) == 0, "map");
    CHECK(host_block_create(&host->host_fd) == 0, "host block");
    CHECK(worker_block_create(&host->worker_fd) == 0, "worker block");
    CHECK(worker_block_map(host->worker_fd, true, &host->worker) == 0, "map worker block");
    host->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host->uplink_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(host->bell >= 0 && host->uplink_bell >= 0, "eventfd");
    for (unsigned i = 0; i < ARRAY_LENGTH(host->worker->interest); i++) {
        store_relaxed(&host->worker->interest[i], UINT64_MAX);
    }
    store_release(&host->worker->state, WORKER_SERVING);
    CHECK(ring_read_init(&host->reader, &host->segment) == 0, "reader");
}

static inline int host_heritage(const struct host *host) {
    struct heritage heritage = {.magic = HERITAGE_MAGIC,
                                .version = HERITAGE_VERSION,
                                .limit_fd = -1,
                                .admin_fd = -1,
                                .revocation_fd = -1,
                                .config_fd = -1,
                                .once_fd = -1,
                                .size = sizeof(heritage),
                                .role = HERITAGE_INGEST,
                                .worker_count = 1,
                                .run_as_uid = getuid(),
                                .run_as_gid = getgid(),
                                .segment_fd = host->segment_fd,
                                .host_fd = host->host_fd};
    int fd = memfd_create("heritage", MFD_ALLOW_SEALING);
    for (unsigned i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        heritage.worker_fd[i] = heritage.wake_fd[i] = heritage.listen_fd[i] = -1;
        heritage.uplink_fd[i] = -1;
    }
    heritage.worker_fd[0] = host->worker_fd;
    heritage.wake_fd[0] = host->bell;
    heritage.uplink_wake_fd = host->uplink_bell;
    CHECK(fd >= 0 && write(fd, &heritage, sizeof(heritage)) == sizeof(heritage), "heritage");
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0, "seal");
    return fd;
}

/* In the child, between fork and exec. */
static inline void host_keep(int fd) {
    fcntl(fd, F_SETFD, 0);
}

/* arguments: NULL at the end, without the program's name. */
static inline void host_start(struct host *host, char *const *arguments) {
    int heritage = host_heritage(host), ends[2];
    char name[] = "moonx-ingest", *argv[32] = {name};
    char text[16];

    for (unsigned i = 0; arguments[i] != NULL && i < 30; i++) {
        argv[i + 1] = arguments[i];
    }
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
    snprintf(text, sizeof(text), "%d", heritage);
    host->ingest = fork();
    if (host->ingest == 0) {
        setenv(HERITAGE_ENVIRONMENT, text, 1);
        host_keep(heritage);
        host_keep(host->segment_fd);
        host_keep(host->host_fd);
        host_keep(host->worker_fd);
        host_keep(host->bell);
        host_keep(host->uplink_bell);
        dup2(ends[1], STDERR_FILENO);
        execv(host->program, argv);
        _exit(127);
    }
    CHECK(host->ingest > 0, "fork");
    host_running = host->ingest;
    close(ends[1]);
    close(heritage);
    if (host->log_fd >= 0) {
        close(host->log_fd);
    }
    host->log_fd = ends[0];
}

/* Exit status, or -signal. */
static inline int host_wait(struct host *host) {
    int status = 0;

    CHECK(waitpid(host->ingest, &status, 0) == host->ingest, "waitpid");
    host->ingest = -1;
    host_running = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What ingest has logged until now; the caller frees. */
static inline char *host_log(struct host *host) {
    size_t length = 0;
    char *text = calloc(1, 1 << 20);
    ssize_t got;

    while (length + 1 < 1 << 20 &&
           (got = read(host->log_fd, text + length, (1 << 20) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    return text;
}

static inline void host_kill(struct host *host) {
    kill(host->ingest, SIGKILL);
    CHECK(host_wait(host) == -SIGKILL, "killed");
}

static inline void host_stop(struct host *host) {
    uint64_t began_ms = clock_mono_ms();

    kill(host->ingest, SIGTERM);
    CHECK(host_wait(host) == 0, "stops with status 0");
    CHECK(clock_mono_ms() - began_ms < HOST_STOP_MS, "in time, took %llu ms",
          (unsigned long long)(clock_mono_ms() - began_ms));
}

static inline bool host_has_flag(const struct host *host, uint32_t flag) {
    return (load_acquire(&host->segment.ingest->flags) & flag) != 0;
}

static inline void host_await_flag(struct host *host, uint32_t flag, bool wanted) {
    uint64_t until_ms = clock_mono_ms() + HOST_PATIENCE_MS;

    while (host_has_flag(host, flag) != wanted) {
        if (clock_mono_ms() > until_ms) {
            fputs(host_log(host), stderr);
            CHECK(false, "flag %u becomes %d", flag, wanted);
        }
        (void)poll(NULL, 0, 5);
    }
}

static inline void host_await_stat(struct host *host, enum stat_id id, uint64_t least) {
    uint64_t until_ms = clock_mono_ms() + HOST_PATIENCE_MS;

    while (stats_get(&host->segment.ingest->stats, id) < least) {
        CHECK(clock_mono_ms() < until_ms, "counter %d reaches %llu, stands at %llu", (int)id,
              (unsigned long long)least,
              (unsigned long long)stats_get(&host->segment.ingest->stats, id));
        (void)poll(NULL, 0, 2);
    }
}

/* The next record, slept for as a worker does; NULL when nothing came in that time. */
static inline const struct record *host_read(struct host *host, int timeout_ms) {
    uint64_t until_ms = clock_mono_ms() + (uint64_t)timeout_ms, skipped = 0;
    const struct record *record = NULL;
    bool woken = true;

    for (;;) {
        int result = ring_read_next(&host->reader, &record, &skipped);
        store_release(&host->worker->cursor, host->reader.cursor);
        if (result == RING_OK) {
            CHECK(woken || timeout_ms < HOST_PATIENCE_MS, "a record came and woke nobody");
            return record;
        }
        CHECK(result == RING_EMPTY, "the reader is lapped or the ring damaged: %d", result);
        if (clock_mono_ms() >= until_ms) {
            return NULL;
        }
        if (wake_prepare_sleep(host->worker, &host->segment.words->published,
                               host->reader.cursor)) {
            struct pollfd fd = {.fd = host->bell, .events = POLLIN};
            /* No backstop: a wake-up that is lost fails the test. */
            woken = poll(&fd, 1, (int)(until_ms - clock_mono_ms())) == 1;
        }
        wake_awake(host->worker);
        wake_drain(host->bell);
    }
}

static inline void host_close(struct host *host) {
    ring_read_done(&host->reader);
    segment_unmap(&host->segment);
    worker_block_unmap(host->worker);
    close(host->segment_fd);
    close(host->host_fd);
    close(host->worker_fd);
    close(host->bell);
    close(host->uplink_bell);
    close(host->log_fd);
}

static inline void broker_set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    CHECK(rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK, "%s", why);
}

static inline void broker_open(struct broker *broker) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    broker_set(conf, "test.mock.num.brokers", "1");
    broker_set(conf, "linger.ms", "5");
    broker_set(conf, "compression.type", "lz4");
    broker_set(conf, "message.max.bytes", "20000000");
    broker_set(conf, "queue.buffering.max.messages", "2000000");
    rd_kafka_conf_set_log_cb(conf, NULL);
    broker->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    CHECK(broker->producer != NULL, "%s", why);
    broker->cluster = rd_kafka_handle_mock_cluster(broker->producer);
    snprintf(broker->address, sizeof(broker->address), "%s",
             rd_kafka_mock_cluster_bootstraps(broker->cluster));
}

static inline void broker_topic(struct broker *broker, const char *topic, int partitions) {
    CHECK(rd_kafka_mock_topic_create(broker->cluster, topic, partitions, 1) == 0, "%s", topic);
}

/* value NULL: a tombstone. */
static inline void broker_send(struct broker *broker, const char *topic, int32_t partition,
                               const void *value, size_t length) {
    rd_kafka_resp_err_t error = rd_kafka_producev(
        broker->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, length),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    CHECK(error == 0, "%s", rd_kafka_err2str(error));
    rd_kafka_poll(broker->producer, 0);
}

static inline void broker_text(struct broker *broker, const char *topic, int32_t partition,
                               const char *text) {
    broker_send(broker, topic, partition, text, strlen(text));
}

static inline void broker_flush(struct broker *broker) {
    CHECK(rd_kafka_flush(broker->producer, HOST_PATIENCE_MS) == 0, "flush");
}

static inline void broker_close(struct broker *broker) {
    rd_kafka_destroy(broker->producer);
}

#endif
