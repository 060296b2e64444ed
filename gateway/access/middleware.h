/* Everything that a client must pass before it is served: an ordered chain of checks, one row and one file a
 * check (middleware_NAME.c). A worker's, made before privileges are dropped, as long as the worker lives;
 * --check-config makes one too.
 *
 * The handshake's chain runs before anything is computed for the client; its first refusal is the answer, an HTTP
 * status before the 101. In the order of what a refusal costs, and of what it may tell a stranger; what counts the
 * connection comes last, since it is given back only when the connection is gone. The messages' chain runs before
 * anything is done about a message; a refusal is an error reply, and close 1008 for who goes on and on. */
#ifndef MOONX_GATEWAY_ACCESS_MIDDLEWARE_H
#define MOONX_GATEWAY_ACCESS_MIDDLEWARE_H

#include "common/code_table.h"
#include "gateway/access/address_client.h"
#include "gateway/access/auth_service.h"
#include "gateway/access/limit.h"
#include "gateway/access/origin.h"
#include "gateway/worker.h"

/* What the options say, for the checks. NULL: nothing is configured. */
struct middleware {
    struct origin_list *origins;
    struct address_list *allow, *deny, *trusted;
    struct limit *limit; /* NULL: off */
    uint32_t denied;     /* MESSAGES_DENIED: a bit for each row of message_table */
};

struct middleware_handshake {
    struct worker *worker;
    struct conn *conn;
    const struct middleware *rules;
    const struct http_request *request;
    struct address_client client;
    bool identified;           /* a good token has come along: */
    struct identity *identity; /* whose it is */
    char *decoded;             /* room for a token that stands escaped in the request */
    struct span token;         /* in one of them: what MIDDLEWARE_LATER is about */
};

enum middleware_verdict {
    MIDDLEWARE_REFUSE,
    MIDDLEWARE_ALLOW,
    MIDDLEWARE_LATER, /* middleware_ask() finds out; only the last row of a chain may say so: the request goes */
};

struct middleware_refusal {
    unsigned status;
    const char *reason;     /* static; for the client */
    unsigned retry_after_s; /* 0: no such header */
    bool token;             /* refused for its token: a 401 that says `code` */
    enum error_code code;
};

/* What /debug/handlers tells about a check. */
struct middleware_label {
    const char *name;
    const char *refuses; /* the HTTP statuses, error codes or close codes that it may refuse with */
    enum stat_id refused;
    const char *
        deadline; /* of one that may take a while: the option that bounds it; NULL: it answers at once */
};

struct middleware_handshake_row {
    struct middleware_label label;
    /* MIDDLEWARE_REFUSE: *refusal says how. */
    enum middleware_verdict (*check)(struct middleware_handshake *handshake,
                                     struct middleware_refusal *refusal);
};

struct middleware_message {
    struct worker *worker;
    struct conn *conn;
    const struct middleware *rules;
    const struct message_row *type; /* NULL: of no known type, or no message at all */
    size_t bytes;                   /* of its text */
    const char *ref;
};

struct middleware_identity_row {
    struct middleware_label label;
    bool (*check)(struct worker *worker, struct conn *conn, struct span user_id);
};

struct middleware_message_row {
    struct middleware_label label;
    /* False: the client has been told. */
    bool (*check)(const struct middleware_message *message);
};

/* Each ends with a row whose check is NULL. */
extern const struct middleware_handshake_row middleware_handshake_table[];
extern const struct middleware_identity_row middleware_identity_table[];
extern const struct middleware_message_row middleware_message_table[];

/* `error` gets one line that names the option, the value and what is allowed. */
int middleware_new(const struct options *options, struct middleware **out, char *error,
                   size_t error_size) MUST_CHECK;
void middleware_free(struct middleware *middleware);

/* Who asks, as TRUSTED_PROXIES let it be known. */
void middleware_client(const struct worker *worker, const struct sockaddr *peer,
                       const struct http_request *request, struct address_client *out);

/* Whether that peer is one of TRUSTED_PROXIES. */
bool middleware_trusts(const struct worker *worker, const struct sockaddr *peer);

/* Before a TLS handshake, which costs more than all the rest. False: too many in this second. */
bool middleware_tls(struct worker *worker) MUST_CHECK;

/* Whether the client may have its handshake; *handshake comes with the request and room for an identity, the rest of it
 * is filled. MIDDLEWARE_REFUSE: *refusal. */
enum middleware_verdict middleware_handshake(struct worker *worker, struct conn *conn,
                                             const struct sockaddr *peer,
                                             struct middleware_handshake *handshake,
                                             struct middleware_refusal *refusal) MUST_CHECK;
/* After MIDDLEWARE_LATER: begins to find out. `answer` is called once from the loop, before the deadline of the check has
 * long passed. As auth_service_ask(). */
int middleware_ask(const struct middleware_handshake *handshake, auth_answer *answer,
                   void *context) MUST_CHECK;
/* How a handshake is refused for its token: 401, or 503 when nobody can judge it at the moment. */
struct middleware_refusal middleware_token_refusal(enum error_code code);

/* Once the worker has its heritage: the host's table of limits, which limits need. -EPROTO without one. */
int middleware_attach(const struct worker *worker, struct middleware *middleware) MUST_CHECK;

/* Shares the limits of users with other hosts, once Redis has the worker's loop. -ENOMEM. */
int middleware_share(struct middleware *middleware, struct redis *redis) MUST_CHECK;

/* After a reload, before `old` is freed: what it knows of connections that are still there. */
void middleware_adopt(struct middleware *middleware, struct middleware *old, struct redis *redis);

/* The chain between the other two, when a token has made the connection this user's. False: it is not to be. */
bool middleware_identity(struct worker *worker, struct conn *conn, struct span user_id) MUST_CHECK;
/* The connection is gone: it counts for nobody any more. */
void middleware_leave(struct worker *worker, struct conn *conn);

/* Each message's chain, before anything is done about it. False: the client has been told. */
bool middleware_message(struct worker *worker, struct conn *conn, const struct message_row *type,
                        size_t bytes, const char *ref) MUST_CHECK;

/* The checks. */
typedef enum middleware_verdict middleware_handshake_check(struct middleware_handshake *handshake,
                                                           struct middleware_refusal *refusal);
middleware_handshake_check middleware_capacity, middleware_handshakes, middleware_address,
    middleware_origin, middleware_connections, middleware_token;
bool middleware_user(struct worker *worker, struct conn *conn, struct span user_id);
bool middleware_types(const struct middleware_message *message);
/* MESSAGES_DENIED as a bit for each row of message_table. As middleware_new(). */
int middleware_types_read(const char *list, uint32_t *denied, char *error,
                          size_t error_size) MUST_CHECK;
bool middleware_messages(const struct middleware_message *message);

#endif
