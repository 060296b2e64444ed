#include "gateway/external/enrich.h"

#include "common/backoff.h"
#include "common/breaker.h"
#include "common/clock.h"
#include "common/http_client.h"
#include "common/log.h"
#include "gateway/external/enrich_answer.h"
#include "shm/stats.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 1000
#define BREAKER_MOST_MS  15000
#define PAUSE_FIRST_MS   50
#define PAUSE_MOST_MS    1000
#define QUERY_BYTES      512 /* a user id has 114 bytes at most, three for one */

struct question {
    LIST_ENTRY(question) link;
    struct enrich *enrich;
    enrich_done *done; /* NULL: told */
    void *context;
    struct event *timer; /* the next attempt, or the end */
    uint64_t until_ms;
    struct backoff pause;
    unsigned retries_left;
    bool asked; /* an answer will come, even to one that has been told */
    size_t length;
    char query[QUERY_BYTES];
};

struct enrich {
    const char *url;
    uint32_t timeout_ms;
    unsigned retries;
    struct http_client *client;
    struct event_base *base;
    struct stats *stats;
    struct breaker breaker;
    LIST_HEAD(, question) questions;
    unsigned count;
};

static struct question *question_new(struct enrich *enrich, struct span user_id, struct span type);
static void question_free(struct question *question);
static bool attempt(struct question *question);
static void on_answer(void *context, const struct http_answer *answer);
static const char *fault_of(const struct http_answer *answer, enum enrich_verdict verdict);
static bool try_again(struct question *question);
static void on_timer(evutil_socket_t fd, short what, void *context);
static void wake_in(const struct question *question, uint64_t in_ms);
static void tell(struct question *question, struct span metadata);
static void miss(struct question *question);
static void report(struct enrich *enrich, const char *fault);
static void unasked(struct enrich *enrich);

int enrich_new(const struct external_settings *settings, struct event_base *base,
               struct stats *stats, struct enrich **out) {
    struct enrich *enrich = calloc(1, sizeof(*enrich));
    int error;

    if (enrich == NULL) {
        return -ENOMEM;
    }
    error = http_client_new(base, settings->tls, settings->url, "/notifications/enrich",
                            settings->timeout_ms, &enrich->client);
    if (error != 0) {
        free(enrich);
        return error;
    }
    http_client_authorize(enrich->client, settings->key);
    enrich->url = settings->url;
    enrich->timeout_ms = settings->timeout_ms;
    enrich->retries = settings->retries;
    enrich->base = base;
    enrich->stats = stats;
    enrich->breaker = (struct breaker){.most_failures = BREAKER_FAILURES,
                                       .cool_first_ms = BREAKER_FIRST_MS,
                                       .cool_most_ms = BREAKER_MOST_MS};
    LIST_INIT(&enrich->questions);
    *out = enrich;
    return 0;
}

