/* Calls to one service over http or https, by libevent's client: a few connections that are kept open, a bounded queue
 * behind them, for each call one absolute deadline (queueing, the name's resolution and a drip of bytes counted; three
 * quarters of it at most in the queue, so that what is sent at last has time for its answer), a bound on the answer's
 * size, and one retry when a kept connection turns out to have been closed. Names are resolved by libevent's own
 * resolver: nothing here blocks. Owned by one process and its loop. */
#ifndef MOONX_COMMON_HTTP_CLIENT_H
#define MOONX_COMMON_HTTP_CLIENT_H

#include "common/base.h"

#define HTTP_CLIENT_CONNECTIONS  32
#define HTTP_CLIENT_QUEUE        4096 /* calls that wait for a connection */
#define HTTP_CLIENT_ANSWER_BYTES 65536
#define HTTP_CLIENT_KEY_BYTES    4096

struct event_base;
struct http_client;
struct http_tls;

struct http_answer {
    int status; /* 0: none came (refused, timeout, too long, garbage, a bad certificate) */
    struct span body;
    const char *fault; /* status 0: why, a few static words for the log; never NULL */
    bool unasked; /* status 0: its time ran out in the queue; it says nothing about the service */
};

/* Called once for each call, from the loop, never from within http_client_post(). `answer` NULL: the client is
 * being freed, and all that may be done is to free `context`. */
typedef void http_client_done(void *context, const struct http_answer *answer);

/* `url` has passed http_url_check(); `path` is appended to its base. `tls` may be NULL for http (-EINVAL for https).
 * -ENOMEM. */
int http_client_new(struct event_base *base, const struct http_tls *tls, const char *url,
                    const char *path, uint32_t timeout_ms, struct http_client **out) MUST_CHECK;
void http_client_free(struct http_client *client);

/* From now on every request says `Authorization: Bearer` with this key: 1..HTTP_CLIENT_KEY_BYTES printable ASCII
 * characters, borrowed as long as the client lives. */
void http_client_authorize(struct http_client *client, struct span key);

/* A GET of the address and behind it `query`, copied: "", or "?" and what the caller has percent-encoded. As
 * http_client_post(). */
int http_client_get(struct http_client *client, struct span query, http_client_done *done,
                    void *context) MUST_CHECK;
/* A POST of JSON; `body` is copied. -EAGAIN: the queue is full; -ENOMEM. */
int http_client_post(struct http_client *client, struct span body, http_client_done *done,
                     void *context) MUST_CHECK;

#endif
