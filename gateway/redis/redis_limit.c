#include "gateway/redis/redis_limit.h"

#include "common/clock.h"
#include "shm/stats.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define KEY_BYTES    400 /* prefix 128, kind 70, user 114, and what stands between */
#define COST_BYTES   32
#define LACK_MOST_US 86400000000ll /* a day: nobody owes so much */

/* KEYS: the buckets; ARGV: for each what is to be taken, in µs. The time at which each is full again moves on by that;
 * the answer is how far ahead it is. A value that is no number counts as none. */
static const char script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000000 + t[2] "
    "local lacks = {} "
    "for i, key in ipairs(KEYS) do "
    "  local full = math.max(tonumber(redis.call('GET', key) or 0) or 0, now) + ARGV[i] "
    "  lacks[i] = full - now "
    "  if tonumber(ARGV[i]) > 0 then "
    "    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil(lacks[i] / 1000)) "
    "  end "
    "end "
    "return lacks";

/* One bucket of one user, touched since the last flush. */
struct share {
    uint32_t index; /* in the table */
    uint64_t key;   /* who has the entry */
    uint32_t name_at, name_length;
};

struct redis_limit {
    struct redis *redis;
    const struct limit_table *table;
    struct stats *stats;
    struct event *timer;
    uint64_t *touched; /* a bit for each entry of the table: it has a share already */
    struct share *shares;
    unsigned count;
    char *names; /* the shares' keys, one after the other */
    uint32_t names_length;
    LIST_HEAD(, batch) under_way;
};

struct bucket {
    uint64_t key;
    uint32_t index;
};

/* Shares on their way. */
struct batch {
    LIST_ENTRY(batch) link;
    struct redis_limit *limit; /* NULL: it has ended meanwhile */
    unsigned count;
    struct bucket buckets[REDIS_LIMIT_KEYS];
};

static void on_timer(evutil_socket_t fd, short what, void *context);
static void flush(struct redis_limit *limit);
static void tell(struct redis_limit *limit, unsigned first, unsigned count);
static void on_answer(void *context, const redisReply *reply);

int redis_limit_new(struct redis *redis, const struct limit_table *table,
                    struct redis_limit **out) {
    static const struct timeval interval = {.tv_usec = REDIS_LIMIT_FLUSH_MS * 1000L};
    struct redis_limit *limit = calloc(1, sizeof(*limit));

    if (limit == NULL) {
        return -ENOMEM;
    }
    limit->redis = redis;
    limit->stats = redis_stats(redis);
    limit->table = table;
    LIST_INIT(&limit->under_way);
    limit->touched = calloc(table->slots / 64, sizeof(*limit->touched));
    limit->shares = calloc(REDIS_LIMIT_SHARES, sizeof(*limit->shares));
    limit->names = malloc((size_t)REDIS_LIMIT_SHARES * KEY_BYTES); /* pages cost when touched */
    limit->timer = event_new(redis_loop(redis), -1, EV_PERSIST, on_timer, limit);
    if (limit->touched == NULL || limit->shares == NULL || limit->names == NULL ||
        limit->timer == NULL || event_add(limit->timer, &interval) != 0) {
        redis_limit_free(limit);
        return -ENOMEM;
    }
    *out = limit;
    return 0;
}

void redis_limit_free(struct redis_limit *limit) {
    struct batch *batch;

    if (limit != NULL) {
        if (limit->timer != NULL) {
            flush(limit);
        }
        LIST_FOREACH(batch, &limit->under_way, link) {
            batch->limit = NULL;
        }
        if (limit->timer != NULL) {
            event_free(limit->timer);
        }
        free(limit->touched);
        free(limit->shares);
        free(limit->names);
        free(limit);
    }
}

