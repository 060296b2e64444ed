#include "ingest/route_table.h"

#include "common/table_file.h"
#include "ingest/route_parse.h"

#include <stdio.h>
#include <stdlib.h>

/* The protocol's own routes; the topic comes from an option. */
struct builtin {
    size_t topic_at; /* in struct options */
    const char *option;
    const char *rest;
};

/* clang-format off */
static const struct builtin builtins[] = {
#define TOPIC(field, name) offsetof(struct options, field), name
    {TOPIC(kafka_topic_prices, "KAFKA_TOPIC_PRICES"),
     "price_update prices,prices:{chainId}:{token} conflate={chainId}:{token} require=token,price"},
    {TOPIC(kafka_topic_orders, "KAFKA_TOPIC_ORDERS"),
     "order_update orders:{userId},order:{orderId} require=orderId,userId"},
    {TOPIC(kafka_topic_portfolio, "KAFKA_TOPIC_PORTFOLIO"),
     "portfolio_update portfolio:{userId} require=userId"},
    {TOPIC(kafka_topic_trades, "KAFKA_TOPIC_TRADES"), "trade_update trades require=tradeId"},
    {TOPIC(kafka_topic_notifications, "KAFKA_TOPIC_NOTIFICATIONS"),
     "notification notifications:{userId}/notifications require=title,message"},
    {TOPIC(kafka_topic_user_actions, "KAFKA_TOPIC_USER_ACTIONS"), "user_action user_actions"},
    {TOPIC(kafka_topic_system_alerts, "KAFKA_TOPIC_SYSTEM_ALERTS"), "system_alert system_alerts"},
    {TOPIC(kafka_topic_events, "KAFKA_TOPIC_EVENTS"), "- -"},
    {TOPIC(kafka_topic_control, "KAFKA_TOPIC_CONTROL"), "@control -"},
#undef TOPIC
};
/* clang-format on */

static int new_builtin(const struct options *options, struct route_table **out, char *error,
                       size_t error_size);
static int check_topics(const struct options *options, char *error, size_t error_size);
static int check_dead_letters(const struct options *options, const struct route_table *table,
                              char *error, size_t error_size);
static const char *topic_of(const struct options *options, const struct builtin *builtin);
static int add_row(void *context, const struct table_row *row, char *error, size_t error_size);
static int append(struct route_table *table, struct route *route);
static int finish(int result, const char *name, struct route_table *table, struct route_table **out,
                  char *error, size_t error_size);

int route_table_new(const struct options *options, struct route_table **out, char *error,
                    size_t error_size) {
    struct route_table *table;
    int result;

    if (options->routes_file[0] == '\0') {
        return new_builtin(options, out, error, error_size);
    }
    table = calloc(1, sizeof(*table));
    if (table == NULL) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    result = table_file_read(options->routes_file, add_row, table, error, error_size);
    if (result == 0) {
        result = check_dead_letters(options, table, error, error_size);
    }
    return finish(result, options->routes_file, table, out, error, error_size);
}

int route_table_parse(const char *name, struct span text, struct route_table **out, char *error,
                      size_t error_size) {
    struct route_table *table = calloc(1, sizeof(*table));
    int result;

    if (table == NULL) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    result = table_file_parse(name, text, add_row, table, error, error_size);
    return finish(result, name, table, out, error, error_size);
}

void route_table_free(struct route_table *table) {
    if (table == NULL) {
        return;
    }
    for (unsigned i = 0; i < table->count; i++) {
        route_parse_free(table->routes[i]);
    }
    free(table->routes);
    free(table);
}

const struct route *route_table_find(const struct route_table *table, struct span topic) {
    for (unsigned i = 0; i < table->count; i++) {
        if (span_is(topic, table->routes[i]->topic)) {
            return table->routes[i];
        }
    }
    return NULL;
}

