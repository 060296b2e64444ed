/* One request of the HTTP client as libevent wants it: target, headers, body. Inner part of http_client. */
#ifndef MOONX_COMMON_HTTP_ASK_H
#define MOONX_COMMON_HTTP_ASK_H

#include "common/http_url.h"

struct evhttp_connection;
struct evhttp_request;

struct http_ask {
    const struct http_url *url;
    struct span key; /* of `Authorization: Bearer`; "": none */
    bool post;
    struct span body; /* of a POST, JSON; of a GET the query, "" or with its `?` */
};

/* `answer` will be called once it has been sent. NULL: out of memory. */
struct evhttp_request *http_ask_new(const struct http_ask *ask,
                                    void (*answer)(struct evhttp_request *request, void *context),
                                    void *context);
/* The connection's from now on; a connection that fails at once calls `answer` from within. -ENOMEM: the request is freed
 * and `answer` is not called. */
int http_ask_send(const struct http_ask *ask, struct evhttp_connection *connection,
                  struct evhttp_request *request) MUST_CHECK;

#endif