static bool add_share(struct redis_limit *limit, uint32_t index, struct span kind,
                      struct span user) {
    char *name = limit->names + limit->names_length;
    int length = snprintf(name, KEY_BYTES, "%sratelimit:" SPAN_FORMAT ":" SPAN_FORMAT,
                          redis_prefix(limit->redis), SPAN_ARGS(kind), SPAN_ARGS(user));

    if (length < 0 || length >= KEY_BYTES) {
        return false;
    }
    limit->shares[limit->count++] = (struct share){.index = index,
                                                   .key = limit_table_key(limit->table, index),
                                                   .name_at = limit->names_length,
                                                   .name_length = (uint32_t)length};
    limit->names_length += (uint32_t)length;
    return true;
}

void redis_limit_touch(struct redis_limit *limit, uint32_t index, uint64_t cost_ns,
                       struct span kind, struct span user) {
    uint64_t bit = 1ull << index % 64;

    limit_table_owe(limit->table, index, cost_ns);
    if ((limit->touched[index / 64] & bit) == 0 && limit->count < REDIS_LIMIT_SHARES &&
        add_share(limit, index, kind, user)) {
        limit->touched[index / 64] |= bit;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    flush(context);
}

static void flush(struct redis_limit *limit) {
    for (unsigned first = 0; first < limit->count; first += REDIS_LIMIT_KEYS) {
        unsigned left = limit->count - first;
        tell(limit, first, left < REDIS_LIMIT_KEYS ? left : REDIS_LIMIT_KEYS);
    }
    for (unsigned i = 0; i < limit->count; i++) {
        limit->touched[limit->shares[i].index / 64] = 0;
    }
    limit->count = 0;
    limit->names_length = 0;
}

/* Takes the shares out of the table in any case: what Redis can't be told now is not told later. */
static void tell(struct redis_limit *limit, unsigned first, unsigned count) {
    char costs[REDIS_LIMIT_KEYS][COST_BYTES], number[COST_BYTES];
    struct span words[3 + 2 * REDIS_LIMIT_KEYS] = {SPAN_LITERAL("EVAL"), SPAN_LITERAL(script)};
    struct batch *batch = calloc(1, sizeof(*batch));
    uint64_t now_ns = clock_mono_ns();

    (void)snprintf(number, sizeof(number), "%u", count);
    words[2] = span_of(number);
    for (unsigned i = 0; i < count; i++) {
        const struct share *share = &limit->shares[first + i];
        uint64_t cost_ns = limit_table_take_owed(limit->table, share->index, share->key, now_ns);
        (void)snprintf(costs[i], COST_BYTES, "%.3f", (double)cost_ns / 1000.0);
        words[3 + i] = (struct span){limit->names + share->name_at, share->name_length};
        words[3 + count + i] = span_of(costs[i]);
        if (batch != NULL) {
            batch->buckets[i] = (struct bucket){share->key, share->index};
        }
    }
    if (batch != NULL &&
        redis_call(limit->redis, (int)(3 + 2 * count), words, on_answer, batch) == 0) {
        batch->limit = limit;
        batch->count = count;
        stats_add(limit->stats, STAT_LIMIT_SHARES, count);
        LIST_INSERT_HEAD(&limit->under_way, batch, link);
    } else {
        free(batch);
    }
}

/* The figures of an answer; anything else changes nothing. */
static void settle(const struct batch *batch, const redisReply *reply) {
    uint64_t now_ns = clock_mono_ns();

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != batch->count) {
        return;
    }
    for (unsigned i = 0; i < batch->count; i++) {
        const redisReply *lack = reply->element[i];
        if (lack->type == REDIS_REPLY_INTEGER && lack->integer >= 0 &&
            lack->integer <= LACK_MOST_US) {
            limit_table_settle(batch->limit->table, batch->buckets[i].index, batch->buckets[i].key,
                               (uint64_t)lack->integer * 1000, now_ns);
        }
    }
}

static void on_answer(void *context, const redisReply *reply) {
    struct batch *batch = context;

    if (batch->limit != NULL) {
        LIST_REMOVE(batch, link);
        if (reply != NULL) {
            settle(batch, reply);
        }
    }
    free(batch);
}
