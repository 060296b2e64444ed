#include "gateway/access/auth_rooms.h"

#include "common/clock.h"
#include "common/http_client.h"
#include "common/http_url.h"
#include "common/json.h"
#include "gateway/access/digest.h"
#include "shm/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1 /* else uthash ends the process when memory is out */
#include <uthash.h>

/* User id and room name need no escapes (common/room_name.h). */
#define BODY_MAX (2 * ROOM_NAME_MAX_BYTES + 64)

struct remembered {
    struct digest_slot slot; /* until: monotonic */
    bool allowed;
};

struct waiter {
    STAILQ_ENTRY(waiter) link;
    auth_rooms_answer *answer;
    void *context;
};

/* One that the service is being asked, and all who want to know. */
struct pending {
    unsigned char digest[DIGEST_BYTES];
    UT_hash_handle hh;
    struct auth_rooms *rooms;
    STAILQ_HEAD(, waiter) waiters;
};

struct auth_rooms {
    const char *url, *path;
    uint32_t timeout_ms;
    struct auth_service *service;
    struct http_client *client; /* NULL: not started */
    struct stats *stats;
    struct pending *pending; /* uthash */
    unsigned waiting;
    struct remembered answers[AUTH_ROOMS_ANSWERS];
};

static const char *const actions[] = {[POLICY_JOIN] = "join", [POLICY_PUBLISH] = "publish"};

static int digest_question(const struct auth_rooms_question *question, unsigned char *digest);
static int write_body(const struct auth_rooms_question *question, char *body, size_t size);
static struct digest_slots slots_of(struct auth_rooms *rooms);
static void remember(struct auth_rooms *rooms, const unsigned char *digest, bool allowed,
                     unsigned ttl_s);
static struct pending *begin(struct auth_rooms *rooms, const struct auth_rooms_question *question,
                             const unsigned char *digest, int *error);
static void on_answer(void *context, const struct http_answer *answer);
static enum policy_result judge(struct pending *pending, const struct http_answer *answer);

int auth_rooms_new(const struct options *options, struct auth_service *service,
                   struct auth_rooms **out, char *error, size_t error_size) {
    const char *path = options->auth_service_room_endpoint;
    struct auth_rooms *rooms;

    if (http_url_check_path("AUTH_SERVICE_ROOM_ENDPOINT", path == NULL ? "" : path, error,
                            error_size) != 0) {
        return -EINVAL;
    }
    rooms = calloc(1, sizeof(*rooms)); /* pages come when they are touched */
    if (rooms == NULL) {
        (void)snprintf(error, error_size, "Not enough memory");
        return -ENOMEM;
    }
    rooms->url = options->auth_service_url;
    rooms->path = path;
    rooms->timeout_ms = (uint32_t)options->auth_service_timeout;
    rooms->service = service;
    *out = rooms;
    return 0;
}

void auth_rooms_free(struct auth_rooms *rooms) {
    if (rooms != NULL) {
        auth_rooms_stop(rooms);
        free(rooms);
    }
}

int auth_rooms_start(struct auth_rooms *rooms, struct event_base *base, const struct http_tls *tls,
                     struct stats *stats) {
    rooms->stats = stats;
    return http_client_new(base, tls, rooms->url, rooms->path, rooms->timeout_ms, &rooms->client);
}

void auth_rooms_stop(struct auth_rooms *rooms) {
    http_client_free(rooms->client);
    rooms->client = NULL;
}

enum policy_result auth_rooms_recall(struct auth_rooms *rooms,
                                     const struct auth_rooms_question *question,
                                     uint64_t *left_ms) {
    unsigned char digest[DIGEST_BYTES];
    struct digest_slots slots = slots_of(rooms);
    int64_t now_ms = (int64_t)clock_mono_ms();
    const struct remembered *known = NULL;

    if (digest_question(question, digest) == 0) {
        known = (const struct remembered *)digest_find(&slots, digest);
    }
    if (known == NULL || now_ms >= known->slot.until_ms) {
        return POLICY_LATER;
    }
    if (left_ms != NULL) {
        *left_ms = (uint64_t)(known->slot.until_ms - now_ms);
    }
    return known->allowed ? POLICY_ALLOW : POLICY_DENY;
}

int auth_rooms_ask(struct auth_rooms *rooms, const struct auth_rooms_question *question,
                   auth_rooms_answer *answer, void *context) {
    unsigned char digest[DIGEST_BYTES];
    struct pending *pending = NULL;
    struct waiter *waiter;
    int error = digest_question(question, digest);

    if (error != 0 || rooms->client == NULL || rooms->waiting == AUTH_ROOMS_WAITERS) {
        return error != 0 ? error : -EAGAIN;
    }
    waiter = malloc(sizeof(*waiter));
    if (waiter == NULL) {
        return -ENOMEM;
    }
    HASH_FIND(hh, rooms->pending, digest, sizeof(digest), pending);
    if (pending == NULL) {
        pending = begin(rooms, question, digest, &error);
    }
    if (pending == NULL) {
        free(waiter);
        return error;
    }
    *waiter = (struct waiter){.answer = answer, .context = context};
    STAILQ_INSERT_TAIL(&pending->waiters, waiter, link);
    rooms->waiting++;
    return 0;
}

