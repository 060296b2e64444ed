#include "gateway/external/health_poll.h"

#include "common/http_client.h"
#include "common/log.h"
#include "shm/stats.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct health_poll {
    const char *url;
    struct stats *stats;
    struct http_client *client;
    struct event *timer;
    bool up;
    bool told_down; /* logged once */
};

static void ask_in(const struct health_poll *poll, uint32_t in_ms);
static void on_timer(evutil_socket_t fd, short what, void *context);
static void on_answer(void *context, const struct http_answer *answer);
static void note(struct health_poll *poll, const struct http_answer *answer);
static void show(const struct health_poll *poll, bool known);

int health_poll_new(const struct external_settings *settings, struct event_base *base,
                    struct stats *stats, struct health_poll **out) {
    struct health_poll *poll = calloc(1, sizeof(*poll));
    int error = -ENOMEM;

    if (poll == NULL) {
        return -ENOMEM;
    }
    poll->url = settings->url;
    poll->timer = evtimer_new(base, on_timer, poll);
    if (poll->timer != NULL) {
        error = http_client_new(base, settings->tls, settings->url, "/health", settings->timeout_ms,
                                &poll->client);
    }
    if (error != 0) {
        health_poll_free(poll);
        return error;
    }
    http_client_authorize(poll->client, settings->key);
    poll->stats = stats;
    ask_in(poll, 0); /* a predecessor that is freed after this clears the figures */
    *out = poll;
    return 0;
}

void health_poll_free(struct health_poll *poll) {
    if (poll == NULL) {
        return;
    }
    http_client_free(poll->client);
    if (poll->timer != NULL) {
        event_free(poll->timer);
    }
    if (poll->stats != NULL) {
        show(poll, false);
    }
    free(poll);
}

static void ask_in(const struct health_poll *poll, uint32_t in_ms) {
    const struct timeval due = {.tv_sec = in_ms / 1000, .tv_usec = in_ms % 1000 * 1000L};

    (void)evtimer_add(poll->timer, &due);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct health_poll *poll = context;

    (void)fd;
    (void)what;
    show(poll, true);
    if (http_client_get(poll->client, SPAN_LITERAL(""), on_answer, poll) != 0) {
        ask_in(poll, HEALTH_POLL_MS); /* no memory; what was known stays */
    }
}

static void on_answer(void *context, const struct http_answer *answer) {
    struct health_poll *poll = context;

    if (answer != NULL) {
        note(poll, answer);
        show(poll, true);
        ask_in(poll, HEALTH_POLL_MS / 2 + (uint32_t)random() % (HEALTH_POLL_MS / 2));
    }
}

static void note(struct health_poll *poll, const struct http_answer *answer) {
    poll->up = answer->status / 100 == 2;
    if (!poll->up && !poll->told_down) {
        char status[32];
        (void)snprintf(status, sizeof(status), "status %d", answer->status);
        log_warn("The external service at %s is not healthy (%s)", poll->url,
                 answer->status == 0 ? answer->fault : status);
    } else if (poll->up && poll->told_down) {
        log_info("The external service is healthy again");
    }
    poll->told_down = !poll->up;
}

static void show(const struct health_poll *poll, bool known) {
    stats_set(poll->stats, STAT_EXTERNAL_UP, known && poll->up);
    stats_set(poll->stats, STAT_EXTERNAL_DOWN, known && !poll->up);
}
