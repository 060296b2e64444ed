#include "gateway/reload.h"

#include "common/config_files.h"
#include "common/log.h"
#include "gateway/access/middleware.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/ws_inflate.h"
#include "gateway/http/admin_rule.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/notice.h"
#include "gateway/message/room_lease.h"
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
    if (result == 0 && parts->redis != NULL) {
        result = redis_start(parts->redis, worker->base, worker->stats);
        result = result != 0 ? result : middleware_share(parts->middleware, parts->redis);
    }
    if (result == 0 && worker->inflate != NULL) {
        result = ws_inflate_new((size_t)options->ws_max_message_bytes, &parts->inflate);
    }
    return result;
}

static void parts_free(const struct parts *parts) {
    auth_free(parts->auth);
    policy_free(parts->policy);
    admin_rule_free(parts->admin);
    middleware_free(parts->middleware);
    ws_inflate_free(parts->inflate);
    redis_free(parts->redis);
    tls_free(parts->tls); /* sessions that have begun with it keep what they need */
}

/* One process says it for all. */
static void warn_of_certificates(const struct worker *worker) {
    unsigned count = worker->tls != NULL ? tls_certificate_count(worker->tls) : 0;
    for (unsigned i = 0; i < count && worker->heritage.index == 0; i++) {
        const char *warning = tls_warning(worker->tls, i);
        if (warning[0] != '\0') {
            log_warn("%s", warning);
        }
    }
}

int reload_read(struct worker *worker, const struct options *options, bool dev, char *error,
                size_t error_size) {
    struct parts fresh = {0};
    const struct parts old = {worker->auth,    worker->policy, worker->admin, worker->middleware,
                              worker->inflate, worker->redis,  worker->tls};
    int result = parts_new(worker, options, dev, &fresh, error, error_size);
    if (result == 0 && worker->base != NULL) {
        result = parts_start(worker, options, &fresh);
        if (result != 0) {
            snprintf(error, error_size, "%s", strerror(-result));
        }
    }
    if (result != 0) {
        parts_free(&fresh);
        return result;
    }
    worker->auth = fresh.auth;
    worker->policy = fresh.policy;
    worker->admin = fresh.admin;
    worker->middleware = fresh.middleware;
    worker->inflate = fresh.inflate;
    worker->redis = fresh.redis;
    worker->tls = fresh.tls;
    worker->options = options;
    parts_free(&old); /* who waits for its answers is told, and may ask the new one */
    warn_of_certificates(worker);
    return 0;
}

void reload_done(void) {
    option_done(&taken[0]);
    option_done(&taken[1]);
}

/* Rooms that one connection has to leave. */
struct revoked {
    struct worker *worker;
    const struct conn *conn;
    unsigned count;
    char (*names)[ROOM_NAME_MAX_BYTES + 1]; /* room for as many as it is in */
};

static void look_at_room(void *context, struct span room) {
    struct revoked *revoked = context;
    enum policy_result result = policy_ask_now(revoked->worker, revoked->conn, POLICY_JOIN, room);
    /* what the operator has it join by itself needs no line in the table (auto_join.h) */
    bool stays = result == POLICY_ALLOW || result == POLICY_LATER ||
                 (result == POLICY_UNKNOWN &&
                  auto_join_names(revoked->worker->options->auto_join_rooms,
                                  conn_user_id(revoked->worker, revoked->conn), room));
    /* the auth service is asked soon, or again when its last answer has run out */
    if (stays && policy_ask_rules(revoked->worker, revoked->conn, POLICY_JOIN, room)) {
        stays = room_lease_hold(revoked->worker, revoked->conn, room) == 0;
    }
    if (!stays) {
        char *name = revoked->names[revoked->count++];
        memcpy(name, room.data, room.length);
        name[room.length] = '\0';
    }
}

static void take_rooms(struct worker *worker, struct conn *conn, void *context) {
    unsigned *left = context;
    struct revoked revoked = {.worker = worker, .conn = conn};
    if (!conn_authenticated(conn) || conn->room_count == 0) {
        return;
    }
    revoked.names = calloc(conn->room_count, sizeof *revoked.names);
    if (revoked.names == NULL) {
        conn_close(worker, conn, CLOSE_SERVER_ERROR,
                   "Out of memory"); /* rather than let it listen on */
        return;
    }
    conn_each_room(worker, conn, look_at_room, &revoked);
    for (unsigned i = 0; i < revoked.count; i++) {
        conn_leave(worker, conn, span_of(revoked.names[i]));
        notice_revoked(worker, conn, revoked.names[i]);
    }
    *left += revoked.count;
    free(revoked.names);
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
    conn_each(worker, take_rooms, &left);
    stats_set(worker->stats, STAT_CONFIG_GENERATION, config_files_generation());
    log_info("reloaded; %u memberships ended", left);
}
