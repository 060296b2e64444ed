#include "gateway/access/jwks_url.h"

#include "common/clock.h"
#include "common/http_client.h"
#include "common/http_url.h"
#include "common/log.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 5000
#define PAUSE_MS   10000 /* between fetches that tokens ask for: strangers can send any kid */
#define RETRY_MS   5000  /* after a failure */

struct jwks_url {
    const char *url;
    uint64_t refresh_ms;
    struct jwt_issuer *issuer;
    struct auth_cache *cache;
    struct stats *stats;        /* NULL: not started */
    struct http_client *client; /* NULL: not started */
    struct event *timer;
    uint64_t began_ms; /* the last fetch */
    bool fetching;
    bool failed; /* the last one; said once */
};

static enum stat_id gauge(const struct jwks_url *source);
static void replace_keys(struct jwks_url *source, struct jwt_key_set *keys);
static void fetch(struct jwks_url *source);
static void on_timer(int fd, short what, void *context);
static void on_answer(void *context, const struct http_answer *answer);
static int take_keys(struct jwks_url *source, const struct http_answer *answer, char *why,
                     size_t why_size);
static void tell_passed_over(const struct jwks_url *source, const struct jwt_key_set *keys);
static void set_timer(struct jwks_url *source, uint64_t in_ms);

int jwks_url_new(struct jwt_issuer *issuer, struct auth_cache *cache, uint64_t refresh_ms,
                 struct jwks_url **out, char *error, size_t error_size) {
    struct jwks_url *source;

    if (http_url_check_whole("JWT_JWKS_URL", issuer->place, error, error_size) != 0) {
        return -EINVAL;
    }
    source = calloc(1, sizeof(*source));
    if (source == NULL) {
        (void)snprintf(error, error_size, "Not enough memory");
        return -ENOMEM;
    }
    source->url = issuer->place;
    source->refresh_ms = refresh_ms;
    source->issuer = issuer;
    source->cache = cache;
    *out = source;
    return 0;
}

void jwks_url_free(struct jwks_url *source) {
    if (source != NULL) {
        jwks_url_stop(source);
        free(source);
    }
}

int jwks_url_start(struct jwks_url *source, struct event_base *base, const struct http_tls *tls,
                   struct stats *stats) {
    source->timer = evtimer_new(base, on_timer, source);
    if (source->timer == NULL ||
        http_client_new(base, tls, source->url, "", TIMEOUT_MS, &source->client) != 0) {
        return -ENOMEM;
    }
    source->stats = stats;
    stats_add(stats, gauge(source), 1);
    fetch(source);
    return 0;
}

void jwks_url_stop(struct jwks_url *source) {
    http_client_free(source->client);
    source->client = NULL;
    if (source->timer != NULL) {
        event_free(source->timer);
        source->timer = NULL;
    }
    if (source->stats != NULL) {
        stats_sub(source->stats, gauge(source), 1);
        source->stats = NULL;
    }
}

void jwks_url_adopt(struct jwks_url *source, struct jwks_url *old) {
    const struct jwt_issuer *was = old->issuer;

    jwks_url_stop(old);
    if (source->issuer->keys == NULL && was->keys != NULL &&
        strcmp(source->issuer->name, was->name) == 0 && strcmp(source->url, old->url) == 0) {
        replace_keys(source, was->keys);
        old->issuer->keys = NULL;
    }
}

bool jwks_url_wanted(struct jwks_url *source) {
    uint64_t pause_ms = source->refresh_ms < PAUSE_MS ? source->refresh_ms : PAUSE_MS;

    if (source->client != NULL && !source->fetching &&
        clock_mono_ms() - source->began_ms >= pause_ms) {
        fetch(source);
    }
    return source->fetching;
}

bool jwks_url_away(const struct jwks_url *source) {
    return source->failed || source->issuer->keys == NULL;
}

/* Old keys still verify, whether or not the issuer answers. */
static enum stat_id gauge(const struct jwks_url *source) {
    return source->issuer->keys != NULL ? STAT_ISSUER_KEYS_UP : STAT_ISSUER_KEYS_DOWN;
}

static void fetch(struct jwks_url *source) {
    source->began_ms = clock_mono_ms();
    source->fetching = http_client_get(source->client, SPAN_LITERAL(""), on_answer, source) == 0;
    if (!source->fetching) {
        set_timer(source, RETRY_MS);
    }
}

static void on_timer(int fd, short what, void *context) {
    struct jwks_url *source = context;

    (void)fd;
    (void)what;
    if (!source->fetching) {
        fetch(source);
    }
}

static void on_answer(void *context, const struct http_answer *answer) {
    struct jwks_url *source = context;
    char why[JWT_KEY_SET_WORDS] = "";
    bool good;

    source->fetching = false;
    if (answer == NULL) {
        return;
    }
    good = take_keys(source, answer, why, sizeof(why)) == 0;
    if (!good && !source->failed) {
        log_warn("JWT_JWKS_URL: \"%.*s\": %s; %s", http_url_shown(source->url), source->url, why,
                 source->issuer->keys != NULL ? "the old keys stay" : "there are no keys yet");
    } else if (good && source->failed) {
        log_info("JWT_JWKS_URL: \"%.*s\" gives keys again", http_url_shown(source->url),
                 source->url);
    }
    source->failed = !good;
    set_timer(source, good || source->refresh_ms < RETRY_MS ? source->refresh_ms : RETRY_MS);
}

static int take_keys(struct jwks_url *source, const struct http_answer *answer, char *why,
                     size_t why_size) {
    struct jwt_key_set *keys = NULL;
    int error;

    if (answer->status == 0) {
        (void)snprintf(why, why_size, "%s", answer->fault);
        return -EPROTO;
    }
    if (answer->status != 200) {
        (void)snprintf(why, why_size, "answers with status %d", answer->status);
        return -EPROTO;
    }
    error = jwt_key_set_from_jwks(answer->body, &keys, why, why_size);
    if (error != 0) {
        return error;
    }
    tell_passed_over(source, keys);
    replace_keys(source, keys);
    auth_cache_clear(source->cache); /* a key that is gone vouches for nobody any more */
    return 0;
}

static void replace_keys(struct jwks_url *source, struct jwt_key_set *keys) {
    stats_sub(source->stats, gauge(source), 1);
    jwt_key_set_free(source->issuer->keys);
    source->issuer->keys = keys;
    stats_add(source->stats, gauge(source), 1);
}

/* Once, not with each fetch. */
static void tell_passed_over(const struct jwks_url *source, const struct jwt_key_set *keys) {
    const struct jwt_key_set *old = source->issuer->keys;
    const char *words = jwt_key_set_passed_over(keys);

    if (words[0] != '\0' && (old == NULL || strcmp(jwt_key_set_passed_over(old), words) != 0)) {
        log_warn("JWT_JWKS_URL: \"%.*s\": %s; passed over", http_url_shown(source->url),
                 source->url, words);
    }
}

static void set_timer(struct jwks_url *source, uint64_t in_ms) {
    const struct timeval in = {.tv_sec = (time_t)(in_ms / 1000),
                               .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};

    (void)evtimer_add(source->timer, &in);
}