void enrich_free(struct enrich *enrich) {
    struct question *question;

    if (enrich == NULL) {
        return;
    }
    http_client_free(enrich->client); /* ends those that wait for an answer */
    while ((question = LIST_FIRST(&enrich->questions)) != NULL) {
        /* it takes itself off the list: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        miss(question);
    }
    free(enrich);
}

int enrich_ask(struct enrich *enrich, struct span user_id, struct span type, enrich_done *done,
               void *context) {
    struct question *question =
        enrich->count < ENRICH_MOST ? question_new(enrich, user_id, type) : NULL;
    int error = enrich->count < ENRICH_MOST ? -ENOMEM : -EAGAIN;

    if (question != NULL && attempt(question)) {
        question->done = done;
        question->context = context;
        return 0;
    }
    if (question != NULL) {
        question_free(question);
        error = -EAGAIN;
    }
    stats_add(enrich->stats, STAT_EXTERNAL_MISSED, 1);
    return error;
}

static size_t encode(struct span text, char *at, const char *end) {
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";
    const char *begin = at;

    for (size_t i = 0; i < text.length && end - at > 3; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte != '\0' && strchr(unreserved, byte) != NULL) {
            *at++ = (char)byte;
        } else {
            at += snprintf(at, (size_t)(end - at), "%%%02X", byte);
        }
    }
    return (size_t)(at - begin);
}

long enrich_query(struct span user_id, struct span type, char *buffer, size_t size) {
    static const char first[] = "?userId=", second[] = "&type=";
    const char *end = buffer + size;
    char *at = buffer;

    if (size < sizeof(first) + sizeof(second) + 3 * (user_id.length + type.length)) {
        return -ENOSPC;
    }
    at = stpcpy(at, first);
    at += encode(user_id, at, end);
    at = stpcpy(at, second);
    at += encode(type, at, end);
    return at - buffer;
}

static struct question *question_new(struct enrich *enrich, struct span user_id, struct span type) {
    struct question *question = calloc(1, sizeof(*question));
    long length;

    if (question == NULL) {
        return NULL;
    }
    length = enrich_query(user_id, type, question->query, sizeof(question->query));
    question->timer = evtimer_new(enrich->base, on_timer, question);
    if (length < 0 || question->timer == NULL) {
        if (question->timer != NULL) {
            event_free(question->timer);
        }
        free(question);
        return NULL;
    }
    question->length = (size_t)length;
    question->enrich = enrich;
    question->until_ms = clock_mono_ms() + enrich->timeout_ms;
    question->retries_left = enrich->retries;
    question->pause = (struct backoff){.first_ms = PAUSE_FIRST_MS, .most_ms = PAUSE_MOST_MS};
    LIST_INSERT_HEAD(&enrich->questions, question, link);
    enrich->count++;
    return question;
}

static void question_free(struct question *question) {
    LIST_REMOVE(question, link);
    question->enrich->count--;
    event_free(question->timer);
    free(question);
}

/* False: it can't be asked now. */
static bool attempt(struct question *question) {
    struct enrich *enrich = question->enrich;
    uint64_t now_ms = clock_mono_ms();

    if (!breaker_allow(&enrich->breaker, now_ms)) {
        return false;
    }
    if (http_client_get(enrich->client, (struct span){question->query, question->length}, on_answer,
                        question) != 0) {
        unasked(enrich);
        return false;
    }
    stats_add(enrich->stats, STAT_EXTERNAL_CALLS, 1);
    question->asked = true;
    wake_in(question, question->until_ms > now_ms ? question->until_ms - now_ms : 0);
    return true;
}

static void on_answer(void *context, const struct http_answer *answer) {
    struct question *question = context;
    struct span metadata = SPAN_LITERAL("");
    enum enrich_verdict verdict;

    question->asked = false;
    if (answer == NULL) {
        miss(question);
        return;
    }
    verdict = enrich_answer_read(answer->status, answer->body, &metadata);
    if (answer->unasked) {
        unasked(question->enrich);
        miss(question);
        return;
    }
    report(question->enrich, fault_of(answer, verdict));
    if (verdict == ENRICH_KNOWN || verdict == ENRICH_NOTHING) {
        tell(question, metadata);
    } else if (verdict == ENRICH_BAD || !try_again(question)) {
        miss(question);
    }
}

/* NULL: it has answered as it should. */
static const char *fault_of(const struct http_answer *answer, enum enrich_verdict verdict) {
    if (verdict == ENRICH_KNOWN || verdict == ENRICH_NOTHING) {
        return NULL;
    }
    return answer->status == 0     ? answer->fault
           : answer->status == 200 ? "an answer that is no metadata"
                                   : "an answer with a status that says nothing";
}

/* False: that was the last attempt. */
static bool try_again(struct question *question) {
    uint64_t now_ms = clock_mono_ms(), pause_ms;

    if (question->done == NULL || question->retries_left == 0 || now_ms >= question->until_ms) {
        return false;
    }
    question->retries_left--;
    pause_ms = backoff_next_ms(&question->pause, (uint32_t)random());
    wake_in(question,
            pause_ms < question->until_ms - now_ms ? pause_ms : question->until_ms - now_ms);
    return true;
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct question *question = context;

    (void)fd;
    (void)what;
    if (question->asked || clock_mono_ms() >= question->until_ms || !attempt(question)) {
        miss(question);
    } else {
        stats_add(question->enrich->stats, STAT_EXTERNAL_RETRIES, 1);
    }
}

static void wake_in(const struct question *question, uint64_t in_ms) {
    const struct timeval due = {.tv_sec = (time_t)(in_ms / 1000),
                                .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};

    (void)evtimer_add(question->timer, &due); /* the client's own deadline stands behind it */
}

/* One that still waits for an answer is freed by it: who has been told is not told again. */
static void tell(struct question *question, struct span metadata) {
    enrich_done *done = question->done;

    question->done = NULL;
    if (done != NULL) {
        done(question->context, metadata);
    }
    if (question->asked) {
        evtimer_del(question->timer);
    } else {
        question_free(question);
    }
}

static void miss(struct question *question) {
    if (question->done != NULL) {
        stats_add(question->enrich->stats, STAT_EXTERNAL_MISSED, 1);
    }
    tell(question, SPAN_LITERAL(""));
}

static void report(struct enrich *enrich, const char *fault) {
    enum breaker_state before = enrich->breaker.state;

    stats_add(enrich->stats, STAT_EXTERNAL_ERRORS, fault == NULL ? 0 : 1);
    breaker_report(&enrich->breaker, fault == NULL, clock_mono_ms());
    if (enrich->breaker.state == before) {
        return;
    }
    if (enrich->breaker.state == BREAKER_CLOSED) {
        log_info("The external service answers again");
    } else if (before == BREAKER_CLOSED) {
        log_warn(
            "The external service at %s is of no use (%s); notifications go on without it, and "
            "it is asked again from time to time",
            enrich->url, fault);
    }
}

/* It was never asked, so that nothing is known; a probe is over all the same. */
static void unasked(struct enrich *enrich) {
    if (enrich->breaker.state == BREAKER_HALF_OPEN) {
        report(enrich, "no memory, or too many wait for it");
    } else {
        stats_add(enrich->stats, STAT_EXTERNAL_ERRORS, 1);
    }
}
