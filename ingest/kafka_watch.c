#include "ingest/kafka_watch.h"

#include "common/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* The protocol's "time" of the oldest and of the next offset. */
#define TIME_OLDEST (-2)
#define TIME_END    (-1)

struct question {
    enum kafka_question kind;
    rd_kafka_topic_partition_list_t *partitions;
    bool by_time;
};

struct kafka_watch {
    rd_kafka_t *handle;
    int fd;
    unsigned interval_ms;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    uint64_t topics_due_ms;
    struct question open;               /* partitions NULL: none is */
    struct kafka_answer *first, **last; /* answers not yet taken */
};

static void *run(void *argument);
static struct question wait_for_work(struct kafka_watch *watch, bool *topics);
static void wait_until(struct kafka_watch *watch, uint64_t mono_ms);
static void ask_topics(struct kafka_watch *watch);
static void ask_watermarks(struct kafka_watch *watch, const struct question *question);
static void ask_end(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *partitions, int64_t end);
static void ask_times(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *partitions);
static void hand_over(struct kafka_watch *watch, struct kafka_answer *answer);
static void ask_committed(struct kafka_watch *watch, rd_kafka_topic_partition_list_t *partitions);
static struct kafka_answer *answer_new(enum kafka_question question);
static int start_thread(struct kafka_watch *watch);
static unsigned interval_of(rd_kafka_t *handle);

int kafka_watch_start(rd_kafka_t *handle, struct kafka_watch **out) {
    struct kafka_watch *watch = calloc(1, sizeof(*watch));
    pthread_condattr_t attributes;
    int result;

    if (watch == NULL) {
        return -ENOMEM;
    }
    watch->handle = handle;
    watch->interval_ms = interval_of(handle);
    watch->last = &watch->first;
    watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->fd < 0) {
        result = -errno;
        free(watch);
        return result;
    }
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watch->mutex, NULL);
    result = start_thread(watch);
    if (result < 0) {
        close(watch->fd);
        free(watch);
        return result;
    }
    *out = watch;
    return 0;
}

int kafka_watch_fd(const struct kafka_watch *watch) {
    return watch->fd;
}

void kafka_watch_hurry(struct kafka_watch *watch) {
    uint64_t soon = clock_mono_ms() + KAFKA_WATCH_HURRY_MS;

    pthread_mutex_lock(&watch->mutex);
    if (watch->topics_due_ms > soon) {
        watch->topics_due_ms = soon;
        pthread_cond_signal(&watch->changed);
    }
    pthread_mutex_unlock(&watch->mutex);
}

