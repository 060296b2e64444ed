#include "common/http_client.h"

#include "common/clock.h"
#include "common/http_ask.h"
#include "common/http_tls.h"
#include "common/http_url.h"
#include "common/resolver.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <sys/queue.h>

#define HEADER_BYTES_MAX 16384

struct call {
    STAILQ_ENTRY(call) link;
    struct http_client *client;
    struct event *deadline;
    struct slot *slot; /* NULL: queued */
    http_client_done *done;
    void *context;
    uint64_t added_ms;
    bool unasked; /* its time ran out in the queue */
    bool reused;  /* sent on a connection that had served before */
    bool ended;   /* status and answer stand */
    int status;
    const char *fault; /* NULL: nothing special */
    char *answer;
    size_t answer_length;
    bool post;
    size_t length;
    char body[]; /* of a POST; of a GET the query */
};

/* A connection, and what is under way on it. */
struct slot {
    struct http_client *client;
    struct evhttp_connection *connection; /* NULL: none yet */
    struct evhttp_request *request;
    struct call *call;
    bool served;          /* the connection has answered before */
    bool closed;          /* the service has closed it since */
    struct event *settle; /* after the library's callback has returned */
};

struct http_client {
    struct event_base *base;
    struct evdns_base *dns;
    const struct http_tls *tls; /* NULL: http */
    struct http_url url;
    struct span key; /* "": none */
    uint32_t timeout_ms;
    struct slot slots[HTTP_CLIENT_CONNECTIONS];
    STAILQ_HEAD(, call) queue;
    unsigned queued;
};

static int add_call(struct http_client *client, bool post, struct span body, http_client_done *done,
                    void *context);
static void start_next(struct http_client *client);
static void start(struct slot *slot, struct call *call);
static bool send_call(struct slot *slot);
static bool open_connection(struct slot *slot);
static void on_close(struct evhttp_connection *connection, void *context);
static void drop_connection(struct slot *slot);
static void on_answer(struct evhttp_request *request, void *context);
static void take_answer(struct call *call, struct evhttp_request *request);
static void on_settle(evutil_socket_t fd, short what, void *context);
static void on_deadline(evutil_socket_t fd, short what, void *context);
static void finish(struct call *call, bool told);

int http_client_new(struct event_base *base, const struct http_tls *tls, const char *url,
                    const char *path, uint32_t timeout_ms, struct http_client **out) {
    struct http_client *client = calloc(1, sizeof(*client));
    int error = -ENOMEM;

    if (client == NULL) {
        return -ENOMEM;
    }
    STAILQ_INIT(&client->queue);
    client->base = base;
    client->timeout_ms = timeout_ms;
    for (unsigned i = 0; i < HTTP_CLIENT_CONNECTIONS; i++) {
        client->slots[i].client = client;
        client->slots[i].settle = event_new(base, -1, 0, on_settle, &client->slots[i]);
        if (client->slots[i].settle == NULL) {
            goto out;
        }
    }
    error = http_url_read(url, path, &client->url);
    if (error == 0 && client->url.https && tls == NULL) {
        error = -EINVAL; /* never in the clear instead */
        goto out;
    }
    client->tls = client->url.https ? tls : NULL;
    client->dns = resolver_new(base);
    if (error == 0 && client->dns != NULL) {
        *out = client;
        return 0;
    }
    error = error != 0 ? error : -ENOMEM;
out:
    http_client_free(client);
    return error;
}

void http_client_free(struct http_client *client) {
    struct call *call;

    if (client == NULL) {
        return;
    }
    for (unsigned i = 0; i < HTTP_CLIENT_CONNECTIONS; i++) {
        struct slot *slot = &client->slots[i];
        drop_connection(slot);
        if (slot->call != NULL) {
            finish(slot->call, false);
        }
        if (slot->settle != NULL) {
            event_free(slot->settle);
        }
    }
    while ((call = STAILQ_FIRST(&client->queue)) != NULL) {
        STAILQ_REMOVE_HEAD(&client->queue, link);
        finish(call, false);
    }
    if (client->dns != NULL) {
        evdns_base_free(client->dns, 0);
    }
    http_url_done(&client->url);
    free(client);
}

void http_client_authorize(struct http_client *client, struct span key) {
    client->key = key;
}

int http_client_get(struct http_client *client, struct span query, http_client_done *done,
                    void *context) {
    return add_call(client, false, query, done, context);
}

int http_client_post(struct http_client *client, struct span body, http_client_done *done,
                     void *context) {
    return add_call(client, true, body, done, context);
}

/* So long after it was made. */
static int set_deadline(struct call *call, uint32_t after_ms) {
    uint64_t spent_ms = clock_mono_ms() - call->added_ms;
    uint64_t left_ms = spent_ms < after_ms ? after_ms - spent_ms : 0;
    const struct timeval left = {.tv_sec = (time_t)(left_ms / 1000),
                                 .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};

    return evtimer_add(call->deadline, &left);
}

static int add_call(struct http_client *client, bool post, struct span body, http_client_done *done,
                    void *context) {
    struct call *call;

    if (client->queued == HTTP_CLIENT_QUEUE) {
        return -EAGAIN;
    }
    call = calloc(1, sizeof(*call) + body.length);
    if (call == NULL) {
        return -ENOMEM;
    }
    memcpy(call->body, body.data, body.length);
    call->length = body.length;
    call->post = post;
    call->client = client;
    call->done = done;
    call->context = context;
    call->added_ms = clock_mono_ms();
    call->deadline = evtimer_new(client->base, on_deadline, call);
    if (call->deadline == NULL || set_deadline(call, client->timeout_ms / 4 * 3) != 0) {
        if (call->deadline != NULL) {
            event_free(call->deadline);
        }
        free(call);
        return -ENOMEM;
    }
    STAILQ_INSERT_TAIL(&client->queue, call, link);
    client->queued++;
    start_next(client);
    return 0;
}

