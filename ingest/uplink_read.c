#include "ingest/uplink_read.h"

#include "common/clock.h"
#include "common/log.h"
#include "ingest/event_headers.h"
#include "shm/wake.h"

#include <stdlib.h>

/* A tag names worker and place, and is never 0. */
#define NOBODY             UINTPTR_MAX /* waits for the report */
#define SHOWN              1
#define TAG(worker, place) (1 + (uintptr_t)(worker)*UPLINK_ENTRIES + (place))

static bool read_one(struct uplink_read *read, uint32_t worker);
static int take_on(struct uplink_read *read, uint32_t worker, const struct uplink_taken *taken);
static int hand_over(struct uplink_read *read, const struct uplink_taken *taken, uint64_t host,
                     uintptr_t tag);
static void answer(struct uplink_read *read, uint32_t worker, unsigned place, int error,
                   int32_t partition, int64_t offset);
static void tell(struct uplink_read *read);
static void tell_bad(struct uplink_read *read, uint32_t worker);

int uplink_read_init(struct uplink_read *read, struct kafka_produce *produce,
                     struct host_view *view, const struct heritage *heritage,
                     const struct options *options, const struct once *once,
                     struct kafka_topics *topics) {
    *read = (struct uplink_read){.produce = produce,
                                 .view = view,
                                 .heritage = heritage,
                                 .topics = {[UPLINK_EVENTS] = options->kafka_topic_events,
                                            [UPLINK_CONTROL] = options->kafka_topic_control},
                                 .stats = &view->segment.ingest->stats};
    once_answer_init(&read->firsts, once, topics, options->kafka_topic_events);
    for (uint32_t i = 0; i < view->worker_count; i++) {
        if (view->uplinks[i] == NULL) {
            continue;
        }
        read->takes[i] = malloc(sizeof(*read->takes[i]));
        read->marks[i] = calloc(UPLINK_ENTRIES, sizeof(*read->marks[i]));
        if (read->takes[i] == NULL || read->marks[i] == NULL) {
            return -ENOMEM; /* ingest ends with this: nothing to free */
        }
        uplink_take_init(read->takes[i], view->uplinks[i]);
        read->answered |= 1ull << i; /* perhaps by a predecessor that was killed before it told */
    }
    return 0;
}

bool uplink_read_turn(struct uplink_read *read) {
    bool more = false;

    read->blocked = false;
    for (uint32_t worker = 0; worker < read->view->worker_count; worker++) {
        unsigned count = 0;
        while (count < UPLINK_READ_TURN && !read->blocked && read->takes[worker] != NULL &&
               read_one(read, worker)) {
            count++;
        }
        more |= count == UPLINK_READ_TURN;
    }
    at_once_flush(&read->at_once);
    tell(read);
    return more;
}

void uplink_read_report(struct uplink_read *read, uintptr_t tag, int error, int32_t partition,
                        int64_t offset) {
    uint32_t worker = (uint32_t)((tag - 1) / UPLINK_ENTRIES);
    unsigned place = (unsigned)((tag - 1) % UPLINK_ENTRIES);

    if (tag == NOBODY) {
        return;
    }
    if (error == 0) { /* a control message's mark is its own: it is the first */
        offset = once_answer_offset(&read->firsts, &read->marks[worker][place], partition, offset,
                                    clock_wall_ms());
    }
    answer(read, worker, place, error, partition, offset);
}

/* Wakes the workers whose answers have been written. */
static void tell(struct uplink_read *read) {
    for (uint32_t i = 0; read->answered != 0 && i < read->view->worker_count; i++) {
        if ((read->answered >> i & 1) != 0 && read->view->workers[i] != NULL &&
            wake_worker(read->view->workers[i], read->heritage->wake_fd[i])) {
            stats_add(read->stats, STAT_WAKES, 1);
        }
    }
    read->answered = 0;
}

bool uplink_read_sleep(struct uplink_read *read) {
    for (uint32_t i = 0; i < read->view->worker_count; i++) {
        if (read->takes[i] != NULL && !uplink_take_sleep(read->takes[i], read->blocked)) {
            return false;
        }
    }
    return true;
}

/* False: nothing taken, for now. */
static bool read_one(struct uplink_read *read, uint32_t worker) {
    struct uplink_take *take = read->takes[worker];
    struct uplink_taken taken;
    int result;

    switch (uplink_take_peek(take, &taken)) {
    case UPLINK_NOTHING:
        return false;
    case UPLINK_BAD:
        tell_bad(read, worker);
        return true;
    case UPLINK_ENTRY:
        break;
    }
    result = clock_mono_ns() < taken.deadline_ns ? take_on(read, worker, &taken) : -ETIMEDOUT;
    if (result == -EAGAIN) {
        read->blocked = true;
        return false;
    }
    uplink_take_next(take);
    if (result != 0) {
        answer(read, worker, taken.place, result == SHOWN ? 0 : result, 0, 0);
    }
    return true;
}

/* 0: it is under way; SHOWN: there is nothing to wait for; -EAGAIN: not now; else it failed. */
static int take_on(struct uplink_read *read, uint32_t worker, const struct uplink_taken *taken) {
    if (taken->at_once && !taken->again && at_once_show(&read->at_once, taken)) {
        if ((load_relaxed(&read->view->segment.ingest->flags) & INGEST_KAFKA_UP) != 0) {
            (void)hand_over(read, taken, read->at_once.host, NOBODY);
        }
        return SHOWN;
    }
    uint64_t host = taken->at_once && taken->again ? read->at_once.host : 0;
    int result = hand_over(read, taken, host, TAG(worker, taken->place));

    if (result == 0) {
        read->marks[worker][taken->place] = taken->once;
        stats_add(read->stats, STAT_UPLINK_TAKEN, 1);
    }
    return result;
}

/* `host`: where it is not to be delivered any more. */
static int hand_over(struct uplink_read *read, const struct uplink_taken *taken, uint64_t host,
                     uintptr_t tag) {
    rd_kafka_headers_t *headers = rd_kafka_headers_new(5);
    struct event_headers with = {.has_once = true,
                                 .once = taken->once,
                                 .sender = taken->sender,
                                 .expiry_ms = taken->expiry_ms,
                                 .ephemeral = taken->ephemeral,
                                 .host = host};

    event_headers_write(&with, headers);
    return kafka_produce_send(read->produce, read->topics[taken->target], taken->key, taken->value,
                              headers, tag);
}

static void answer(struct uplink_read *read, uint32_t worker, unsigned place, int error,
                   int32_t partition, int64_t offset) {
    struct uplink_answer outcome = {.error = error, .partition = partition, .offset = offset};

    uplink_take_answer(read->takes[worker], place, &outcome);
    read->answered |= 1ull << worker;
}

static void tell_bad(struct uplink_read *read, uint32_t worker) {
    static struct log_rate rate = {.per_second = 1};

    stats_add(read->stats, STAT_UPLINK_INVALID, 1);
    read->answered |= 1ull << worker;
    if (log_rate_allow(&rate)) {
        log_error("worker %u has handed in what no worker writes: it is broken or taken over%s",
                  worker, rate.left_out);
    }
}
