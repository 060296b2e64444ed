#include "gateway/redis/redis_presence.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY_BYTES 160 /* a sign, 17 of a connection's id, and a user's id */
#define ID_BYTES    17
#define KEY_BYTES   300

/* KEYS: online. ARGV: prefix, what stands behind a user's id in the JSON of a socket, LIFE, PRESENCE_GRACE, how many
 * may be told gone; then the entries: `+` or `-`, the connection's id, the user's. Answers {who has come, who has
 * gone}. The other keys are made here: this is one node. */
static const char tell_script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local online, prefix, rest, life = KEYS[1], ARGV[1], ARGV[2], ARGV[3] "
    "local came = {} "
    "for i = 6, #ARGV do "
    "  local entry = ARGV[i] "
    "  local id, user = entry:sub(2, 18), entry:sub(19) "
    "  local sockets = prefix .. 'user:' .. user .. ':sockets' "
    "  if entry:sub(1, 1) == '+' then "
    "    redis.call('SET', prefix .. 'socket:' .. id, '{\"userId\":\"' .. user .. rest, 'PX', "
    "life) "
    "    redis.call('ZADD', sockets, now + life, id) "
    "    redis.call('PEXPIRE', sockets, life) "
    "    if redis.call('ZADD', online, now + life, user) == 1 then came[#came + 1] = user end "
    "  else "
    "    redis.call('DEL', prefix .. 'socket:' .. id) "
    "    redis.call('ZREM', sockets, id) "
    "    redis.call('ZREMRANGEBYSCORE', sockets, '-inf', now) "
    "    if redis.call('EXISTS', sockets) == 0 then "
    "      redis.call('ZADD', online, 'XX', now + ARGV[4], user) "
    "    end "
    "  end "
    "end "
    "local gone = redis.call('ZRANGEBYSCORE', online, '-inf', now, 'LIMIT', 0, ARGV[5]) "
    "if #gone > 0 then redis.call('ZREM', online, unpack(gone)) end "
    "return {came, gone}";

/* KEYS: connections of users; answers for each how many there are. */
static const char ask_script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local counts = {} "
    "for i, key in ipairs(KEYS) do counts[i] = redis.call('ZCOUNT', key, '(' .. now, '+inf') end "
    "return counts";

struct redis_presence {
    struct redis *redis;
    redis_presence_change *change; /* NULL: it has ended, and lives until its last answer */
    void *context;
    char *socket_rest;
    char life[16], grace[16], gone[16];
    char entries[REDIS_PRESENCE_ENTRIES][ENTRY_BYTES];
    uint8_t lengths[REDIS_PRESENCE_ENTRIES];
    unsigned count;
    unsigned under_way;
};

static redis_done on_told;
static redis_done on_counts;

/* `","instance":"..."}`: a user's id needs no escape (access/identity.h), an instance's may. */
static char *rest_of_socket(const char *instance) {
    cJSON *text = cJSON_CreateString(instance);
    char *quoted = text != NULL ? cJSON_PrintUnformatted(text) : NULL;
    char *rest = NULL;

    if (quoted != NULL && asprintf(&rest, "\",\"instance\":%s}", quoted) < 0) {
        rest = NULL;
    }
    free(quoted);
    cJSON_Delete(text);
    return rest;
}

int redis_presence_new(struct redis *redis, const struct options *options,
                       redis_presence_change *change, void *context, struct redis_presence **out) {
    struct redis_presence *presence = calloc(1, sizeof(*presence));

    if (presence == NULL ||
        (presence->socket_rest = rest_of_socket(options->instance_id)) == NULL) {
        free(presence);
        return -ENOMEM;
    }
    presence->redis = redis;
    presence->change = change;
    presence->context = context;
    (void)snprintf(presence->life, sizeof(presence->life), "%ld", (long)options->redis_expiry);
    (void)snprintf(presence->grace, sizeof(presence->grace), "%ld", (long)options->presence_grace);
    (void)snprintf(presence->gone, sizeof(presence->gone), "%d", REDIS_PRESENCE_GONE);
    *out = presence;
    return 0;
}

static void destroy(struct redis_presence *presence) {
    free(presence->socket_rest);
    free(presence);
}

void redis_presence_free(struct redis_presence *presence) {
    if (presence == NULL) {
        return;
    }
    redis_presence_flush(presence, false);
    presence->change = NULL;
    if (presence->under_way == 0) {
        destroy(presence);
    }
}