void kafka_watch_ask(struct kafka_watch *watch, enum kafka_question question,
                     rd_kafka_topic_partition_list_t *partitions, bool by_time) {
    pthread_mutex_lock(&watch->mutex);
    assert(watch->open.partitions == NULL);
    watch->open = (struct question){question, partitions, by_time};
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

struct kafka_answer *kafka_watch_take(struct kafka_watch *watch) {
    struct kafka_answer *answer;
    uint64_t count;

    (void)!read(watch->fd, &count,
                sizeof(count)); /* before the look: a later answer writes it again */
    pthread_mutex_lock(&watch->mutex);
    answer = watch->first;
    if (answer != NULL) {
        watch->first = answer->next;
        if (watch->first == NULL) {
            watch->last = &watch->first;
        }
        answer->next = NULL;
    }
    pthread_mutex_unlock(&watch->mutex);
    return answer;
}

void kafka_watch_free_answer(struct kafka_answer *answer) {
    if (answer == NULL) {
        return;
    }
    if (answer->metadata != NULL) {
        rd_kafka_metadata_destroy(answer->metadata);
    }
    rd_kafka_topic_partition_list_t *lists[] = {answer->lows, answer->sinces, answer->highs,
                                                answer->committed};
    for (unsigned i = 0; i < ARRAY_LENGTH(lists); i++) {
        if (lists[i] != NULL) {
            rd_kafka_topic_partition_list_destroy(lists[i]);
        }
    }
    free(answer);
}

/* The operator's, if it is the shorter one. */
static unsigned interval_of(rd_kafka_t *handle) {
    char text[32];
    size_t size = sizeof(text);
    long interval_ms = KAFKA_WATCH_INTERVAL_MS;

    if (rd_kafka_conf_get(rd_kafka_conf(handle), "topic.metadata.refresh.interval.ms", text,
                          &size) == RD_KAFKA_CONF_OK) {
        interval_ms = strtol(text, NULL, 10);
    }
    if (interval_ms < KAFKA_WATCH_HURRY_MS || interval_ms > KAFKA_WATCH_INTERVAL_MS) {
        return interval_ms > 0 && interval_ms < KAFKA_WATCH_HURRY_MS ? KAFKA_WATCH_HURRY_MS
                                                                     : KAFKA_WATCH_INTERVAL_MS;
    }
    return (unsigned)interval_ms;
}

/* Signals are the main thread's. */
static int start_thread(struct kafka_watch *watch) {
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&watch->thread, NULL, run, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static void *run(void *argument) {
    struct kafka_watch *watch = argument;

    for (;;) {
        bool topics;
        struct question question = wait_for_work(watch, &topics);
        if (question.partitions != NULL && question.kind == KAFKA_QUESTION_COMMITTED) {
            ask_committed(watch, question.partitions);
        } else if (question.partitions != NULL) {
            ask_watermarks(watch, &question);
        }
        if (topics) {
            ask_topics(watch);
        }
    }
    return NULL;
}

static struct question wait_for_work(struct kafka_watch *watch, bool *topics) {
    struct question question;

    pthread_mutex_lock(&watch->mutex);
    while (watch->open.partitions == NULL && clock_mono_ms() < watch->topics_due_ms) {
        wait_until(watch, watch->topics_due_ms);
    }
    question = watch->open;
    watch->open.partitions = NULL;
    *topics = clock_mono_ms() >= watch->topics_due_ms;
    pthread_mutex_unlock(&watch->mutex);
    return question;
}

static void wait_until(struct kafka_watch *watch, uint64_t mono_ms) {
    struct timespec when = {.tv_sec = (time_t)(mono_ms / 1000),
                            .tv_nsec = (long)(mono_ms % 1000) * 1000000};

    pthread_cond_timedwait(&watch->changed, &watch->mutex, &when);
}

static void ask_topics(struct kafka_watch *watch) {
    struct kafka_answer *answer = answer_new(KAFKA_QUESTION_TOPICS);

    answer->error =
        rd_kafka_metadata(watch->handle, 0, NULL, &answer->metadata, KAFKA_WATCH_TIMEOUT_MS);
    if (answer->error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        answer->metadata = NULL;
    }
    pthread_mutex_lock(&watch->mutex);
    watch->topics_due_ms =
        clock_mono_ms() + (answer->metadata != NULL ? watch->interval_ms : KAFKA_WATCH_HURRY_MS);
    pthread_mutex_unlock(&watch->mutex);
    hand_over(watch, answer);
}

static void ask_watermarks(struct kafka_watch *watch, const struct question *question) {
    struct kafka_answer *answer = answer_new(KAFKA_QUESTION_WATERMARKS);

    answer->lows = question->partitions;
    answer->highs = rd_kafka_topic_partition_list_copy(question->partitions);
    if (question->by_time) {
        answer->sinces = rd_kafka_topic_partition_list_copy(question->partitions);
        ask_times(watch->handle, answer->sinces);
    }
    /* Low before high: between the two, low may pass by, but never beyond the high asked for later. */
    ask_end(watch->handle, answer->lows, TIME_OLDEST);
    ask_end(watch->handle, answer->highs, TIME_END);
    hand_over(watch, answer);
}

static void ask_committed(struct kafka_watch *watch, rd_kafka_topic_partition_list_t *partitions) {
    struct kafka_answer *answer = answer_new(KAFKA_QUESTION_COMMITTED);

    answer->committed = partitions;
    answer->error = rd_kafka_committed(watch->handle, partitions, KAFKA_WATCH_TIMEOUT_MS);
    hand_over(watch, answer);
}

static void ask_end(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *partitions, int64_t end) {
    for (int i = 0; i < partitions->cnt; i++) {
        partitions->elems[i].offset = end;
    }
    ask_times(handle, partitions);
}

/* An error of the whole question becomes one of each partition. */
static void ask_times(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *partitions) {
    rd_kafka_resp_err_t error =
        rd_kafka_offsets_for_times(handle, partitions, KAFKA_WATCH_TIMEOUT_MS);

    for (int i = 0; error != RD_KAFKA_RESP_ERR_NO_ERROR && i < partitions->cnt; i++) {
        partitions->elems[i].err = error;
    }
}

static void hand_over(struct kafka_watch *watch, struct kafka_answer *answer) {
    const uint64_t one = 1;

    pthread_mutex_lock(&watch->mutex);
    *watch->last = answer;
    watch->last = &answer->next;
    pthread_mutex_unlock(&watch->mutex);
    (void)!write(watch->fd, &one, sizeof(one));
}

/* Without memory for this there is nothing sensible left to do: try again until there is. */
static struct kafka_answer *answer_new(enum kafka_question question) {
    struct kafka_answer *answer = calloc(1, sizeof(*answer));

    while (answer == NULL) {
        sleep(1);
        answer = calloc(1, sizeof(*answer));
    }
    answer->question = question;
    return answer;
}
