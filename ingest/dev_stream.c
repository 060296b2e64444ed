#include "ingest/dev_stream.h"

#include "common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define USER        "demo"
#define VALUE_BYTES 1024
#define OPEN_ORDERS 4

struct token {
    const char *name;
    int chain;
    double opening, price, volume;
};

struct order {
    uint64_t id;
    unsigned token, step; /* step: index into order_states */
    double amount;
};

struct kind;
struct dev_stream {
    const struct options *options;
    rd_kafka_t *producer;
    uint64_t random, serial;
    unsigned next_token;
    struct order orders[OPEN_ORDERS];
    uint64_t due_ms[8]; /* by kind */
};

static const struct token market[] = {
    {"ETH", 1, 2150.45, 0, 4.1e8},    {"WBTC", 1, 43210.10, 0, 9.7e7},
    {"LINK", 1, 14.82, 0, 3.3e7},     {"UNI", 1, 6.31, 0, 2.1e7},
    {"AAVE", 1, 98.77, 0, 1.2e7},     {"MKR", 1, 1480.2, 0, 8.8e6},
    {"LDO", 1, 2.44, 0, 1.4e7},       {"BNB", 56, 312.6, 0, 8.9e7},
    {"CAKE", 56, 2.31, 0, 9.9e6},     {"XVS", 56, 8.05, 0, 2.2e6},
    {"POL", 137, 0.8421, 0, 3.0e7},   {"QUICK", 137, 0.0512, 0, 1.1e6},
    {"GHST", 137, 1.07, 0, 7.1e5},    {"ARB", 42161, 1.12, 0, 5.6e7},
    {"GMX", 42161, 47.9, 0, 6.4e6},   {"MAGIC", 42161, 0.913, 0, 5.1e6},
    {"OP", 10, 2.37, 0, 4.4e7},       {"VELO", 10, 0.0734, 0, 2.9e6},
    {"AERO", 8453, 0.6611, 0, 1.3e7}, {"DEGEN", 8453, 0.01234, 0, 4.0e6},
};
#define TOKENS ARRAY_LENGTH(market)

static struct token tokens[TOKENS];
static const char *const order_states[] = {"pending", "open", "partially_filled", "filled"};

static void produce_price(struct dev_stream *stream, uint64_t wall_ms);
static void produce_trade(struct dev_stream *stream, uint64_t wall_ms);
static void produce_order(struct dev_stream *stream, uint64_t wall_ms);
static void produce_portfolio(struct dev_stream *stream, uint64_t wall_ms);
static void produce_notification(struct dev_stream *stream, uint64_t wall_ms);
static void produce_action(struct dev_stream *stream, uint64_t wall_ms);
static void produce_alert(struct dev_stream *stream, uint64_t wall_ms);

static const struct kind {
    unsigned every_ms;
    void (*produce)(struct dev_stream *stream, uint64_t wall_ms);
} kinds[] = {
    {33, produce_price},       {160, produce_trade},         {700, produce_order},
    {1500, produce_portfolio}, {6000, produce_notification}, {2500, produce_action},
    {45000, produce_alert},
};

static double uniform(struct dev_stream *stream);
static unsigned below(struct dev_stream *stream, unsigned limit);
static void walk(struct dev_stream *stream, struct token *token);
static void renew_order(struct dev_stream *stream, struct order *order);
static void produce(struct dev_stream *stream, const char *topic, const char *key,
                    const char *format, ...) PRINTF_LIKE(4, 5);

int dev_stream_new(const struct options *options, rd_kafka_t *producer, struct dev_stream **out) {
    struct dev_stream *stream = calloc(1, sizeof(*stream));
    uint64_t now_ms = clock_mono_ms();

    if (stream == NULL) {
        return -ENOMEM;
    }
    stream->options = options;
    stream->producer = producer;
    stream->random = clock_mono_ns() | 1;
    stream->serial = (uint64_t)clock_wall_ms();
    memcpy(tokens, market, sizeof(tokens));
    for (unsigned i = 0; i < TOKENS; i++) {
        tokens[i].price = tokens[i].opening * (0.97 + 0.06 * uniform(stream));
    }
    for (unsigned i = 0; i < OPEN_ORDERS; i++) {
        renew_order(stream, &stream->orders[i]);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
        stream->due_ms[i] = now_ms + below(stream, kinds[i].every_ms);
    }
    static_assert(ARRAY_LENGTH(kinds) <= ARRAY_LENGTH(stream->due_ms), "a due time for each kind");
    *out = stream;
    return 0;
}

