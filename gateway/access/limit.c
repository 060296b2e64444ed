#include "gateway/access/limit.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_NS 60000000000ull
#define SECOND_NS 1000000000ull

/* What a key stands for; types of messages follow. */
enum key_kind { KEY_ADDRESS, KEY_USER, KEY_BYTES, KEY_FIRST_TYPE };

static const struct address mapped_net = {{[10] = 0xff, [11] = 0xff}};

static int parse_messages(const char *text, struct limit *limit, char *error, size_t error_size);
static bool parse_element(struct span text, struct limit *limit);

int limit_new(const struct options *options, struct limit **out, char *error, size_t error_size) {
    struct limit *limit = calloc(1, sizeof(*limit));
    uint64_t handshakes = (uint64_t)options->rate_limit_max_handshakes_per_second;
    int result;

    if (limit == NULL) {
        snprintf(error, error_size, "RATE_LIMIT_ENABLED: out of memory");
        return -ENOMEM;
    }
    limit->options = options;
    limit->per_address = (uint64_t)options->rate_limit_max_connections_per_ip;
    limit->per_user = (uint64_t)options->rate_limit_max_connections_per_user;
    if (handshakes > 0) {
        limit->handshakes = (struct limit_rate){handshakes, SECOND_NS / handshakes};
    }
    if (options->rate_limit_max_bytes_per_minute > 0) {
        uint64_t bytes = (uint64_t)options->rate_limit_max_bytes_per_minute;
        limit->bytes = (struct limit_rate){bytes, MINUTE_NS / bytes};
    }
    result = parse_messages(options->rate_limit_max_messages_per_minute, limit, error, error_size);
    if (result != 0) {
        limit_free(limit);
        return result;
    }
    *out = limit;
    return 0;
}

int limit_attach(struct limit *limit, int fd, uint32_t worker, const struct siphash_key *hash_key) {
    struct limit_table table;
    int result = limit_table_map(fd, &table);

    if (result == 0 && worker >= table.workers) {
        limit_table_unmap(&table);
        result = -EPROTO;
    }
    if (result == 0) {
        limit->table = table;
        limit->worker = worker;
        limit->hash_key = *hash_key;
    }
    return result;
}

int limit_share(struct limit *limit, struct redis *redis) {
    int result = redis_limit_new(redis, &limit->table, &limit->shared);

    return result != 0 ? result
                       : redis_connections_new(redis, &limit->table, limit->worker, limit->options,
                                               &limit->connections);
}

void limit_adopt(struct limit *limit, struct limit *old, struct redis *redis) {
    if (limit->connections != NULL && old->connections != NULL) {
        redis_connections_free(limit->connections);
        limit->connections = old->connections;
        old->connections = NULL;
        redis_connections_move(limit->connections, redis, &limit->table, limit->options);
    }
}

void limit_free(struct limit *limit) {
    if (limit == NULL) {
        return;
    }
    redis_limit_free(limit->shared);
    redis_connections_free(limit->connections);
    if (limit->table.header != NULL) {
        limit_table_unmap(&limit->table);
    }
    free(limit);
}

/* The same bytes mean another key for each kind: the finishing steps of SplitMix64 (Steele and others, 2014). */
static uint64_t key_of(const struct limit *limit, unsigned kind, struct span bytes) {
    uint64_t key = siphash(&limit->hash_key, bytes) + kind * 0x9e3779b97f4a7c15ull;

    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9ull;
    key = (key ^ key >> 27) * 0x94d049bb133111ebull;
    return key ^ key >> 31;
}

/* One of the two things that connections are counted for. */
struct door {
    uint64_t key, most; /* most 0: any number */
    struct span kind, name;
};

/* Also who is refused for what is elsewhere is told: it may have gone. */
static bool enter(const struct limit *limit, const struct door *door, uint32_t *index) {
    uint64_t most = door->most != 0 ? door->most : UINT64_MAX;

    if (!limit_table_enter(&limit->table, limit->worker, door->key, most, clock_mono_ns(), index)) {
        return false;
    }
    if (limit->connections == NULL || door->most == 0 || *index == 0) {
        return true;
    }
    redis_connections_touch(limit->connections, *index, door->kind, door->name);
    if (redis_connections_over(limit->connections, *index, most)) {
        limit_table_leave(&limit->table, limit->worker, *index);
        return false;
    }
    return true;
}

bool limit_enter_address(const struct limit *limit, const struct address *address,
                         uint32_t *index) {
    bool is_ipv4 = memcmp(address->bytes, mapped_net.bytes, 12) == 0;
    struct span bytes = {(const char *)address->bytes, is_ipv4 ? 16 : 8};
    struct address net = *address;
    char name[ADDRESS_TEXT_BYTES];

    if (!is_ipv4) {
        memset(net.bytes + 8, 0, 8);
    }
    address_text(&net, name);
    const struct door door = {.key = key_of(limit, KEY_ADDRESS, bytes),
                              .most = limit->per_address,
                              .kind = SPAN_LITERAL("address"),
                              .name = span_of(name)};
    return enter(limit, &door, index);
}

bool limit_enter_user(const struct limit *limit, struct span user_id, uint32_t *index) {
    const struct door door = {.key = key_of(limit, KEY_USER, user_id),
                              .most = limit->per_user,
                              .kind = SPAN_LITERAL("user"),
                              .name = user_id};

    return enter(limit, &door, index);
}

