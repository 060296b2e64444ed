#include "gateway/redis/redis_rooms.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_BYTES   256
#define ANSWERS_MAX 256u
/* Of all answers together: a reply of Redis has a bound (redis_reply.h). */
#define ANSWERS_BYTES "524288"

/* KEYS: rooms:asked, instances, the question's answers. ARGV: prefix, our instance, question and room, life, most. Answers
 * how many others there are, -1 when there are too many questions. */
static const char ask_script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) "
    "if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then return -1 end "
    "local others = 0 "
    "for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, 255)) do "
    "  if id ~= ARGV[2] and redis.call('EXISTS', ARGV[1] .. 'instance:' .. id) == 1 then "
    "    redis.call('HSET', KEYS[3], id, '') "
    "    others = others + 1 "
    "  end "
    "end "
    "if others > 0 then "
    "  redis.call('HSET', KEYS[3], ARGV[2], '?') "
    "  redis.call('PEXPIRE', KEYS[3], ARGV[4]) "
    "  redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[3]) "
    "end "
    "return others";

/* KEYS: the question's answers. ARGV: our instance, most bytes. */
static const char collect_script[] =
    "local all, texts, bytes = redis.call('HGETALL', KEYS[1]), {}, 0 "
    "for i = 1, #all, 2 do "
    "  if all[i] ~= ARGV[1] then "
    "    local text = all[i + 1] "
    "    bytes = bytes + #text "
    "    if text == '?' or bytes > tonumber(ARGV[2]) then text = '' end "
    "    texts[#texts + 1] = text "
    "  end "
    "end "
    "return texts";

/* KEYS: rooms:asked. ARGV: prefix, our instance, most. Answers the questions that nobody has answered for us. */
static const char poll_script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local mine = {} "
    "for _, asked in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do "
    "  if #mine == tonumber(ARGV[3]) then break end "
    "  local key = ARGV[1] .. 'rooms:answer:' .. asked:sub(1, 16) "
    "  local state = redis.call('HGET', key, ARGV[2]) "
    "  if (not state or state == '') and redis.call('EXISTS', key) == 1 then "
    "    redis.call('HSET', key, ARGV[2], '?') "
    "    mine[#mine + 1] = asked "
    "  end "
    "end "
    "return mine";

/* KEYS: the question's answers. ARGV: our instance, the answer. Who asked may have gone. */
static const char answer_script[] =
    "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end "
    "return 0";

struct call {
    redis_rooms_asked *asked;
    redis_rooms_answers *answers;
    redis_rooms_question *question;
    void *context;
};

static redis_done on_asked, on_answers, on_questions, on_answered;

static struct span key_of(char key[KEY_BYTES], const struct redis *redis, const char *name,
                          const char *id) {
    int length = snprintf(key, KEY_BYTES, "%s%s%s", redis_prefix(redis), name, id);

    assert(length > 0 && length < KEY_BYTES);
    return (struct span){key, (size_t)length};
}

static int begin(struct redis *redis, int count, const struct span *words, redis_done *done,
                 struct call call) {
    struct call *kept = malloc(sizeof(*kept));
    int result = -ENOMEM;

    if (kept != NULL) {
        *kept = call;
        result = redis_call(redis, count, words, done, kept);
    }
    if (result != 0) {
        free(kept);
    }
    return result;
}

int redis_rooms_ask(struct redis *redis, const char *instance, const char *id, struct span room,
                    redis_rooms_asked *done, void *context) {
    char asked[KEY_BYTES], instances[KEY_BYTES], answers[KEY_BYTES], question[KEY_BYTES], life[16],
        most[16];
    int length = snprintf(question, sizeof(question), "%s " SPAN_FORMAT, id, SPAN_ARGS(room));
    const struct span words[] = {
        SPAN_LITERAL("EVAL"),
        SPAN_LITERAL(ask_script),
        SPAN_LITERAL("3"),
        key_of(asked, redis, "rooms:asked", ""),
        key_of(instances, redis, "instances", ""),
        key_of(answers, redis, "rooms:answer:", id),
        span_of(redis_prefix(redis)),
        span_of(instance),
        {question, (size_t)length},
        {life, (size_t)snprintf(life, sizeof(life), "%d", REDIS_ROOMS_LIFE_MS)},
        {most, (size_t)snprintf(most, sizeof(most), "%d", REDIS_ROOMS_OPEN)}};

    return begin(redis, ARRAY_LENGTH(words), words, on_asked,
                 (struct call){.asked = done, .context = context});
}