int dev_stream_tick(struct dev_stream *stream, uint64_t now_ms) {
    uint64_t wall_ms = (uint64_t)clock_wall_ms(), soonest = now_ms + 1000;

    for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (now_ms >= stream->due_ms[i]) {
            kinds[i].produce(stream, wall_ms);
            /* Uneven, as life is; after a pause it does not make up for what was missed. */
            stream->due_ms[i] = now_ms + kinds[i].every_ms / 2 + below(stream, kinds[i].every_ms);
        }
        soonest = stream->due_ms[i] < soonest ? stream->due_ms[i] : soonest;
    }
    rd_kafka_poll(stream->producer, 0);
    return (int)(soonest - now_ms);
}

static void produce_price(struct dev_stream *stream, uint64_t wall_ms) {
    struct token *token = &tokens[stream->next_token++ % TOKENS];
    char key[64];

    walk(stream, token);
    snprintf(key, sizeof(key), "%d:%s", token->chain, token->name);
    produce(
        stream, stream->options->kafka_topic_prices, key,
        "{\"token\":\"%s\",\"chainId\":%d,\"price\":\"%.6g\",\"priceUsd\":%.6g,\"change24h\":%.2f,"
        "\"volume24h\":%.0f,\"timestamp\":%" PRIu64 "}",
        token->name, token->chain, token->price, token->price,
        (token->price / token->opening - 1) * 100, token->volume, wall_ms);
}

static void produce_trade(struct dev_stream *stream, uint64_t wall_ms) {
    const struct token *token = &tokens[below(stream, TOKENS)];
    double amount = 10 + 5000 * uniform(stream) * uniform(stream);
    uint64_t serial = ++stream->serial;
    char key[32];

    snprintf(key, sizeof(key), "t-%" PRIu64, serial);
    produce(stream, stream->options->kafka_topic_trades, key,
            "{\"tradeId\":\"%s\",\"userId\":\"trader-%u\",\"tokenIn\":\"USDC\",\"tokenOut\":\"%s\","
            "\"amountIn\":\"%.2f\",\"amountOut\":\"%.6g\",\"txHash\":\"0x%016" PRIx64 "%016" PRIx64
            "\","
            "\"chainId\":%d,\"timestamp\":%" PRIu64 "}",
            key, below(stream, 500), token->name, amount, amount / token->price,
            serial * 0x9e3779b97f4a7c15u, stream->random, token->chain, wall_ms);
}

static void produce_order(struct dev_stream *stream, uint64_t wall_ms) {
    struct order *order = &stream->orders[below(stream, OPEN_ORDERS)];
    const struct token *token = &tokens[order->token];

    produce(stream, stream->options->kafka_topic_orders, USER,
            "{\"orderId\":\"o-%" PRIu64 "\",\"userId\":\"" USER
            "\",\"status\":\"%s\",\"tokenIn\":\"USDC\","
            "\"tokenOut\":\"%s\",\"amountIn\":\"%.2f\",\"amountOut\":\"%.6g\",\"chainId\":%d,"
            "\"timestamp\":%" PRIu64 "}",
            order->id, order_states[order->step], token->name, order->amount,
            order->amount / token->price, token->chain, wall_ms);
    if (++order->step == ARRAY_LENGTH(order_states)) {
        renew_order(stream, order);
    }
}

