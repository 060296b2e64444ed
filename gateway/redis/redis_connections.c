#include "gateway/redis/redis_connections.h"

#include "common/clock.h"

#define HASH_NONFATAL_OOM 1
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#define KEY_BYTES   400
#define COUNT_BYTES 24
#define REFRESHES   3 /* in REDIS_EXPIRY */
#define COUNT_MOST  ((1 << LIMIT_TABLE_ELSEWHERE_BITS) - 1)

/* KEYS: who; ARGV: our id, life, how many each has here. Answers how many each has elsewhere. What is not ours to read
 * counts as none. */
static const char script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local own, life = ARGV[1], ARGV[2] "
    "local elsewhere = {} "
    "for i, key in ipairs(KEYS) do "
    "  local kind = redis.call('TYPE', key)['ok'] "
    "  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end "
    "  if tonumber(ARGV[i + 2]) > 0 then "
    "    redis.call('HSET', key, own, ARGV[i + 2] .. ':' .. string.format('%.0f', now + life)) "
    "    redis.call('PEXPIRE', key, life) "
    "  else "
    "    redis.call('HDEL', key, own) "
    "  end "
    "  local sum, all = 0, redis.call('HGETALL', key) "
    "  for j = 1, #all, 2 do "
    "    local count, till = all[j + 1]:match('^(%d+):(%d+)$') "
    "    if not till or tonumber(till) <= now then redis.call('HDEL', key, all[j]) "
    "    elseif all[j] ~= own then sum = sum + count end "
    "  end "
    "  elsewhere[i] = sum "
    "end "
    "return elsewhere";

/* An address or a user with connections to this worker; on one of two queues. */
struct place {
    UT_hash_handle hh;
    TAILQ_ENTRY(place) link;
    uint64_t key;
    uint32_t index;
    bool changed;
    char name[]; /* of the key in Redis, without the prefix */
};

TAILQ_HEAD(places, place);

struct redis_connections {
    struct redis *redis;
    const struct limit_table *table;
    uint32_t worker;
    uint64_t life_ms;
    char life[16];
    char instance[256];
    struct event *timer;
    struct place *by_key;
    struct places changed, quiet; /* to be told next; in the order of their last telling */
    unsigned under_way;
    bool ended; /* lives until its last answer */
};

struct told {
    uint64_t key;
    uint32_t index;
};

struct batch {
    struct redis_connections *connections;
    unsigned count;
    struct told places[REDIS_CONNECTIONS_KEYS];
};

static void on_timer(evutil_socket_t fd, short what, void *context);
static redis_done on_answer;

int redis_connections_new(struct redis *redis, const struct limit_table *table, uint32_t worker,
                          const struct options *options, struct redis_connections **out) {
    static const struct timeval interval = {.tv_usec = REDIS_CONNECTIONS_FLUSH_MS * 1000L};
    struct redis_connections *connections = calloc(1, sizeof(*connections));

    if (connections == NULL) {
        return -ENOMEM;
    }
    connections->worker = worker;
    TAILQ_INIT(&connections->changed);
    TAILQ_INIT(&connections->quiet);
    redis_connections_move(connections, redis, table, options);
    connections->timer = event_new(redis_loop(redis), -1, EV_PERSIST, on_timer, connections);
    if (connections->timer == NULL || event_add(connections->timer, &interval) != 0) {
        redis_connections_free(connections);
        return -ENOMEM;
    }
    *out = connections;
    return 0;
}

void redis_connections_move(struct redis_connections *connections, struct redis *redis,
                            const struct limit_table *table, const struct options *options) {
    connections->redis = redis;
    connections->table = table;
    connections->life_ms = (uint64_t)options->redis_expiry;
    (void)snprintf(connections->life, sizeof(connections->life), "%" PRIu64, connections->life_ms);
    (void)snprintf(connections->instance, sizeof(connections->instance), "%s",
                   options->instance_id);
}

static struct places *queue_of(struct redis_connections *connections, const struct place *place) {
    return place->changed ? &connections->changed : &connections->quiet;
}

static void forget(struct redis_connections *connections, struct place *place) {
    TAILQ_REMOVE(queue_of(connections, place), place, link);
    HASH_DEL(connections->by_key, place);
    free(place);
}

void redis_connections_free(struct redis_connections *connections) {
    if (connections == NULL) {
        return;
    }
    while (connections->by_key != NULL) {
        forget(connections, connections->by_key);
    }
    if (connections->timer != NULL) {
        event_free(connections->timer);
        connections->timer = NULL;
    }
    connections->ended = true;
    if (connections->under_way == 0) {
        free(connections);
    }
}

static void mark(struct redis_connections *connections, struct place *place, bool changed) {
    TAILQ_REMOVE(queue_of(connections, place), place, link);
    place->changed = changed;
    TAILQ_INSERT_TAIL(queue_of(connections, place), place, link);
}

static struct place *find(const struct redis_connections *connections, uint64_t key) {
    struct place *place;

    HASH_FIND(hh, connections->by_key, &key, sizeof(key), place);
    return place;
}

