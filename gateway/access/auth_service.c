#include "gateway/access/auth_service.h"

#include "common/breaker.h"
#include "common/clock.h"
#include "common/http_client.h"
#include "common/http_url.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/access/auth_cache.h"
#include "gateway/access/auth_jwt.h"
#include "gateway/access/jwt_claims.h"
#include "shm/stats.h"

#include <stdio.h>
#include <stdlib.h>

#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 1000
#define BREAKER_MOST_MS  15000
#define OWN_FAULT        "no memory, or too many wait for it"
#define BODY_MAX         ((size_t)2 * AUTH_JWT_MAX_BYTES)

struct auth_service {
    const char *url, *path;
    uint32_t timeout_ms;
    int64_t leeway_ms;
    struct http_client *client; /* NULL: not started */
    struct stats *stats;
    struct breaker breaker;
    struct auth_cache *cache;
    const struct room_claim_names *room_claims; /* NULL: none are kept */
};

struct question {
    struct auth_service *service;
    auth_answer *answer;
    void *context;
    int64_t expires_ms; /* the token's own, 0: it doesn't say */
    struct identity_marks marks;
    bool remembered; /* digest stands */
    unsigned char digest[DIGEST_BYTES];
};

static void on_answer(void *context, const struct http_answer *answer);
static bool judge(const struct question *question, const struct http_answer *answer,
                  struct identity *identity, enum error_code *code);
static int64_t expiry_of(const struct question *question, int64_t now_wall_ms);
static const char *fault_of(const struct http_answer *answer);
static void show(const struct auth_service *service);
static int post(struct auth_service *service, struct span token, struct question *question);

int auth_service_new(const struct options *options, struct auth_service **out, char *error,
                     size_t error_size) {
    const char *url = options->auth_service_url;
    struct auth_service *service;

    if (url == NULL || url[0] == '\0') {
        return 0;
    }
    if (http_url_check("AUTH_SERVICE_URL", url, error, error_size) != 0 ||
        http_url_check_path("AUTH_SERVICE_VERIFY_ENDPOINT", options->auth_service_verify_endpoint,
                            error, error_size) != 0) {
        return -EINVAL;
    }
    service = calloc(1, sizeof(*service));
    if (service == NULL || auth_cache_new(&service->cache) != 0) {
        free(service);
        (void)snprintf(error, error_size, "Not enough memory");
        return -ENOMEM;
    }
    service->url = url;
    service->path = options->auth_service_verify_endpoint;
    service->timeout_ms = (uint32_t)options->auth_service_timeout;
    service->leeway_ms = options->jwt_leeway_seconds * 1000;
    service->breaker = (struct breaker){.most_failures = BREAKER_FAILURES,
                                        .cool_first_ms = BREAKER_FIRST_MS,
                                        .cool_most_ms = BREAKER_MOST_MS};
    *out = service;
    return 0;
}

void auth_service_free(struct auth_service *service) {
    if (service != NULL) {
        auth_service_stop(service);
        auth_cache_free(service->cache);
        free(service);
    }
}

int auth_service_start(struct auth_service *service, struct event_base *base,
                       const struct http_tls *tls, struct stats *stats) {
    int error = http_client_new(base, tls, service->url, service->path, service->timeout_ms,
                                &service->client);

    if (error == 0) {
        service->stats = stats;
        show(service);
    }
    return error;
}

void auth_service_stop(struct auth_service *service) {
    http_client_free(service->client);
    service->client = NULL;
}

bool auth_service_recall(struct auth_service *service, struct span token, int64_t now_wall_ms,
                         struct identity *out) {
    unsigned char digest[DIGEST_BYTES];

    return digest_of(token, digest) == 0 &&
           auth_cache_find(service->cache, digest, now_wall_ms, out);
}

int auth_service_ask(struct auth_service *service, struct span token, auth_answer *answer,
                     void *context) {
    struct question *question;
    int error;

    if (service->client == NULL || !auth_service_allows(service)) {
        return -EAGAIN;
    }
    question = calloc(1, sizeof(*question));
    if (question == NULL) {
        auth_service_unasked(service);
        return -ENOMEM;
    }
    question->service = service;
    question->answer = answer;
    question->context = context;
    question->remembered = digest_of(token, question->digest) == 0;
    auth_jwt_peek(token, &question->expires_ms, &question->marks);
    stats_add(service->stats, STAT_AUTH_SERVICE_CALLS, 1);
    error = post(service, token, question);
    if (error != 0) {
        auth_service_unasked(service);
        free(question);
    }
    return error;
}

bool auth_service_allows(struct auth_service *service) {
    return breaker_allow(&service->breaker, clock_mono_ms());
}

void auth_service_keep_claims(struct auth_service *service, const struct room_claim_names *names) {
    service->room_claims = names;
}

