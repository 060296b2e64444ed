#include "gateway/access/middleware.h"

#include "gateway/message/message.h"

#include <stdio.h>
#include <stdlib.h>

const struct middleware_handshake_row middleware_handshake_table[] = {
    {{"capacity", "503", STAT_REFUSED_FULL, NULL}, middleware_capacity},
    {{"handshakes", "503", STAT_REFUSED_RATE, NULL}, middleware_handshakes},
    {{"address", "400, 403", STAT_REFUSED_ADDRESS, NULL}, middleware_address},
    {{"origin", "403", STAT_REFUSED_ORIGIN, NULL}, middleware_origin},
    {{"connections", "429", STAT_REFUSED_PER_ADDRESS, NULL}, middleware_connections},
    {{"token", "401, 503", STAT_REFUSED_TOKEN, "AUTH_SERVICE_TIMEOUT"}, middleware_token},
    {{NULL, NULL, STAT_COUNT, NULL}, NULL},
};

const struct middleware_identity_row middleware_identity_table[] = {
    {{"user", "RATE_LIMIT_EXCEEDED, 1008", STAT_REFUSED_PER_USER, NULL}, middleware_user},
    {{NULL, NULL, STAT_COUNT, NULL}, NULL},
};

const struct middleware_message_row middleware_message_table[] = {
    {{"messages", "RATE_LIMIT_EXCEEDED, 1008", STAT_MESSAGES_LIMITED, NULL}, middleware_messages},
    {{"types", "MIDDLEWARE_REJECTED", STAT_MESSAGES_DENIED, NULL}, middleware_types},
    {{NULL, NULL, STAT_COUNT, NULL}, NULL},
};

static const struct middleware nothing_configured;

static int read_options(const struct options *options, struct middleware *middleware, char *error,
                        size_t error_size);

int middleware_new(const struct options *options, struct middleware **out, char *error,
                   size_t error_size) {
    struct middleware *middleware = calloc(1, sizeof(*middleware));
    int result;

    if (middleware == NULL) {
        snprintf(error, error_size, "ALLOWED_ORIGINS: out of memory");
        return -ENOMEM;
    }
    result = read_options(options, middleware, error, error_size);
    if (result != 0) {
        middleware_free(middleware);
        return result;
    }
    *out = middleware;
    return 0;
}

/* A limit of a type that nobody can send is a typing error. */
static int check_types(const struct limit *limit, char *error, size_t error_size) {
    for (unsigned i = 0; i < limit->type_count; i++) {
        if (message_row_of(span_of(limit->types[i].name)) == NULL) {
            snprintf(error, error_size,
                     "RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: \"%s\" is no type of message that "
                     "clients send, such as subscribe or ping",
                     limit->types[i].name);
            return -EINVAL;
        }
    }
    return 0;
}

static int read_options(const struct options *options, struct middleware *middleware, char *error,
                        size_t error_size) {
    const struct {
        const char *option, *text;
        struct address_list **list;
    } lists[] = {
        {"ADDRESS_ALLOW", options->address_allow, &middleware->allow},
        {"ADDRESS_DENY", options->address_deny, &middleware->deny},
        {"TRUSTED_PROXIES", options->trusted_proxies, &middleware->trusted},
    };
    int result = origin_list_new(options->allowed_origins, &middleware->origins, error, error_size);

    for (size_t i = 0; i < ARRAY_LENGTH(lists) && result == 0; i++) {
        result = address_list_new(lists[i].option, lists[i].text, lists[i].list, error, error_size);
    }
    if (result == 0 && options->proxy_protocol && address_list_empty(middleware->trusted)) {
        snprintf(error, error_size,
                 "PROXY_PROTOCOL: true believes nobody while TRUSTED_PROXIES is empty; name there "
                 "the proxies that send the header");
        result = -EINVAL;
    }
    if (result == 0) {
        result =
            middleware_types_read(options->messages_denied, &middleware->denied, error, error_size);
    }
    if (result == 0 && options->rate_limit_enabled) {
        result = limit_new(options, &middleware->limit, error, error_size);
        result = result != 0 ? result : check_types(middleware->limit, error, error_size);
    }
    return result;
}

void middleware_free(struct middleware *middleware) {
    if (middleware != NULL) {
        origin_list_free(middleware->origins);
        address_list_free(middleware->allow);
        address_list_free(middleware->deny);
        address_list_free(middleware->trusted);
        limit_free(middleware->limit);
        free(middleware);
    }
}

static const struct middleware *rules_of(const struct worker *worker) {
    return worker->middleware != NULL ? worker->middleware : &nothing_configured;
}

void middleware_client(const struct worker *worker, const struct sockaddr *peer,
                       const struct http_request *request, struct address_client *out) {
    address_client_find(peer, request, rules_of(worker)->trusted, out);
}

bool middleware_trusts(const struct worker *worker, const struct sockaddr *peer) {
    struct address address;

    return address_of_socket(peer, &address) &&
           address_list_has(rules_of(worker)->trusted, &address);
}

enum middleware_verdict middleware_handshake(struct worker *worker, struct conn *conn,
                                             const struct sockaddr *peer,
                                             struct middleware_handshake *handshake,
                                             struct middleware_refusal *refusal) {
    enum middleware_verdict verdict = MIDDLEWARE_ALLOW;

    handshake->worker = worker;
    handshake->conn = conn;
    handshake->rules = rules_of(worker);
    middleware_client(worker, peer, handshake->request, &handshake->client);
    for (const struct middleware_handshake_row *row = middleware_handshake_table;
         row->check != NULL && verdict == MIDDLEWARE_ALLOW; row++) {
        verdict = row->check(handshake, refusal);
        stats_add(worker->stats, row->label.refused, verdict == MIDDLEWARE_REFUSE);
    }
    return verdict;
}

int middleware_attach(const struct worker *worker, struct middleware *middleware) {
    struct limit *limit = middleware->limit;

    return limit == NULL ? 0
                         : limit_attach(limit, worker->heritage.limit_fd, worker->heritage.index,
                                        &worker->view.segment.header->hash_key);
}

int middleware_share(struct middleware *middleware, struct redis *redis) {
    struct limit *limit = middleware->limit;

    return limit == NULL ? 0 : limit_share(limit, redis);
}

void middleware_adopt(struct middleware *middleware, struct middleware *old, struct redis *redis) {
    if (middleware->limit != NULL && old->limit != NULL && redis != NULL) {
        limit_adopt(middleware->limit, old->limit, redis);
    }
}

bool middleware_identity(struct worker *worker, struct conn *conn, struct span user_id) {
    for (const struct middleware_identity_row *row = middleware_identity_table; row->check != NULL;
         row++) {
        if (!row->check(worker, conn, user_id)) {
            stats_add(worker->stats, row->label.refused, 1);
            return false;
        }
    }
    return true;
}

bool middleware_message(struct worker *worker, struct conn *conn, const struct message_row *type,
                        size_t bytes, const char *ref) {
    const struct middleware_message message = {.worker = worker,
                                               .conn = conn,
                                               .rules = rules_of(worker),
                                               .type = type,
                                               .bytes = bytes,
                                               .ref = ref};

    for (const struct middleware_message_row *row = middleware_message_table; row->check != NULL;
         row++) {
        if (!row->check(&message)) {
            stats_add(worker->stats, row->label.refused, 1);
            return false;
        }
    }
    return true;
}