static void on_asked(void *context, const redisReply *reply) {
    struct call *call = context;
    bool known = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0;

    call->asked(call->context, known ? (int)reply->integer : -1);
    free(call);
}

int redis_rooms_collect(struct redis *redis, const char *instance, const char *id,
                        redis_rooms_answers *done, void *context) {
    char answers[KEY_BYTES];
    const struct span words[] = {SPAN_LITERAL("EVAL"), SPAN_LITERAL(collect_script),
                                 SPAN_LITERAL("1"),    key_of(answers, redis, "rooms:answer:", id),
                                 span_of(instance),    SPAN_LITERAL(ANSWERS_BYTES)};

    return begin(redis, ARRAY_LENGTH(words), words, on_answers,
                 (struct call){.answers = done, .context = context});
}

static void on_answers(void *context, const redisReply *reply) {
    struct span answers[ANSWERS_MAX];
    struct call *call = context;
    unsigned count = 0;

    for (size_t i = 0; reply != NULL && reply->type == REDIS_REPLY_ARRAY && i < reply->elements &&
                       count < ANSWERS_MAX;
         i++) {
        const redisReply *text = reply->element[i];
        if (text->type == REDIS_REPLY_STRING) {
            answers[count++] = (struct span){text->str, text->len};
        }
    }
    call->answers(call->context, answers, count);
    free(call);
}

int redis_rooms_poll(struct redis *redis, const char *instance, redis_rooms_question *each,
                     void *context) {
    char asked[KEY_BYTES], most[16];
    const struct span words[] = {
        SPAN_LITERAL("EVAL"),
        SPAN_LITERAL(poll_script),
        SPAN_LITERAL("1"),
        key_of(asked, redis, "rooms:asked", ""),
        span_of(redis_prefix(redis)),
        span_of(instance),
        {most, (size_t)snprintf(most, sizeof(most), "%d", REDIS_ROOMS_POLL)}};

    return begin(redis, ARRAY_LENGTH(words), words, on_questions,
                 (struct call){.question = each, .context = context});
}

static void take_question(const struct call *call, const redisReply *text) {
    char id[REDIS_ROOMS_ID_BYTES];
    size_t digits = sizeof(id) - 1;

    if (text->type == REDIS_REPLY_STRING && text->len > digits + 1 && text->str[digits] == ' ') {
        memcpy(id, text->str, digits);
        id[digits] = '\0';
        call->question(call->context, id,
                       (struct span){text->str + digits + 1, text->len - digits - 1});
    }
}

static void on_questions(void *context, const redisReply *reply) {
    struct call *call = context;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < reply->elements; i++) {
            take_question(call, reply->element[i]);
        }
    }
    call->question(call->context, NULL, (struct span){NULL, 0});
    free(call);
}

void redis_rooms_answer(struct redis *redis, const char *instance, const char *id,
                        struct span answer) {
    char answers[KEY_BYTES];
    const struct span words[] = {SPAN_LITERAL("EVAL"), SPAN_LITERAL(answer_script),
                                 SPAN_LITERAL("1"),    key_of(answers, redis, "rooms:answer:", id),
                                 span_of(instance),    answer};

    if (redis_call(redis, ARRAY_LENGTH(words), words, on_answered, NULL) != 0) {
        return; /* its asker misses it */
    }
}

static void on_answered(void *context, const redisReply *reply) {
    (void)context;
    (void)reply;
}
