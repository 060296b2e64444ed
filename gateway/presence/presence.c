#include "gateway/presence/presence.h"

#include "common/clock.h"
#include "common/siphash.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "gateway/http/instances.h"
#include "gateway/presence/presence_status.h"
#include "gateway/presence/room_presence.h"
#include "gateway/redis/redis_instances.h"
#include "shm/limit_table.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_MS       1000
#define REFRESHES      3 /* in REDIS_EXPIRY */
#define USER_KEY_BYTES (sizeof("presence:") + ROOM_NAME_MAX_BYTES)

struct presence {
    struct worker *worker;
    struct limit_table table; /* header NULL: this worker is alone and knows all by itself */
    struct event *timer;
    struct presence_status *status;
    struct room_presence *rooms;
    struct redis_presence *shared; /* NULL: no Redis is configured */
    struct redis_instances *instances;
    uint32_t refresh_at; /* the connection to be told next */
    uint64_t swept_ms, heartbeat_ms;
};

static void on_timer(evutil_socket_t fd, short what, void *context);
static presence_status_look is_gone;
static redis_presence_change on_change;

int presence_new(struct worker *worker, struct presence **out) {
    static const struct timeval interval = {.tv_usec = PRESENCE_FLUSH_MS * 1000L};
    struct presence *presence = calloc(1, sizeof(*presence));
    int result = presence != NULL ? 0 : -ENOMEM;

    if (result == 0) {
        presence->worker = worker;
        result = presence_status_new(worker, is_gone, presence, &presence->status);
    }
    result = result != 0 ? result : room_presence_new(worker, &presence->rooms);
    if (result == 0 && worker->heritage.limit_fd >= 0 && worker->view.worker_count > 1) {
        result = limit_table_map(worker->heritage.limit_fd, &presence->table);
    }
    if (result == 0) {
        presence->timer = event_new(worker->base, -1, EV_PERSIST, on_timer, presence);
        result =
            presence->timer != NULL && event_add(presence->timer, &interval) == 0 ? 0 : -ENOMEM;
    }
    result = result != 0 ? result : presence_share(presence);
    if (result != 0) {
        presence_free(presence);
        return result;
    }
    *out = presence;
    return 0;
}

void presence_free(struct presence *presence) {
    if (presence == NULL) {
        return;
    }
    redis_presence_free(presence->shared);
    redis_instances_free(presence->instances);
    presence_status_free(presence->status);
    room_presence_free(presence->rooms);
    if (presence->timer != NULL) {
        event_free(presence->timer);
    }
    if (presence->table.header != NULL) {
        limit_table_unmap(&presence->table);
    }
    free(presence);
}

int presence_share(struct presence *presence) {
    struct redis *redis = presence->worker->redis;
    int result = 0;

    redis_presence_free(presence->shared);
    redis_instances_free(presence->instances);
    presence->shared = NULL;
    presence->instances = NULL;
    presence->heartbeat_ms = 0;
    if (redis != NULL) {
        result = redis_presence_new(redis, presence->worker->options, on_change, presence,
                                    &presence->shared);
        result = result != 0 ? result : redis_instances_new(redis, &presence->instances);
    }
    if (result != 0) {
        redis_presence_free(presence->shared);
        presence->shared = NULL;
    }
    return result;
}

const struct redis_instances *presence_instances(const struct presence *presence) {
    return presence != NULL ? presence->instances : NULL;
}

/* ---- this host */

static uint64_t key_of(const struct presence *presence, struct span user) {
    char text[USER_KEY_BYTES];
    int length = snprintf(text, sizeof(text), "presence:" SPAN_FORMAT, SPAN_ARGS(user));

    return siphash(&presence->worker->view.segment.header->hash_key,
                   (struct span){text, (size_t)length});
}

/* On this worker: with the table full, or without one, it is what is known. */
static bool is_on_worker(const struct presence *presence, struct span user) {
    const struct worker *worker = presence->worker;
    uint64_t hash = room_name_hash(&worker->view.segment.header->hash_key, user);

    return user_find(&worker->fanout->users, hash, user) != NULL;
}

/* 0: there is none. */
static uint32_t entry_of(const struct presence *presence, struct span user) {
    return presence->table.header != NULL
               ? limit_table_look(&presence->table, key_of(presence, user))
               : 0;
}

bool presence_is_here(const struct presence *presence, struct span user) {
    uint32_t index = entry_of(presence, user);

    return (index != 0 && limit_table_count(&presence->table, index) > 0) ||
           is_on_worker(presence, user);
}

/* True: nobody on this host has said that he is online. */
static bool enter(const struct presence *presence, struct span user) {
    uint32_t index = 0;

    return presence->table.header == NULL ||
           !limit_table_enter(&presence->table, presence->worker->heritage.index,
                              key_of(presence, user), UINT64_MAX, clock_mono_ns(), &index) ||
           index == 0 || !limit_table_mark(&presence->table, index, true);
}

/* True: he is nowhere on this host now. One who found no place in the table when he came took none. */
static bool leave(const struct presence *presence, struct span user) {
    uint32_t worker = presence->worker->heritage.index;
    uint32_t index = entry_of(presence, user);

    if (index == 0 || limit_table_count_of(&presence->table, worker, index) == 0) {
        return true;
    }
    limit_table_leave(&presence->table, worker, index);
    return limit_table_count(&presence->table, index) == 0;
}