static void produce_portfolio(struct dev_stream *stream, uint64_t wall_ms) {
    static const double balances[] = {1.5, 0.08, 120};
    double values[ARRAY_LENGTH(balances)], total = 0;

    for (unsigned i = 0; i < ARRAY_LENGTH(balances); i++) {
        values[i] = balances[i] * tokens[i].price;
        total += values[i];
    }
    produce(stream, stream->options->kafka_topic_portfolio, USER,
            "{\"userId\":\"" USER "\",\"totalValue\":%.2f,\"tokens\":["
            "{\"token\":\"%s\",\"balance\":\"%g\",\"valueUsd\":%.2f},"
            "{\"token\":\"%s\",\"balance\":\"%g\",\"valueUsd\":%.2f},"
            "{\"token\":\"%s\",\"balance\":\"%g\",\"valueUsd\":%.2f}],\"chainId\":1,\"timestamp\":"
            "%" PRIu64 "}",
            total, tokens[0].name, balances[0], values[0], tokens[1].name, balances[1], values[1],
            tokens[2].name, balances[2], values[2], wall_ms);
}

static void produce_notification(struct dev_stream *stream, uint64_t wall_ms) {
    const struct token *token = &tokens[below(stream, TOKENS)];
    bool up = token->price >= token->opening;

    produce(stream, stream->options->kafka_topic_notifications, USER,
            "{\"userId\":\"" USER
            "\",\"type\":\"%s\",\"title\":\"Price alert\",\"message\":\"%s is %s %.1f %% "
            "today\",\"actionUrl\":\"/tokens/%d/%s\",\"timestamp\":%" PRIu64 "}",
            up ? "success" : "warning", token->name, up ? "up" : "down",
            fabs(token->price / token->opening - 1) * 100, token->chain, token->name, wall_ms);
}

static void produce_action(struct dev_stream *stream, uint64_t wall_ms) {
    static const char *const actions[] = {"like", "comment", "share", "follow"};
    const struct token *token = &tokens[below(stream, TOKENS)];
    char user[32];

    snprintf(user, sizeof(user), "trader-%u", below(stream, 500));
    produce(stream, stream->options->kafka_topic_user_actions, user,
            "{\"action\":\"%s\",\"targetId\":\"%d:%s\",\"targetType\":\"token\",\"userId\":\"%s\","
            "\"metadata\":{},\"timestamp\":%" PRIu64 "}",
            actions[below(stream, ARRAY_LENGTH(actions))], token->chain, token->name, user,
            wall_ms);
}

static void produce_alert(struct dev_stream *stream, uint64_t wall_ms) {
    produce(stream, stream->options->kafka_topic_system_alerts, "alert",
            "{\"level\":\"info\",\"title\":\"Demo stream\",\"message\":\"This market is made up\","
            "\"timestamp\":%" PRIu64 "}",
            wall_ms);
}

/* Some 0.05 % a step, drawn gently back to where it opened so that a long demo stays in sight. */
static void walk(struct dev_stream *stream, struct token *token) {
    double step = (uniform(stream) + uniform(stream) - 1) * 0.0012;
    double pull = (token->opening / token->price - 1) * 0.002;

    token->price *= 1 + step + pull;
    token->volume *= 1 + step / 4;
}

static void renew_order(struct dev_stream *stream, struct order *order) {
    *order = (struct order){.id = ++stream->serial,
                            .token = below(stream, TOKENS),
                            .amount = 50 + 950 * uniform(stream)};
}

/* xorshift64 (Marsaglia 2003): a toy for a toy market, nothing secret depends on it. */
static uint64_t draw(struct dev_stream *stream) {
    stream->random ^= stream->random << 13;
    stream->random ^= stream->random >> 7;
    stream->random ^= stream->random << 17;
    return stream->random;
}

static double uniform(struct dev_stream *stream) {
    return (double)(draw(stream) >> 11) / 9007199254740992.0;
}

static unsigned below(struct dev_stream *stream, unsigned limit) {
    return (unsigned)(draw(stream) % limit);
}

/* A full queue loses the event: this is a demo. */
static void produce(struct dev_stream *stream, const char *topic, const char *key,
                    const char *format, ...) {
    char value[VALUE_BYTES];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < sizeof(value)) {
        (void)rd_kafka_producev(stream->producer, RD_KAFKA_V_TOPIC(topic),
                                RD_KAFKA_V_KEY(key, strlen(key)),
                                RD_KAFKA_V_VALUE(value, (size_t)length),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    }
}
