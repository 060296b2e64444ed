#include "gateway/redis/redis.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/resolver.h"
#include "gateway/redis/redis_address.h"
#include "gateway/redis/redis_calls.h"
#include "gateway/redis/redis_reply.h"
#include "shm/stats.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define TICK_MS        100
#define PROBE_EVERY_MS 1000
#define PROBE_LIFE_MS  "60000"
#define STEADY_MS      10000 /* up for so long, the next pause begins short again */
#define PAUSE_FIRST_MS 200
#define PAUSE_MOST_MS  5000
#define PLACE_BYTES    272 /* a host of 255 bytes in brackets, and a port */

enum state { OFF, WAITING, CONNECTING, GREETING, UP };

struct redis {
    struct redis_address address;
    char prefix[129];
    uint64_t timeout_ms;
    enum state state;
    uint64_t since_ms; /* the state's begin; WAITING: its end */
    uint64_t probe_ms; /* UP: the next probe */
    struct backoff pause;
    char fault[64]; /* as last logged, "" while all is well */
    struct stats *stats;
    struct event_base *base;
    struct evdns_base *dns;
    struct event *tick;
    struct bufferevent *socket; /* CONNECTING and after */
    redisReader *reader;        /* lives with the socket */
    struct redis_calls calls;
};

static void on_tick(evutil_socket_t fd, short what, void *context);
static void open_socket(struct redis *redis);
static void on_event(struct bufferevent *socket, short what, void *context);
static void on_bytes(struct bufferevent *socket, void *context);
static void greet(struct redis *redis);
static int probe(struct redis *redis, redis_done *done);
static void settle(struct redis *redis, const redisReply *reply);
static const char *place_of(const struct redis *redis, char text[PLACE_BYTES]);
static void fail(struct redis *redis, const char *fault);
static void set_state(struct redis *redis, enum state state);

int redis_new(const struct options *options, struct redis **out, char *error, size_t error_size) {
    struct redis_address address;
    int result = redis_address_read(options, &address, error, error_size);

    if (result <= 0) {
        return result;
    }
    struct redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL) {
        redis_address_done(&address);
        (void)snprintf(error, error_size, "REDIS_URL: out of memory");
        return -ENOMEM;
    }
    redis->address = address;
    (void)snprintf(redis->prefix, sizeof(redis->prefix), "%s", options->redis_key_prefix);
    redis->timeout_ms = (uint64_t)options->redis_timeout;
    redis->pause = (struct backoff){.first_ms = PAUSE_FIRST_MS, .most_ms = PAUSE_MOST_MS};
    redis_calls_init(&redis->calls);
    *out = redis;
    return 0;
}

static void close_socket(struct redis *redis) {
    if (redis->socket != NULL) {
        bufferevent_free(redis->socket);
        redis->socket = NULL;
    }
    if (redis->reader != NULL) {
        redisReaderFree(redis->reader);
        redis->reader = NULL;
    }
}

bool redis_same(const struct redis *a, const struct redis *b) {
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return redis_address_same(&a->address, &b->address) && strcmp(a->prefix, b->prefix) == 0 &&
           a->timeout_ms == b->timeout_ms;
}

void redis_stop(struct redis *redis) {
    if (redis == NULL) {
        return;
    }
    redis->state = OFF;
    if (redis->stats != NULL) {
        redis_show(redis);
    }
    close_socket(redis);
    redis_calls_end(&redis->calls);
    if (redis->tick != NULL) {
        event_free(redis->tick);
        redis->tick = NULL;
    }
    if (redis->dns != NULL) {
        evdns_base_free(redis->dns, 0);
        redis->dns = NULL;
    }
}

void redis_free(struct redis *redis) {
    if (redis == NULL) {
        return;
    }
    redis_stop(redis);
    redis_address_done(&redis->address);
    free(redis);
}

int redis_start(struct redis *redis, struct event_base *base, struct stats *stats) {
    static const struct timeval tick = {.tv_usec = TICK_MS * 1000L};

    redis->stats = stats;
    redis->base = base;
    redis->dns = resolver_new(base);
    redis->tick = event_new(base, -1, EV_PERSIST, on_tick, redis);
    if (redis->dns == NULL || redis->tick == NULL || event_add(redis->tick, &tick) != 0) {
        return -ENOMEM;
    }
    open_socket(redis);
    return 0;
}

void redis_show(const struct redis *redis) {
    stats_set(redis->stats, STAT_REDIS_UP, redis->state == UP);
    stats_set(redis->stats, STAT_REDIS_DOWN, redis->state != UP && redis->state != OFF);
}