/* Nor has anybody said that he is gone: of several workers that he has left, one says it. */
static bool is_gone(const void *context, struct span user) {
    const struct presence *presence = context;
    uint32_t index = entry_of(presence, user);

    return !presence_is_here(presence, user) &&
           (index == 0 || limit_table_mark(&presence->table, index, false));
}

static bool is_only_one(const struct presence *presence, const struct conn *conn) {
    return user_conn_count(&presence->worker->fanout->users, conn->user) == 1;
}

void presence_came(struct presence *presence, const struct conn *conn) {
    char id[CONN_ID_BYTES];

    if (presence == NULL) {
        return;
    }
    struct span user = conn_user_id(presence->worker, conn);
    bool first = is_only_one(presence, conn) && enter(presence, user);
    if (presence->shared != NULL) {
        conn_id_text(conn, id);
        redis_presence_hold(presence->shared, id, user);
    } else if (first) {
        presence_status_tell(presence->status, user, true);
    }
}

void presence_went(struct presence *presence, const struct conn *conn) {
    char id[CONN_ID_BYTES];

    if (presence == NULL) {
        return;
    }
    struct span user = conn_user_id(presence->worker, conn);
    bool last = is_only_one(presence, conn) && leave(presence, user);
    if (presence->shared != NULL) {
        conn_id_text(conn, id);
        redis_presence_drop(presence->shared, id, user);
    } else if (last) {
        presence_status_went(presence->status, user);
    }
}

/* ---- all hosts */

static void on_change(void *context, struct span user, bool online) {
    const struct presence *presence = context;

    presence_status_tell(presence->status, user, online);
}

static void hold(struct worker *worker, struct conn *conn, void *context) {
    struct presence *presence = context;
    char id[CONN_ID_BYTES];

    if (conn->user != 0) {
        conn_id_text(conn, id);
        redis_presence_hold(presence->shared, id, conn_user_id(worker, conn));
    }
}

static void refresh(struct presence *presence) {
    struct worker *worker = presence->worker;
    uint32_t steps = (uint32_t)worker->options->redis_expiry / REFRESHES / PRESENCE_FLUSH_MS;

    presence->refresh_at = conn_each_part(worker, presence->refresh_at, steps, hold, presence);
}

static bool is_due(uint64_t *last_ms, uint64_t every_ms, uint64_t now_ms) {
    if (*last_ms != 0 && now_ms - *last_ms < every_ms) {
        return false;
    }
    *last_ms = now_ms;
    return true;
}

/* The worker in the first place speaks for the host. */
static void say_load(struct presence *presence) {
    const struct worker *worker = presence->worker;
    uint64_t connections = 0;
    char *text = NULL;

    if (worker->heritage.index == 0) {
        text = instances_own(&worker->view, worker->options->instance_id,
                             (uint64_t)worker->options->ws_max_connections, &connections);
    }
    if (text != NULL) {
        redis_instances_refresh(presence->instances, worker->options->instance_id, connections,
                                text);
    } else {
        redis_instances_refresh(presence->instances, NULL, 0, NULL);
    }
    free(text);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct presence *presence = context;
    uint64_t now_ms = clock_mono_ms();

    (void)fd;
    (void)what;
    presence_status_tick(presence->status, now_ms);
    room_presence_tick(presence->rooms, presence->worker->heritage.index == 0);
    if (presence->shared == NULL || !redis_is_up(presence->worker->redis)) {
        return;
    }
    refresh(presence);
    bool sweep =
        presence->worker->heritage.index == 0 && is_due(&presence->swept_ms, SWEEP_MS, now_ms);
    redis_presence_flush(presence->shared, sweep);
    if (is_due(&presence->heartbeat_ms, REDIS_INSTANCES_EVERY_MS, now_ms)) {
        say_load(presence);
    }
}

static void drop(struct worker *worker, struct conn *conn, void *context) {
    struct presence *presence = context;
    char id[CONN_ID_BYTES];

    if (conn->user != 0) {
        conn_id_text(conn, id);
        redis_presence_drop(presence->shared, id, conn_user_id(worker, conn));
    }
}

void presence_leave(struct presence *presence) {
    if (presence == NULL) {
        return;
    }
    room_presence_stop(presence->rooms);
    if (presence->shared != NULL) {
        event_free(presence->timer); /* it would tell again who is there */
        presence->timer = NULL;
        conn_each(presence->worker, drop, presence);
        redis_presence_flush(presence->shared, false);
        event_base_loop(presence->worker->base, EVLOOP_NONBLOCK);
    }
}

int presence_ask(struct presence *presence, const struct span *users, unsigned count, bool *online,
                 redis_presence_answer *answer, void *context) {
    if (presence->shared != NULL) {
        return redis_presence_ask(presence->shared, users, count, answer, context);
    }
    for (unsigned i = 0; i < count; i++) {
        online[i] = presence_is_here(presence, users[i]);
    }
    return 1;
}

struct room_presence *presence_rooms(const struct presence *presence) {
    return presence->rooms;
}