int auth_rooms_read(struct span body, bool *allowed, unsigned *ttl_s) {
    struct json_value object, value, ttl;
    unsigned seconds = AUTH_ROOMS_TTL_S;
    int found;

    if (json_check(body, &object, NULL) != JSON_OK || json_get(object, "allowed", &value) != 1 ||
        (value.type != JSON_TRUE && value.type != JSON_FALSE)) {
        return -EPROTO;
    }
    found = json_get(object, "ttl", &ttl);
    if (found < 0 || (found == 1 && ttl.type != JSON_NUMBER && ttl.type != JSON_NULL)) {
        return -EPROTO;
    }
    if (found == 1 && ttl.type == JSON_NUMBER) {
        /* The text ends within the body, behind which `}` stops strtod(). */
        double wanted = strtod(ttl.text.data, NULL);
        seconds = wanted >= AUTH_ROOMS_TTL_MOST_S    ? AUTH_ROOMS_TTL_MOST_S
                  : wanted >= AUTH_ROOMS_TTL_LEAST_S ? (unsigned)wanted
                                                     : AUTH_ROOMS_TTL_LEAST_S;
    }
    *allowed = value.type == JSON_TRUE;
    *ttl_s = seconds;
    return 0;
}

/* A blank stands in neither part. */
static int digest_question(const struct auth_rooms_question *question, unsigned char *digest) {
    char text[BODY_MAX];
    int length = snprintf(text, sizeof(text), SPAN_FORMAT " " SPAN_FORMAT " %s",
                          SPAN_ARGS(question->user_id), SPAN_ARGS(question->room),
                          actions[question->action]);

    return length < 0 || (size_t)length >= sizeof(text)
               ? -EINVAL
               : digest_of((struct span){text, (size_t)length}, digest);
}

static int write_body(const struct auth_rooms_question *question, char *body, size_t size) {
    int length = snprintf(
        body, size,
        "{\"userId\":\"" SPAN_FORMAT "\",\"room\":\"" SPAN_FORMAT "\",\"action\":\"%s\"}",
        SPAN_ARGS(question->user_id), SPAN_ARGS(question->room), actions[question->action]);

    return length < 0 || (size_t)length >= size ? -EINVAL : length;
}

static struct digest_slots slots_of(struct auth_rooms *rooms) {
    return (struct digest_slots){rooms->answers, AUTH_ROOMS_ANSWERS, sizeof(rooms->answers[0])};
}

static void remember(struct auth_rooms *rooms, const unsigned char *digest, bool allowed,
                     unsigned ttl_s) {
    struct digest_slots slots = slots_of(rooms);
    int64_t until_ms = (int64_t)clock_mono_ms() + (int64_t)ttl_s * 1000;

    ((struct remembered *)digest_place(&slots, digest, until_ms))->allowed = allowed;
}

static struct pending *begin(struct auth_rooms *rooms, const struct auth_rooms_question *question,
                             const unsigned char *digest, int *error) {
    char body[BODY_MAX];
    struct pending *pending;
    int length = write_body(question, body, sizeof(body));

    if (length < 0 || !auth_service_allows(rooms->service)) {
        *error = length < 0 ? length : -EAGAIN;
        return NULL;
    }
    pending = calloc(1, sizeof(*pending));
    *error = pending == NULL ? -ENOMEM : 0;
    if (pending != NULL) {
        memcpy(pending->digest, digest, sizeof(pending->digest));
        pending->rooms = rooms;
        STAILQ_INIT(&pending->waiters);
        HASH_ADD(hh, rooms->pending, digest, sizeof(pending->digest), pending);
        *error = pending->hh.tbl == NULL
                     ? -ENOMEM
                     : http_client_post(rooms->client, (struct span){body, (size_t)length},
                                        on_answer, pending);
    }
    if (*error == 0) {
        stats_add(rooms->stats, STAT_ROOM_QUESTIONS, 1);
        return pending;
    }
    auth_service_unasked(rooms->service);
    if (pending != NULL && pending->hh.tbl != NULL) {
        HASH_DEL(rooms->pending, pending);
    }
    free(pending);
    return NULL;
}

static void on_answer(void *context, const struct http_answer *answer) {
    struct pending *pending = context;
    struct auth_rooms *rooms = pending->rooms;
    enum policy_result result = answer == NULL ? POLICY_UNAVAILABLE : judge(pending, answer);
    struct waiter *waiter;

    HASH_DEL(rooms->pending, pending);
    while ((waiter = STAILQ_FIRST(&pending->waiters)) != NULL) {
        STAILQ_REMOVE_HEAD(&pending->waiters, link);
        rooms->waiting--;
        waiter->answer(waiter->context, result);
        free(waiter);
    }
    free(pending);
}

static enum policy_result judge(struct pending *pending, const struct http_answer *answer) {
    struct auth_rooms *rooms = pending->rooms;
    unsigned ttl_s = 0;
    bool allowed = false;

    if (answer->unasked) {
        auth_service_unasked(rooms->service);
        return POLICY_UNAVAILABLE;
    }
    if (!auth_service_answers(answer->status) ||
        auth_rooms_read(answer->body, &allowed, &ttl_s) != 0) {
        auth_service_report(rooms->service, answer->status == 0
                                                ? answer->fault
                                                : "an answer about a room that is none");
        return POLICY_UNAVAILABLE;
    }
    auth_service_report(rooms->service, NULL);
    remember(rooms, pending->digest, allowed, ttl_s);
    return allowed ? POLICY_ALLOW : POLICY_DENY;
}