static void add(struct redis_presence *presence, char sign, const char *connection,
                struct span user) {
    char *entry = presence->entries[presence->count];
    int length = snprintf(entry, ENTRY_BYTES, "%c%.*s" SPAN_FORMAT, sign, ID_BYTES, connection,
                          SPAN_ARGS(user));

    if (length <= ID_BYTES || length >= ENTRY_BYTES) {
        return; /* no such user id gets this far */
    }
    presence->lengths[presence->count++] = (uint8_t)length;
    if (presence->count == REDIS_PRESENCE_ENTRIES) {
        redis_presence_flush(presence, false);
    }
}

void redis_presence_hold(struct redis_presence *presence, const char *connection,
                         struct span user) {
    add(presence, '+', connection, user);
}

void redis_presence_drop(struct redis_presence *presence, const char *connection,
                         struct span user) {
    add(presence, '-', connection, user);
}

/* What Redis can't be told now: what is there is told again within a third of LIFE, what is gone runs out. */
void redis_presence_flush(struct redis_presence *presence, bool sweep) {
    char online[KEY_BYTES];
    struct span words[9 + REDIS_PRESENCE_ENTRIES] = {
        SPAN_LITERAL("EVAL"),
        SPAN_LITERAL(tell_script),
        SPAN_LITERAL("1"),
        {online, 0},
        span_of(redis_prefix(presence->redis)),
        span_of(presence->socket_rest),
        span_of(presence->life),
        span_of(presence->grace),
        span_of(presence->gone),
    };

    if (presence->count == 0 && !sweep) {
        return;
    }
    words[3].length =
        (size_t)snprintf(online, sizeof(online), "%sonline", redis_prefix(presence->redis));
    for (unsigned i = 0; i < presence->count; i++) {
        words[9 + i] = (struct span){presence->entries[i], presence->lengths[i]};
    }
    presence->under_way++;
    if (redis_call(presence->redis, (int)(9 + presence->count), words, on_told, presence) != 0) {
        presence->under_way--;
    }
    presence->count = 0;
}

static void tell_changes(struct redis_presence *presence, const redisReply *users, bool online) {
    if (users->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (size_t i = 0; i < users->elements; i++) {
        const redisReply *user = users->element[i];
        if (user->type == REDIS_REPLY_STRING) {
            presence->change(presence->context, (struct span){user->str, user->len}, online);
        }
    }
}

static void on_told(void *context, const redisReply *reply) {
    struct redis_presence *presence = context;
    bool is_answer = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;

    presence->under_way--;
    if (presence->change == NULL && presence->under_way == 0) {
        destroy(presence);
    } else if (presence->change != NULL && is_answer) {
        tell_changes(presence, reply->element[0], true);
        tell_changes(presence, reply->element[1], false);
    }
}

struct question {
    redis_presence_answer *answer;
    void *context;
    unsigned count;
};

int redis_presence_ask(struct redis_presence *presence, const struct span *users, unsigned count,
                       redis_presence_answer *answer, void *context) {
    char keys[REDIS_PRESENCE_ENTRIES][KEY_BYTES], number[16];
    struct span words[3 + REDIS_PRESENCE_ENTRIES] = {SPAN_LITERAL("EVAL"),
                                                     SPAN_LITERAL(ask_script)};
    struct question *question = malloc(sizeof(*question));
    int result = -ENOMEM;

    assert(count <= REDIS_PRESENCE_ENTRIES);
    if (question != NULL) {
        *question = (struct question){.answer = answer, .context = context, .count = count};
        (void)snprintf(number, sizeof(number), "%u", count);
        words[2] = span_of(number);
        for (unsigned i = 0; i < count; i++) {
            int length = snprintf(keys[i], KEY_BYTES, "%suser:" SPAN_FORMAT ":sockets",
                                  redis_prefix(presence->redis), SPAN_ARGS(users[i]));
            words[3 + i] = (struct span){keys[i], (size_t)length};
        }
        result = redis_call(presence->redis, (int)(3 + count), words, on_counts, question);
    }
    if (result != 0) {
        free(question);
    }
    return result;
}

static void on_counts(void *context, const redisReply *reply) {
    struct question *question = context;
    bool online[REDIS_PRESENCE_ENTRIES] = {false};
    bool is_answer =
        reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == question->count;

    for (unsigned i = 0; is_answer && i < question->count; i++) {
        online[i] =
            reply->element[i]->type == REDIS_REPLY_INTEGER && reply->element[i]->integer > 0;
    }
    question->answer(question->context, is_answer ? online : NULL, question->count);
    free(question);
}
