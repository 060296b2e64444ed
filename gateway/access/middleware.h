/* Everything that a client must pass before it is served: an ordered chain of checks, one row and one file a
 * check (middleware_NAME.c). A worker's, made before privileges are dropped, as long as the worker lives;
 * --check-config makes one too.
 *
 * The handshake's chain runs before anything is computed for the client; its first refusal is the answer, an HTTP
 * status before the 101. In the order of what a refusal costs, and of what it may tell a stranger. */
#ifndef MOONX_GATEWAY_ACCESS_MIDDLEWARE_H
#define MOONX_GATEWAY_ACCESS_MIDDLEWARE_H

#include "gateway/access/address_client.h"
#include "gateway/access/origin.h"
#include "gateway/worker.h"

/* What the options say, for the checks. NULL: nothing is configured. */
struct middleware {
    struct origin_list *origins;
    struct address_list *allow, *deny, *trusted;
};

struct middleware_handshake {
    struct worker *worker;
    struct conn *conn;
    const struct middleware *rules;
    const struct http_request *request;
    struct address_client client;
};

struct middleware_refusal {
    unsigned status;
    const char *reason;     /* static; for the client */
    unsigned retry_after_s; /* 0: no such header */
};

struct middleware_handshake_row {
    const char *name;
    const char *refuses; /* which statuses */
    enum stat_id refused;
    /* False: *refusal says how. */
    bool (*check)(const struct middleware_handshake *handshake, struct middleware_refusal *refusal);
};

/* Ends with a row whose name is NULL. */
extern const struct middleware_handshake_row middleware_handshake_table[];

/* `error` gets one line that names the option, the value and what is allowed. */
int middleware_new(const struct options *options, struct middleware **out, char *error,
                   size_t error_size) MUST_CHECK;
void middleware_free(struct middleware *middleware);

/* Who asks, as TRUSTED_PROXIES let it be known. */
void middleware_client(const struct worker *worker, const struct sockaddr *peer,
                       const struct http_request *request, struct address_client *out);

/* True: the client may have its handshake. Otherwise *refusal. */
bool middleware_handshake(struct worker *worker, struct conn *conn, const struct sockaddr *peer,
                          const struct http_request *request,
                          struct middleware_refusal *refusal) MUST_CHECK;

/* The checks. */
bool middleware_capacity(const struct middleware_handshake *handshake,
                         struct middleware_refusal *refusal);
bool middleware_address(const struct middleware_handshake *handshake,
                        struct middleware_refusal *refusal);
bool middleware_origin(const struct middleware_handshake *handshake,
                       struct middleware_refusal *refusal);

#endif
