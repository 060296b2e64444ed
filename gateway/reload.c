#include "gateway/reload.h"

#include "common/config_files.h"
#include "common/log.h"
#include "gateway/access/middleware.h"
#include "gateway/access/policy.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/ws_inflate.h"
#include "gateway/external/external.h"
#include "gateway/http/admin_rule.h"
#include "gateway/message/room_review.h"
#include "gateway/presence/presence.h"
#include "gateway/redis/redis.h"
#include "gateway/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>

/* What is made from options and files; all new or all old. */
struct parts {
    struct auth *auth;
    struct policy *policy;
    struct admin_rule *admin;
    struct middleware *middleware;
    struct ws_inflate *inflate;
    struct redis *redis;
    struct external *external;
    struct tls *tls;
};

/* The options of the last reload; before the first one they are main()'s. One process, one worker. */
static struct options taken[2];
static unsigned turn;

static int parts_new(const struct worker *worker, const struct options *options, bool dev,
                     struct parts *parts, char *error, size_t error_size) {
    int result = auth_new(options, dev, &parts->auth, error, error_size);
    if (result == 0) {
        result = policy_new(options->rooms_file, &parts->policy, error, error_size);
    }
    if (result == 0) {
        result = admin_rule_new(options, &parts->admin, error, error_size);
    }
    if (result == 0) {
        result = middleware_new(options, &parts->middleware, error, error_size);
    }
    if (result == 0) {
        result = redis_new(options, &parts->redis, error, error_size);
    }
    if (result == 0) {
        result = external_new(options, &parts->external, error, error_size);
    }
    if (result == 0) {
        result = tls_new(options, worker->tickets, &parts->tls, error, error_size);
    }
    if (result == 0) {
        auth_keep_claims(parts->auth, policy_claims(parts->policy));
    }
    return result;
}

/* What needs the worker's loop and shared memory; at the start worker.c sees to that. */
static int parts_start(const struct worker *worker, const struct options *options,
                       struct parts *parts) {
    int result = middleware_attach(worker, parts->middleware);
    if (result == 0) {
        result = auth_start(parts->auth, worker->base, worker->stats);
    }
    if (result == 0 && redis_same(parts->redis, worker->redis)) {
        redis_free(parts->redis);
        parts->redis = worker->redis;
    } else if (result == 0 && parts->redis != NULL) {
        result = redis_start(parts->redis, worker->base, worker->stats);
    }
    if (result == 0 && parts->redis != NULL) {
        result = middleware_share(parts->middleware, parts->redis);
    }
    if (result == 0 && parts->external != NULL) {
        result = external_start(parts->external, worker->base, worker->stats);
    }
    if (result == 0 && worker->inflate != NULL) {
        result = ws_inflate_new((size_t)options->ws_max_message_bytes, &parts->inflate);
    }
    return result;
}

/* `kept`: the connection to Redis that stays in use. */
static void parts_free(const struct parts *parts, const struct redis *kept) {
    auth_free(parts->auth);
    policy_free(parts->policy);
    admin_rule_free(parts->admin);
    middleware_free(parts->middleware);
    ws_inflate_free(parts->inflate);
    if (parts->redis != kept) {
        redis_free(parts->redis);
    }
    external_free(parts->external);
    tls_free(parts->tls); /* sessions that have begun with it keep what they need */
}

/* One process says it for all. */
static void warn_of_keys(const struct worker *worker) {
    const char *weak;
    unsigned count = worker->tls != NULL ? tls_certificate_count(worker->tls) : 0;
    if (worker->heritage.index != 0) {
        return;
    }
    for (unsigned i = 0; (weak = auth_warning(worker->auth, i)) != NULL; i++) {
        log_warn("%s", weak);
    }
    for (unsigned i = 0; i < count; i++) {
        const char *warning = tls_warning(worker->tls, i);
        if (warning[0] != '\0') {
            log_warn("%s", warning);
        }
    }
}

int reload_read(struct worker *worker, const struct options *options, bool dev, char *error,
                size_t error_size) {
    struct parts fresh = {0};
    const struct parts old = {worker->auth,    worker->policy, worker->admin,    worker->middleware,
                              worker->inflate, worker->redis,  worker->external, worker->tls};
    int result = parts_new(worker, options, dev, &fresh, error, error_size);
    if (result == 0 && worker->base != NULL) {
        result = parts_start(worker, options, &fresh);
        if (result != 0) {
            snprintf(error, error_size, "%s", strerror(-result));
        }
    }
    if (result != 0) {
        parts_free(&fresh, worker->redis);
        return result;
    }
    worker->auth = fresh.auth;
    worker->policy = fresh.policy;
    worker->admin = fresh.admin;
    worker->middleware = fresh.middleware;
    worker->inflate = fresh.inflate;
    worker->redis = fresh.redis;
    worker->external = fresh.external;
    worker->tls = fresh.tls;
    worker->options = options;
    if (old.auth != NULL && worker->base != NULL) {
        auth_adopt(worker->auth, old.auth);
    }
    if (old.middleware != NULL) {
        middleware_adopt(worker->middleware, old.middleware, worker->redis);
    }
    if (worker->presence != NULL && presence_share(worker->presence) != 0) {
        log_error("out of memory: who is online here is not told to Redis any more");
    }
    parts_free(&old,
               worker->redis); /* who waits for its answers is told, and may ask the new one */
    if (worker->redis != NULL && worker->base != NULL) {
        redis_show(worker->redis);
    }
    warn_of_keys(worker);
    return 0;
}

void reload_done(void) {
    option_done(&taken[0]);
    option_done(&taken[1]);
}

static void review(struct worker *worker, struct conn *conn, void *context) {
    unsigned *left = context;
    *left += room_review(worker, conn);
}

/* The stored CONFIG_FILE holds only what may be in force, so all of it is taken. */
static int take_options(struct worker *worker, bool dev, char *error, size_t error_size) {
    struct options *next = &taken[turn];
    struct option_command command;
    option_done(next); /* out of use since the last reload */
    int result = option_parse(worker->argc, worker->argv, next, &command, error, error_size);
    if (result != 0) {
        return result;
    }
    result = reload_read(worker, next, dev, error, error_size);
    if (result != 0) {
        option_done(next);
        return result;
    }
    turn ^= 1;
    log_set_words(next->log_level, next->log_format);
    conn_table_reloaded(worker);
    return 0;
}

void reload_in_place(struct worker *worker, bool dev) {
    char error[1024] = "";
    unsigned left = 0;
    if (take_options(worker, dev, error, sizeof error) != 0) {
        log_error("reload refused, the old configuration stays: %s", error);
        return;
    }
    conn_each(worker, review, &left);
    stats_set(worker->stats, STAT_CONFIG_GENERATION, config_files_generation());
    log_info("reloaded; %u memberships ended", left);
}