int auth_service_read(struct span body, int64_t expires_ms,
                      const struct room_claim_names *room_claims, struct identity *out,
                      enum error_code *code) {
    static const char *const deciding[] = {"sub",   "userId", "id",  "isActive",
                                           "email", "roles",  "role"};
    struct json_value object, user, value;

    if (json_check(body, &object, NULL) != JSON_OK || json_get(object, "user", &user) != 1 ||
        user.type != JSON_OBJECT) {
        return -EPROTO;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(deciding); i++) {
        if (json_get(user, deciding[i], &value) < 0) {
            return -EPROTO; /* there twice: which of them is meant? */
        }
    }
    return jwt_claims_read_user(user, expires_ms, room_claims, out, code);
}

static int post(struct auth_service *service, struct span token, struct question *question) {
    static const struct span head = SPAN_LITERAL("{\"token\":\"");
    char body[BODY_MAX + 16];
    size_t at = head.length;
    long length = json_escape(token, body + at, BODY_MAX);

    if (length < 0) {
        return -EINVAL;
    }
    memcpy(body, head.data, at);
    at += (size_t)length;
    body[at++] = '"';
    body[at++] = '}';
    return http_client_post(service->client, (struct span){body, at}, on_answer, question);
}

static void on_answer(void *context, const struct http_answer *answer) {
    struct question *question = context;
    struct identity identity;
    enum error_code code = ERROR_CODE_COUNT;
    bool good = answer != NULL && judge(question, answer, &identity, &code);

    if (good && question->remembered) {
        int64_t until_ms = clock_wall_ms() + AUTH_SERVICE_REMEMBER_MS;
        int64_t end_ms = identity.expires_ms + question->service->leeway_ms;
        auth_cache_put(question->service->cache, question->digest, &identity,
                       end_ms < until_ms ? end_ms : until_ms);
    }
    question->answer(question->context, good ? &identity : NULL, code);
    free(question);
}

/* 422: whoever validates requests first says so of what is no token to him. Were it a fault, a few clients with rubbish
 * could have the service taken for dead. */
static bool refuses(int status) {
    return status == 400 || status == 401 || status == 403 || status == 422;
}

static bool judge(const struct question *question, const struct http_answer *answer,
                  struct identity *identity, enum error_code *code) {
    int64_t now_ms = clock_wall_ms(), expires_ms = expiry_of(question, now_ms);
    int result = -EPROTO;

    *code = ERROR_AUTH_UNAVAILABLE;
    if (auth_service_answers(answer->status)) {
        result = auth_service_read(answer->body, expires_ms, question->service->room_claims,
                                   identity, code);
    } else if (refuses(answer->status)) {
        *code = ERROR_INVALID_TOKEN;
        result = -EACCES;
    }
    if (answer->unasked) {
        auth_service_unasked(question->service);
        return false;
    }
    auth_service_report(question->service, result == -EPROTO ? fault_of(answer) : NULL);
    if (result == 0 && now_ms - question->service->leeway_ms >= expires_ms) {
        *code = ERROR_TOKEN_EXPIRED;
        result = -EACCES;
    }
    if (result == 0) {
        identity->marks = question->marks; /* the token is good, so what it says of itself is */
    }
    return result == 0;
}

/* The service vouches for the token as it stands, so what it says about its end can be believed. */
static int64_t expiry_of(const struct question *question, int64_t now_wall_ms) {
    return question->expires_ms != 0 ? question->expires_ms : now_wall_ms + AUTH_SERVICE_SESSION_MS;
}

static const char *fault_of(const struct http_answer *answer) {
    return answer->status == 0 ? answer->fault
           : auth_service_answers(answer->status)
               ? "an answer that is none of the auth service's"
               : "an answer with a status that says nothing about the token";
}

bool auth_service_answers(int status) {
    return status == 200 || status == 201;
}

void auth_service_report(struct auth_service *service, const char *fault) {
    bool good = fault == NULL;
    enum breaker_state before = service->breaker.state;

    stats_add(service->stats, STAT_AUTH_SERVICE_ERRORS, good ? 0 : 1);
    breaker_report(&service->breaker, good, clock_mono_ms());
    if (service->breaker.state == before) {
        return;
    }
    show(service);
    if (service->breaker.state == BREAKER_CLOSED) {
        log_info("The auth service answers again");
    } else if (before == BREAKER_CLOSED) {
        log_warn("The auth service at %s is of no use (%s); it is asked again from time to time",
                 service->url, fault);
    }
}

void auth_service_unasked(struct auth_service *service) {
    if (service->breaker.state == BREAKER_HALF_OPEN) {
        auth_service_report(service, OWN_FAULT);
    } else {
        stats_add(service->stats, STAT_AUTH_SERVICE_ERRORS, 1);
    }
}

static void show(const struct auth_service *service) {
    bool up = service->breaker.state == BREAKER_CLOSED;

    stats_set(service->stats, STAT_AUTH_SERVICE_UP, up);
    stats_set(service->stats, STAT_AUTH_SERVICE_DOWN, !up);
}