static int new_builtin(const struct options *options, struct route_table **out, char *error,
                       size_t error_size) {
    char text[ARRAY_LENGTH(builtins) * (ROUTE_TOPIC_MAX_BYTES + 128)];
    size_t length = 0;
    int result = check_topics(options, error, error_size);

    if (result < 0) {
        return result;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(builtins); i++) {
        int put = snprintf(text + length, sizeof(text) - length, "%s %s\n",
                           topic_of(options, &builtins[i]), builtins[i].rest);
        assert(put > 0 && (size_t)put < sizeof(text) - length);
        length += (size_t)put;
    }
    result =
        route_table_parse("built-in routes", (struct span){text, length}, out, error, error_size);
    if (result == 0 && (result = check_dead_letters(options, *out, error, error_size)) < 0) {
        route_table_free(*out);
        *out = NULL;
    }
    return result;
}

/* Here and not by the parser, so that the message names the option. */
static int check_topics(const struct options *options, char *error, size_t error_size) {
    for (unsigned i = 0; i < ARRAY_LENGTH(builtins); i++) {
        const char *topic = topic_of(options, &builtins[i]);
        if (!route_parse_topic_valid(span_of(topic))) {
            snprintf(error, error_size,
                     "%s: \"%s\" is no topic name (1 to 249 of A-Z a-z 0-9 . _ -)",
                     builtins[i].option, topic);
            return -EINVAL;
        }
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(topic, topic_of(options, &builtins[j])) == 0) {
                snprintf(error, error_size,
                         "%s and %s are both \"%s\": each needs a topic of its own",
                         builtins[j].option, builtins[i].option, topic);
                return -EINVAL;
            }
        }
    }
    return 0;
}

/* What is bad there would be written there again, for ever. */
static int check_dead_letters(const struct options *options, const struct route_table *table,
                              char *error, size_t error_size) {
    const char *topic = options->dead_letter_topic;

    if (topic[0] == '\0') {
        return 0;
    }
    if (!route_parse_topic_valid(span_of(topic))) {
        snprintf(error, error_size,
                 "DEAD_LETTER_TOPIC: \"%s\" is no topic name (1 to 249 of A-Z a-z 0-9 . _ -)",
                 topic);
        return -EINVAL;
    }
    if (route_table_find(table, span_of(topic)) != NULL) {
        snprintf(error, error_size,
                 "DEAD_LETTER_TOPIC: \"%s\" has a route: it can't be consumed as well", topic);
        return -EINVAL;
    }
    return 0;
}

static const char *topic_of(const struct options *options, const struct builtin *builtin) {
    option_text topic;

    memcpy(&topic, (const char *)options + builtin->topic_at, sizeof(topic));
    return topic;
}

static int add_row(void *context, const struct table_row *row, char *error, size_t error_size) {
    struct route_table *table = context;
    struct route *route;
    const struct route *other;
    int result = route_parse_row(row, &route, error, error_size);

    if (result < 0) {
        return result;
    }
    other = route_table_find(table, span_of(route->topic));
    if (other != NULL) {
        snprintf(error, error_size, "%s:%u: topic '%s' has a route already, in line %u", row->file,
                 row->line, route->topic, other->line);
        result = -EINVAL;
    } else if (table->count == ROUTE_MAX_ROUTES) {
        snprintf(error, error_size, "%s:%u: more than %d routes", row->file, row->line,
                 ROUTE_MAX_ROUTES);
        result = -EINVAL;
    } else {
        result = append(table, route);
    }
    if (result < 0) {
        route_parse_free(route);
    }
    return result;
}

static int append(struct route_table *table, struct route *route) {
    struct route **grown = realloc(table->routes, (table->count + 1) * sizeof(struct route *));

    if (grown == NULL) {
        return -ENOMEM;
    }
    table->routes = grown;
    table->routes[table->count++] = route;
    return 0;
}

static int finish(int result, const char *name, struct route_table *table, struct route_table **out,
                  char *error, size_t error_size) {
    if (result == 0 && table->count == 0) {
        snprintf(error, error_size, "%s: no routes in it", name);
        result = -EINVAL;
    }
    if (result < 0) {
        route_table_free(table);
        return result;
    }
    *out = table;
    return 0;
}