bool redis_is_up(const struct redis *redis) {
    return redis->state == UP;
}

struct event_base *redis_loop(const struct redis *redis) {
    return redis->base;
}

struct stats *redis_stats(const struct redis *redis) {
    return redis->stats;
}

const char *redis_prefix(const struct redis *redis) {
    return redis->prefix;
}

int redis_call(struct redis *redis, int count, const struct span *arguments, redis_done *done,
               void *context) {
    if (redis->state != UP || redis->calls.count >= REDIS_CALLS_MAX ||
        evbuffer_get_length(bufferevent_get_output(redis->socket)) > REDIS_OUT_BYTES) {
        return -EAGAIN;
    }
    return redis_calls_send(&redis->calls, redis->socket, count, arguments, done, context);
}

static void on_probe(void *context, const redisReply *reply) {
    (void)context;
    (void)reply; /* what is wrong with it settle() has seen */
}

/* Whether what is under way has lasted too long. */
static bool is_late(const struct redis *redis, uint64_t now_ms) {
    if (redis->state == UP) {
        return redis_calls_wait_ms(&redis->calls, now_ms) > redis->timeout_ms;
    }
    return (redis->state == CONNECTING || redis->state == GREETING) &&
           now_ms - redis->since_ms > redis->timeout_ms;
}