void limit_leave(const struct limit *limit, uint32_t index) {
    uint64_t key = index != 0 ? limit_table_key(&limit->table, index) : 0;

    limit_table_leave(&limit->table, limit->worker, index);
    if (limit->connections != NULL && index != 0) {
        redis_connections_left(limit->connections, key);
    }
}

static unsigned seconds_of(uint64_t wait_ns) {
    return (unsigned)((wait_ns + SECOND_NS - 1) / SECOND_NS);
}

unsigned limit_handshake(const struct limit *limit) {
    if (limit->handshakes.burst == 0) {
        return 0;
    }
    return seconds_of(limit_table_take_host(&limit->table, &limit->handshakes, clock_mono_ns()));
}

/* One of a user's buckets, and how Redis calls it. */
struct bucket {
    uint32_t index;
    struct span kind;
    const struct limit_rate *rate;
};

/* Also who is refused is told: on other hosts or in Redis his bucket may have been filled again. */
static uint64_t take(const struct limit *limit, const struct bucket *bucket, uint64_t count,
                     struct span user_id, uint64_t now_ns) {
    uint64_t wait_ns = limit_table_take(&limit->table, bucket->index, bucket->rate, count, now_ns);

    if (limit->shared != NULL && bucket->index != 0) {
        uint64_t taken = count < bucket->rate->burst ? count : bucket->rate->burst;
        redis_limit_touch(limit->shared, bucket->index,
                          wait_ns == 0 ? taken * bucket->rate->interval_ns : 0, bucket->kind,
                          user_id);
    }
    return wait_ns;
}

static uint64_t take_type(const struct limit *limit, unsigned type, struct span user_id,
                          uint64_t now_ns) {
    char kind[LIMIT_TYPE_BYTES + 8];
    uint64_t key = key_of(limit, KEY_FIRST_TYPE + type, user_id);

    (void)snprintf(kind, sizeof(kind), "type:%s", limit->types[type].name);
    return take(limit,
                &(struct bucket){limit_table_find(&limit->table, key, now_ns), span_of(kind),
                                 &limit->types[type].rate},
                1, user_id, now_ns);
}

static uint64_t take_bytes(const struct limit *limit, size_t bytes, struct span user_id,
                           uint64_t now_ns) {
    uint32_t index = limit_table_find(&limit->table, key_of(limit, KEY_BYTES, user_id), now_ns);

    return take(limit, &(struct bucket){index, SPAN_LITERAL("bytes"), &limit->bytes}, bytes,
                user_id, now_ns);
}

/* The type's bucket first, then that of bytes: a message that is refused for these costs nothing of the others'. */
unsigned limit_message(const struct limit *limit, uint32_t user, struct span user_id,
                       const char *type, size_t bytes) {
    const struct bucket messages = {user, SPAN_LITERAL("messages"), &limit->messages};
    uint64_t now_ns = clock_mono_ns();
    uint64_t wait_ns = 0;

    for (unsigned i = 0; i < limit->type_count && wait_ns == 0; i++) {
        if (strcmp(limit->types[i].name, type) == 0) {
            wait_ns = take_type(limit, i, user_id, now_ns);
        }
    }
    if (wait_ns == 0 && limit->bytes.burst != 0) {
        wait_ns = take_bytes(limit, bytes, user_id, now_ns);
    }
    if (wait_ns == 0 && limit->messages.burst != 0) {
        wait_ns = take(limit, &messages, 1, user_id, now_ns);
    }
    return seconds_of(wait_ns);
}

static int parse_messages(const char *text, struct limit *limit, char *error, size_t error_size) {
    for (const char *at = text;; at++) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ",");
        if (!parse_element((struct span){at, length}, limit)) {
            snprintf(
                error, error_size,
                "RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: \"%s\": allowed is a number from 1 to %d, "
                "then TYPE=NUMBER for single types of messages, each once, separated by commas",
                text, LIMIT_PER_MINUTE_MAX);
            return -EINVAL;
        }
        at += length;
        if (*at == '\0') {
            return 0;
        }
    }
}

static bool parse_rate(struct span text, struct limit_rate *rate) {
    uint64_t number = 0;

    if (text.length < 1 || text.length > 7) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (number < 1 || number > LIMIT_PER_MINUTE_MAX) {
        return false;
    }
    *rate = (struct limit_rate){number, MINUTE_NS / number};
    return true;
}

static bool has_type(const struct limit *limit, struct span name) {
    for (unsigned i = 0; i < limit->type_count; i++) {
        if (span_is(name, limit->types[i].name)) {
            return true;
        }
    }
    return false;
}

static bool parse_element(struct span text, struct limit *limit) {
    const char *equals = text.length > 0 ? memchr(text.data, '=', text.length) : NULL;
    struct limit_type type = {.name = ""};

    if (equals == NULL) {
        return limit->messages.burst == 0 && parse_rate(text, &limit->messages);
    }
    struct span name = {text.data, (size_t)(equals - text.data)};
    struct span number = {equals + 1, text.length - name.length - 1};
    if (name.length == 0 || name.length > LIMIT_TYPE_BYTES || has_type(limit, name) ||
        limit->type_count == LIMIT_TYPES_MAX || !parse_rate(number, &type.rate)) {
        return false;
    }
    memcpy(type.name, name.data, name.length);
    limit->types[limit->type_count++] = type;
    return true;
}