static struct place *add(struct redis_connections *connections, uint64_t key, struct span kind,
                         struct span name) {
    size_t size = sizeof("ratelimit:connections::") + kind.length + name.length;
    struct place *place = calloc(1, sizeof(*place) + size);

    if (place == NULL) {
        return NULL;
    }
    (void)snprintf(place->name, size, "ratelimit:connections:" SPAN_FORMAT ":" SPAN_FORMAT,
                   SPAN_ARGS(kind), SPAN_ARGS(name));
    place->key = key;
    HASH_ADD(hh, connections->by_key, key, sizeof(place->key), place);
    if (place->hh.tbl == NULL) {
        free(place);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&connections->quiet, place, link);
    return place;
}

void redis_connections_touch(struct redis_connections *connections, uint32_t index,
                             struct span kind, struct span name) {
    uint64_t key = limit_table_key(connections->table, index);
    struct place *place = find(connections, key);

    place = place != NULL ? place : add(connections, key, kind, name);
    if (place != NULL) {
        place->index = index;
        mark(connections, place, true);
    }
}

void redis_connections_left(struct redis_connections *connections, uint64_t key) {
    struct place *place = find(connections, key);

    if (place != NULL) {
        mark(connections, place, true);
    }
}

bool redis_connections_over(const struct redis_connections *connections, uint32_t index,
                            uint64_t most) {
    return redis_is_up(connections->redis) &&
           limit_table_count(connections->table, index) +
                   limit_table_elsewhere(connections->table, index, clock_mono_ms()) >
               most;
}

/* Of all workers; when nobody has any, the entry may be another's by now. */
static uint64_t count_of(const struct redis_connections *connections, const struct place *place) {
    return limit_table_key(connections->table, place->index) == place->key
               ? limit_table_count(connections->table, place->index)
               : 0;
}

static bool is_here(const struct redis_connections *connections, const struct place *place) {
    return count_of(connections, place) > 0 &&
           limit_table_count_of(connections->table, connections->worker, place->index) > 0;
}

/* The first ones of a queue, in one command. They are told again later in any case, so an error needs no care. */
static void tell(struct redis_connections *connections, struct places *queue, unsigned most) {
    char keys[REDIS_CONNECTIONS_KEYS][KEY_BYTES], counts[REDIS_CONNECTIONS_KEYS][COUNT_BYTES];
    struct place *places[REDIS_CONNECTIONS_KEYS];
    struct span words[5 + 2 * REDIS_CONNECTIONS_KEYS] = {SPAN_LITERAL("EVAL"),
                                                         SPAN_LITERAL(script)};
    struct batch *batch = calloc(1, sizeof(*batch));
    char number[16];
    unsigned count = 0;

    for (struct place *place = TAILQ_FIRST(queue); place != NULL && count < most;
         place = TAILQ_NEXT(place, link)) {
        places[count++] = place;
    }
    words[2] = (struct span){number, (size_t)snprintf(number, sizeof(number), "%u", count)};
    words[3 + count] = span_of(connections->instance);
    words[4 + count] = span_of(connections->life);
    for (unsigned i = 0; i < count; i++) {
        struct place *place = places[i];
        int length =
            snprintf(keys[i], KEY_BYTES, "%s%s", redis_prefix(connections->redis), place->name);
        words[3 + i] = (struct span){keys[i], (size_t)length};
        (void)snprintf(counts[i], COUNT_BYTES, "%" PRIu64, count_of(connections, place));
        words[5 + count + i] = span_of(counts[i]);
        if (batch != NULL) {
            batch->places[i] = (struct told){place->key, place->index};
        }
        if (is_here(connections, place)) {
            mark(connections, place, false);
        } else {
            forget(connections, place);
        }
    }
    if (batch != NULL &&
        redis_call(connections->redis, (int)(5 + 2 * count), words, on_answer, batch) == 0) {
        batch->connections = connections;
        batch->count = count;
        connections->under_way++;
    } else {
        free(batch);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct redis_connections *connections = context;
    unsigned known = HASH_COUNT(connections->by_key);

    (void)fd;
    (void)what;
    while (!TAILQ_EMPTY(&connections->changed)) {
        tell(connections, &connections->changed, REDIS_CONNECTIONS_KEYS);
    }
    uint64_t due =
        (uint64_t)known * REFRESHES * REDIS_CONNECTIONS_FLUSH_MS / connections->life_ms + 1;
    while (due > 0 && !TAILQ_EMPTY(&connections->quiet)) {
        unsigned part = due < REDIS_CONNECTIONS_KEYS ? (unsigned)due : REDIS_CONNECTIONS_KEYS;
        tell(connections, &connections->quiet, part);
        due -= part;
    }
}

static void settle(const struct batch *batch, const redisReply *reply) {
    const struct redis_connections *connections = batch->connections;
    uint64_t until_ms = clock_mono_ms() + connections->life_ms;

    for (unsigned i = 0; i < batch->count; i++) {
        const redisReply *sum = reply->element[i];
        if (sum->type == REDIS_REPLY_INTEGER && sum->integer >= 0) {
            uint64_t count = (uint64_t)(sum->integer < COUNT_MOST ? sum->integer : COUNT_MOST);
            limit_table_set_elsewhere(connections->table, batch->places[i].index,
                                      batch->places[i].key, count, until_ms);
        }
    }
}

static void on_answer(void *context, const redisReply *reply) {
    struct batch *batch = context;
    struct redis_connections *connections = batch->connections;

    connections->under_way--;
    if (connections->ended && connections->under_way == 0) {
        free(connections);
    } else if (!connections->ended && reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
               reply->elements == batch->count) {
        settle(batch, reply);
    }
    free(batch);
}