static void look_after(struct redis *redis, uint64_t now_ms) {
    if (now_ms - redis->since_ms > STEADY_MS) {
        backoff_reset(&redis->pause);
    }
    if (redis->calls.count == 0 && now_ms >= redis->probe_ms) {
        redis->probe_ms = now_ms + PROBE_EVERY_MS;
        if (probe(redis, on_probe) != 0) {
            fail(redis, "out of memory");
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    struct redis *redis = context;
    uint64_t now_ms = clock_mono_ms();

    (void)fd;
    (void)what;
    if (is_late(redis, now_ms)) {
        fail(redis, "no answer in time");
    } else if (redis->state == WAITING && now_ms >= redis->since_ms) {
        open_socket(redis);
    } else if (redis->state == UP) {
        look_after(redis, now_ms);
    }
}

/* Where it is: a socket's path, or a name or address that libevent's resolver takes care of. Of a name's addresses it
 * tries the first, so every second attempt asks for IPv4: `localhost` may mean ::1 first. */
static int begin_connect(struct redis *redis) {
    const struct redis_address *address = &redis->address;
    struct sockaddr_un path = {.sun_family = AF_UNIX};

    if (address->host[0] != '/') {
        int family = redis->pause.step % 2 == 0 ? AF_UNSPEC : AF_INET;
        return bufferevent_socket_connect_hostname(redis->socket, redis->dns, family, address->host,
                                                   address->port);
    }
    memcpy(path.sun_path, address->host, strlen(address->host) + 1); /* redis_address: it fits */
    return bufferevent_socket_connect(redis->socket, (struct sockaddr *)&path, sizeof(path));
}

static void open_socket(struct redis *redis) {
    redis->reader = redis_reply_reader();
    redis->socket =
        bufferevent_socket_new(redis->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (redis->reader == NULL || redis->socket == NULL) {
        fail(redis, "out of memory");
        return;
    }
    set_state(redis, CONNECTING);
    bufferevent_setcb(redis->socket, on_bytes, NULL, on_event, redis);
    if (bufferevent_enable(redis->socket, EV_READ | EV_WRITE) != 0 || begin_connect(redis) != 0) {
        fail(redis, "can't connect");
    }
}

static void on_event(struct bufferevent *socket, short what, void *context) {
    struct redis *redis = context;

    if (socket != redis->socket) {
        return;
    }
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        greet(redis);
    } else if (bufferevent_socket_get_dns_error(socket) != 0) {
        fail(redis, evutil_gai_strerror(bufferevent_socket_get_dns_error(socket)));
    } else if ((what & BEV_EVENT_ERROR) != 0) {
        fail(redis, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    } else {
        fail(redis, "the connection was closed");
    }
}

/* Also when a reply has made us close this very connection. */
static void read_replies(struct redis *redis, const redisReader *reader) {
    redisReply *reply = NULL;
    int found;

    while (redis->reader == reader && (found = redis_reply_next(redis->reader, &reply)) != 0) {
        if (found < 0) {
            fail(redis, "what answers is no Redis");
            return;
        }
        settle(redis, reply);
        freeReplyObject(reply);
    }
}

static void on_bytes(struct bufferevent *socket, void *context) {
    struct redis *redis = context;
    struct evbuffer *input = bufferevent_get_input(socket);
    char bytes[16384];
    int length;

    while (redis->socket == socket && (length = evbuffer_remove(input, bytes, sizeof(bytes))) > 0) {
        if (redis_reply_feed(redis->reader, (struct span){bytes, (size_t)length}) != 0) {
            fail(redis, "an answer is too long");
            return;
        }
        read_replies(redis, redis->reader);
    }
}

/* Any error ends the attempt. What it says stays out of the log: a stranger on that port could say the password. */
static void on_greeting(void *context, const redisReply *reply) {
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        fail(context, "it refuses AUTH, SELECT or SET");
    }
}

static void on_first_probe(void *context, const redisReply *reply) {
    struct redis *redis = context;
    char place[PLACE_BYTES];

    on_greeting(context, reply);
    if (reply == NULL || redis->state != GREETING) {
        return;
    }
    set_state(redis, UP);
    if (redis->fault[0] != '\0') {
        redis->fault[0] = '\0';
        log_info("Redis at %s answers again", place_of(redis, place));
    }
}

static void greet(struct redis *redis) {
    const struct redis_address *address = &redis->address;
    int error = 0;
    char database[16];

    set_state(redis, GREETING);
    if (address->password != NULL) {
        struct span with_user[] = {SPAN_LITERAL("AUTH"), span_of(address->user),
                                   secret_bytes(address->password)};
        struct span alone[] = {SPAN_LITERAL("AUTH"), secret_bytes(address->password)};
        bool named = address->user[0] != '\0';
        error = redis_calls_send(&redis->calls, redis->socket, named ? 3 : 2,
                                 named ? with_user : alone, on_greeting, redis);
    }
    if (error == 0 && address->database != 0) {
        (void)snprintf(database, sizeof(database), "%u", address->database);
        struct span select[] = {SPAN_LITERAL("SELECT"), span_of(database)};
        error = redis_calls_send(&redis->calls, redis->socket, 2, select, on_greeting, redis);
    }
    error = error != 0 ? error : probe(redis, on_first_probe);
    if (error != 0) {
        fail(redis, "out of memory");
    }
}

static int probe(struct redis *redis, redis_done *done) {
    char key[160];
    int length = snprintf(key, sizeof(key), "%sprobe", redis->prefix);
    const struct span command[] = {SPAN_LITERAL("SET"),
                                   {key, (size_t)length},
                                   SPAN_LITERAL("1"),
                                   SPAN_LITERAL("PX"),
                                   SPAN_LITERAL(PROBE_LIFE_MS)};

    return redis_calls_send(&redis->calls, redis->socket, ARRAY_LENGTH(command), command, done,
                            redis);
}

/* The reply to the oldest call. */
static void settle(struct redis *redis, const redisReply *reply) {
    bool down = redis_reply_is_down(reply);
    char word[32] = "";

    if (down) {
        redis_reply_word(reply, word, sizeof(word));
    }
    if (!redis_calls_settle(&redis->calls, down ? NULL : reply)) {
        fail(redis, "what answers is no Redis"); /* nobody has asked it */
    } else if (down) {
        fail(redis, word);
    }
}

static const char *place_of(const struct redis *redis, char text[PLACE_BYTES]) {
    const struct redis_address *address = &redis->address;
    bool brackets = strchr(address->host, ':') != NULL; /* an IPv6 address */

    if (address->host[0] == '/') {
        (void)snprintf(text, PLACE_BYTES, "%s", address->host);
    } else {
        (void)snprintf(text, PLACE_BYTES, "%s%s%s:%u", brackets ? "[" : "", address->host,
                       brackets ? "]" : "", (unsigned)address->port);
    }
    return text;
}

/* Each fault is logged once, however often it is met again. */
static void fail(struct redis *redis, const char *fault) {
    char place[PLACE_BYTES];
    uint32_t pause_ms = backoff_next_ms(&redis->pause, (uint32_t)random() << 1);

    if (strncmp(redis->fault, fault, sizeof(redis->fault) - 1) != 0) {
        (void)snprintf(redis->fault, sizeof(redis->fault), "%s", fault);
        log_warn("Redis at %s is not to be had: %s; this host goes on alone and tries again",
                 place_of(redis, place), fault);
    }
    stats_add(redis->stats, STAT_REDIS_FAILURES, 1);
    set_state(redis, WAITING);
    redis->since_ms += pause_ms;
    close_socket(redis);
    redis_calls_end(&redis->calls);
}

static void set_state(struct redis *redis, enum state state) {
    redis->state = state;
    redis->since_ms = clock_mono_ms();
    redis_show(redis);
}
