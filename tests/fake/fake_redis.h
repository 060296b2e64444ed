/* A Redis that writes down what it is asked, and answers when the test says so. Included once a program. */
#ifndef MOONX_TESTS_FAKE_FAKE_REDIS_H
#define MOONX_TESTS_FAKE_FAKE_REDIS_H

#include "gateway/redis/redis.h"

#include <check.h>
#include <stdlib.h>

#define FAKE_REDIS_CALLS 8

struct fake_redis_call {
    int count;
    char *words[REDIS_ARGUMENTS];
    redis_done *done;
    void *context;
};

static struct {
    bool up;
    struct event_base *base;
    struct stats *stats;
    struct fake_redis_call calls[FAKE_REDIS_CALLS];
    unsigned call_count;
} fake_redis;

bool redis_is_up(const struct redis *redis) {
    (void)redis;
    return fake_redis.up;
}

struct event_base *redis_loop(const struct redis *redis) {
    (void)redis;
    return fake_redis.base;
}

struct stats *redis_stats(const struct redis *redis) {
    (void)redis;
    return fake_redis.stats;
}

const char *redis_prefix(const struct redis *redis) {
    (void)redis;
    return "p:";
}

int redis_call(struct redis *redis, int count, const struct span *arguments, redis_done *done,
               void *context) {
    struct fake_redis_call *call = &fake_redis.calls[fake_redis.call_count];

    (void)redis;
    ck_assert_int_le(count, REDIS_ARGUMENTS);
    if (!fake_redis.up) {
        return -EAGAIN;
    }
    ck_assert_uint_lt(fake_redis.call_count, FAKE_REDIS_CALLS);
    *call = (struct fake_redis_call){.count = count, .done = done, .context = context};
    for (int i = 0; i < count; i++) {
        call->words[i] = strndup(arguments[i].data, arguments[i].length);
    }
    fake_redis.call_count++;
    return 0;
}

/* Answers the oldest call with this text of the protocol; NULL: none comes. */
static inline void fake_redis_answer(const char *text) {
    struct fake_redis_call call = fake_redis.calls[0];
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    ck_assert_uint_gt(fake_redis.call_count, 0);
    fake_redis.call_count--;
    memmove(fake_redis.calls, fake_redis.calls + 1,
            fake_redis.call_count * sizeof(fake_redis.calls[0]));
    for (int i = 0; i < call.count; i++) {
        free(call.words[i]);
    }
    if (text != NULL) {
        ck_assert_int_eq(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
        ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
        ck_assert_ptr_nonnull(reply);
    }
    call.done(call.context, reply);
    freeReplyObject(reply);
    redisReaderFree(reader);
}

#endif
