#include "gateway/redis/redis_instances.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_BYTES 256

/* KEYS: instances. ARGV: prefix, life, most, our id or "", connections, text. */
static const char script[] =
    "local prefix = ARGV[1] "
    "if ARGV[4] ~= '' then "
    "  redis.call('SET', prefix .. 'instance:' .. ARGV[4], ARGV[6], 'PX', ARGV[2]) "
    "  redis.call('ZADD', KEYS[1], ARGV[5], ARGV[4]) "
    "end "
    "local texts = {} "
    "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1)) do "
    "  local text = redis.call('GET', prefix .. 'instance:' .. id) "
    "  if text then texts[#texts + 1] = text else redis.call('ZREM', KEYS[1], id) end "
    "end "
    "return texts";

struct redis_instances {
    struct redis *redis;
    uint64_t read_ms; /* 0: never */
    unsigned count, under_way;
    bool ended; /* lives until its last answer */
    char *texts[REDIS_INSTANCES_MAX];
};

static redis_done on_list;

int redis_instances_new(struct redis *redis, struct redis_instances **out) {
    struct redis_instances *instances = calloc(1, sizeof(*instances));

    if (instances == NULL) {
        return -ENOMEM;
    }
    instances->redis = redis;
    *out = instances;
    return 0;
}

static void forget(struct redis_instances *instances) {
    while (instances->count > 0) {
        free(instances->texts[--instances->count]);
    }
}

void redis_instances_free(struct redis_instances *instances) {
    if (instances == NULL) {
        return;
    }
    instances->ended = true;
    if (instances->under_way == 0) {
        forget(instances);
        free(instances);
    }
}

void redis_instances_refresh(struct redis_instances *instances, const char *id,
                             uint64_t connections, const char *text) {
    const char *prefix = redis_prefix(instances->redis);
    char key[KEY_BYTES], life[16], most[16], number[24];
    const struct span words[] = {
        SPAN_LITERAL("EVAL"),
        SPAN_LITERAL(script),
        SPAN_LITERAL("1"),
        {key, (size_t)snprintf(key, sizeof(key), "%sinstances", prefix)},
        span_of(prefix),
        {life, (size_t)snprintf(life, sizeof(life), "%d", REDIS_INSTANCES_LIFE_MS)},
        {most, (size_t)snprintf(most, sizeof(most), "%d", REDIS_INSTANCES_MAX)},
        span_of(id != NULL ? id : ""),
        {number, (size_t)snprintf(number, sizeof(number), "%" PRIu64, connections)},
        span_of(text != NULL ? text : "")};

    instances->under_way++;
    if (redis_call(instances->redis, ARRAY_LENGTH(words), words, on_list, instances) != 0) {
        instances->under_way--;
    }
}

static void take(struct redis_instances *instances, const redisReply *list) {
    forget(instances);
    for (size_t i = 0; i < list->elements && instances->count < REDIS_INSTANCES_MAX; i++) {
        char *text =
            list->element[i]->type == REDIS_REPLY_STRING ? strdup(list->element[i]->str) : NULL;
        if (text != NULL) {
            instances->texts[instances->count++] = text;
        }
    }
    instances->read_ms = clock_mono_ms();
}

static void on_list(void *context, const redisReply *reply) {
    struct redis_instances *instances = context;

    instances->under_way--;
    if (instances->ended) {
        redis_instances_free(instances);
    } else if (reply != NULL && reply->type == REDIS_REPLY_ARRAY) {
        take(instances, reply);
    }
}

int redis_instances_list(const struct redis_instances *instances, const char *const **texts,
                         unsigned *count) {
    if (!redis_is_up(instances->redis) || instances->read_ms == 0 ||
        clock_mono_ms() - instances->read_ms > REDIS_INSTANCES_LIFE_MS) {
        return -EAGAIN;
    }
    *texts = (const char *const *)instances->texts;
    *count = instances->count;
    return 0;
}
