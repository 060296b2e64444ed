#include "ingest/ingest.h"

#include "common/clock.h"
#include "common/log.h"
#include "ingest/ingest_start.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_MS         100 /* also the backstop: librdkafka wakes once for all that a queue holds */
#define PACED_MS        5   /* nobody tells that a worker's cursor has moved */
#define FINAL_COMMIT_MS 500
#define FINAL_FLUSH_MS  300 /* for what workers have handed in: they are gone before ingest stops */

static volatile sig_atomic_t stop_asked;

static void on_stop(int signal);
static void handle_signals(void);
static void run(struct ingest *ingest);
static bool step_pace(struct ingest *ingest, uint64_t now_ms);
static bool step_uplink(struct ingest *ingest, uint64_t now_ms);
static void tick(struct ingest *ingest, uint64_t now_ms);
static void take_answers(struct ingest *ingest);
static void wait_for_work(struct ingest *ingest, bool paced, int timeout_ms);

void ingest_main(const struct heritage *heritage, const struct options *options, bool dev) {
    static struct ingest ingest; /* parts of it point at each other */
    char error[1024] = "";
    int result;

    handle_signals();
    ingest.options = options;
    ingest.heritage = *heritage;
    ingest.own_broker = dev && options->kafka_brokers[0] == '\0';
    result = ingest_start(&ingest, error, sizeof(error));
    if (result < 0) {
        log_error("%s", error[0] != '\0' ? error : strerror(-result));
        _exit(result == -EINVAL ? 2 : 1);
    }
    run(&ingest);
    kafka_produce_flush(&ingest.produce, FINAL_FLUSH_MS);
    if (ingest.status.up) {
        kafka_commit_final(&ingest.commit, FINAL_COMMIT_MS);
    }
    log_info("stopped");
    _exit(0);
}

/* The supervisor decides when all stop: what a terminal sends to the whole group is not for us. */
static void handle_signals(void) {
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = SIG_IGN};

    for (unsigned i = 0; i < ARRAY_LENGTH(ignored); i++) {
        sigaction(ignored[i], &action, NULL);
    }
    action.sa_handler = on_stop;
    sigaction(SIGTERM, &action, NULL);
}

static void on_stop(int signal) {
    (void)signal;
    stop_asked = 1;
}

static void run(struct ingest *ingest) {
    while (!stop_asked) {
        uint64_t now_ms = clock_mono_ms();
        bool paced = step_pace(ingest, now_ms);
        int timeout_ms = paced ? PACED_MS : TICK_MS;

        if (!paced && kafka_consume_batch(&ingest->consume) == KAFKA_CONSUME_MORE) {
            timeout_ms = 0;
        }
        if (step_uplink(ingest, now_ms)) {
            timeout_ms = 0;
        }
        if (ingest->stream != NULL) {
            int due_ms = dev_stream_tick(ingest->stream, now_ms);
            timeout_ms = due_ms < timeout_ms ? due_ms : timeout_ms;
        }
        if (now_ms - ingest->ticked_ms >= TICK_MS) {
            ingest->ticked_ms = now_ms;
            tick(ingest, now_ms);
        }
        if (timeout_ms > 0) {
            wait_for_work(ingest, paced, timeout_ms);
        }
    }
}

static bool step_pace(struct ingest *ingest, uint64_t now_ms) {
    struct pace *pace = &ingest->pace;
    struct pace_view view = {.head = load_relaxed(&ingest->view.segment.words->published),
                             .capacity = ingest->view.segment.header->ring_capacity,
                             .count = ingest->view.worker_count};
    struct stats *stats = ingest->publish.stats;
    uint64_t episodes = pace->episodes, waited_ms = pace->waited_ms;
    bool was = pace->waiting, paced;

    for (unsigned i = 0; i < view.count; i++) {
        const struct worker_block *worker = ingest->view.workers[i];
        view.serving[i] = worker != NULL && load_acquire(&worker->state) == WORKER_SERVING;
        view.cursors[i] = view.serving[i] ? load_relaxed(&worker->cursor) : 0;
    }
    paced = pace_step(pace, &view, now_ms);
    if (paced != was) {
        kafka_status_paced(&ingest->status, paced);
    }
    stats_add(stats, STAT_PACE_EPISODES, pace->episodes - episodes);
    stats_add(stats, STAT_PACE_MS, pace->waited_ms - waited_ms);
    return paced;
}

/* Paced or not: what clients publish goes on. True: there is more. */
static bool step_uplink(struct ingest *ingest, uint64_t now_ms) {
    kafka_produce_poll(&ingest->produce, now_ms);
    return uplink_read_turn(&ingest->uplink);
}

static void tick(struct ingest *ingest, uint64_t now_ms) {
    uint32_t level = load_relaxed(&ingest->view.host->log_level);

    store_release(&ingest->view.segment.ingest->heartbeat_ns, clock_mono_ns());
    if (level != 0) {
        log_set_level((enum log_level)(level - 1));
    }
    take_answers(ingest);
    kafka_assign_tick(&ingest->assign, now_ms);
    kafka_progress_tick(&ingest->progress, &ingest->assign, now_ms);
    if (!kafka_status_is_caught_up(&ingest->status)) {
        history_refill_tick(&ingest->refill);
    }
    if (ingest->status.up) {
        kafka_recheck_tick(&ingest->recheck, now_ms);
    }
}

static void take_answers(struct ingest *ingest) {
    struct kafka_answer *answer;

    while ((answer = kafka_watch_take(ingest->watch)) != NULL) {
        if (answer->question == KAFKA_QUESTION_COMMITTED) {
            kafka_recheck_on_answer(&ingest->recheck, answer, clock_mono_ms());
        } else {
            kafka_assign_on_answer(&ingest->assign, answer);
        }
        kafka_watch_free_answer(answer);
    }
}

static void drain(int fd) {
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
}

/* The consumer's queue comes last, so that it can be left out while paced. */
static void wait_for_work(struct ingest *ingest, bool paced, int timeout_ms) {
    struct pollfd fds[] = {
        {.fd = kafka_watch_fd(ingest->watch), .events = POLLIN},
        {.fd = ingest->heritage.uplink_wake_fd, .events = POLLIN},
        {.fd = ingest->produce.wake_fd, .events = POLLIN},
        {.fd = ingest->consume.wake_fd, .events = POLLIN},
    };
    nfds_t count = ARRAY_LENGTH(fds) - (paced ? 1 : 0);

    if (!uplink_read_sleep(&ingest->uplink) || poll(fds, count, timeout_ms) <= 0) {
        return; /* there is work, time is up, or a signal */
    }
    if (fds[0].revents != 0) {
        take_answers(ingest);
        kafka_assign_tick(&ingest->assign, clock_mono_ms());
    }
    for (nfds_t i = 1; i < count; i++) {
        if (fds[i].revents != 0) {
            drain(fds[i].fd);
        }
    }
}