static void start_next(struct http_client *client) {
    for (unsigned i = 0; i < HTTP_CLIENT_CONNECTIONS; i++) {
        struct call *call = STAILQ_FIRST(&client->queue);
        if (call == NULL) {
            return;
        }
        if (client->slots[i].call == NULL) {
            STAILQ_REMOVE_HEAD(&client->queue, link);
            client->queued--;
            start(&client->slots[i], call);
        }
    }
}

static void start(struct slot *slot, struct call *call) {
    slot->call = call;
    call->slot = slot;
    if (set_deadline(call, slot->client->timeout_ms) != 0 || !send_call(slot)) {
        call->ended = true; /* without an answer */
        event_active(slot->settle, 0, 0);
    }
}

static bool send_call(struct slot *slot) {
    struct call *call = slot->call;
    const struct http_ask ask = {.url = &slot->client->url,
                                 .key = slot->client->key,
                                 .post = call->post,
                                 .body = {call->body, call->length}};

    if (slot->connection != NULL && slot->closed) {
        drop_connection(slot); /* TLS can't be begun a second time on it */
    }
    if (slot->connection == NULL && !open_connection(slot)) {
        return false;
    }
    call->reused = slot->served;
    slot->request = http_ask_new(&ask, on_answer, slot);
    if (slot->request == NULL) {
        return false;
    }
    if (http_ask_send(&ask, slot->connection, slot->request) != 0) {
        slot->request = NULL;
        return false;
    }
    return true;
}

static bool open_connection(struct slot *slot) {
    struct http_client *client = slot->client;
    struct bufferevent *tls = NULL;

    if (client->tls != NULL &&
        (tls = http_tls_connection(client->tls, client->base, client->url.host)) == NULL) {
        return false;
    }
    slot->connection = evhttp_connection_base_bufferevent_new(client->base, client->dns, tls,
                                                              client->url.host, client->url.port);
    if (slot->connection == NULL) {
        if (tls != NULL) {
            bufferevent_free(tls);
        }
        return false;
    }
    slot->served = false;
    slot->closed = false;
    evhttp_connection_set_closecb(slot->connection, on_close, slot);
    evhttp_connection_set_max_body_size(slot->connection, HTTP_CLIENT_ANSWER_BYTES);
    evhttp_connection_set_max_headers_size(slot->connection, HEADER_BYTES_MAX);
    evhttp_connection_set_retries(slot->connection, 0);
    return true;
}

static void on_close(struct evhttp_connection *connection, void *context) {
    struct slot *slot = context;

    (void)connection;
    slot->closed = true;
}

static void drop_connection(struct slot *slot) {
    if (slot->request != NULL) {
        evhttp_cancel_request(slot->request);
        slot->request = NULL;
    }
    if (slot->connection != NULL) {
        evhttp_connection_free(slot->connection);
        slot->connection = NULL;
    }
}

/* `request` NULL or without a status: there is no answer. The library still holds the connection here, so what
 * follows waits for on_settle(). */
static void on_answer(struct evhttp_request *request, void *context) {
    struct slot *slot = context;

    slot->request = NULL;
    if (slot->call != NULL) {
        slot->call->ended = true;
        take_answer(slot->call, request);
        if (slot->call->status == 0 && slot->client->tls != NULL) {
            slot->call->fault = http_tls_fault(evhttp_connection_get_bufferevent(slot->connection));
        }
        event_active(slot->settle, 0, 0);
    }
}

static void take_answer(struct call *call, struct evhttp_request *request) {
    struct evbuffer *body;

    if (request == NULL || evhttp_request_get_response_code(request) == 0) {
        return;
    }
    body = evhttp_request_get_input_buffer(request);
    call->answer_length = evbuffer_get_length(body);
    call->answer = malloc(call->answer_length + 1);
    if (call->answer != NULL && call->answer_length <= HTTP_CLIENT_ANSWER_BYTES &&
        evbuffer_copyout(body, call->answer, call->answer_length) == (ssize_t)call->answer_length) {
        call->status = evhttp_request_get_response_code(request);
    }
}

static void on_settle(evutil_socket_t fd, short what, void *context) {
    struct slot *slot = context;
    struct call *call = slot->call;

    (void)fd;
    (void)what;
    if (call == NULL || !call->ended) {
        return;
    }
    if (call->status != 0) {
        slot->served = true;
    } else {
        drop_connection(slot);
        if (call->reused) {
            /* The service had closed the kept connection: once more, on one of its own. */
            call->ended = false;
            start(slot, call);
            return;
        }
    }
    slot->call = NULL;
    finish(call, true);
    start_next(slot->client);
}

static void on_deadline(evutil_socket_t fd, short what, void *context) {
    struct call *call = context;
    struct http_client *client = call->client;
    struct slot *slot = call->slot;

    (void)fd;
    (void)what;
    if (slot == NULL) {
        STAILQ_REMOVE(&client->queue, call, call, link);
        client->queued--;
    } else {
        drop_connection(slot);
        slot->call = NULL;
    }
    if (!call->ended) {
        call->fault = slot == NULL ? "too many wait for it" : "no answer in time";
        call->unasked = slot == NULL;
    }
    finish(call, true);
    start_next(client);
}

static void finish(struct call *call, bool told) {
    const struct http_answer answer = {
        .status = call->status,
        .fault = call->fault != NULL ? call->fault : "no answer",
        .unasked = call->unasked,
        .body = {call->answer == NULL ? "" : call->answer, call->answer_length}};

    event_free(call->deadline);
    call->done(call->context, told ? &answer : NULL);
    free(call->answer);
    free(call);
}
