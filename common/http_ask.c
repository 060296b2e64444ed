#include "common/http_ask.h"

#include "common/http_client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

static bool fill(const struct http_ask *ask, struct evhttp_request *request);
static int on_head(struct evhttp_request *request, void *context);
static bool add_key(struct evkeyvalq *headers, struct span key);

struct evhttp_request *http_ask_new(const struct http_ask *ask,
                                    void (*answer)(struct evhttp_request *request, void *context),
                                    void *context) {
    struct evhttp_request *request = evhttp_request_new(answer, context);

    if (request != NULL && !fill(ask, request)) {
        evhttp_request_free(request);
        return NULL;
    }
    if (request != NULL) {
        evhttp_request_set_header_cb(request, on_head);
    }
    return request;
}

int http_ask_send(const struct http_ask *ask, struct evhttp_connection *connection,
                  struct evhttp_request *request) {
    enum evhttp_cmd_type method = ask->post ? EVHTTP_REQ_POST : EVHTTP_REQ_GET;
    size_t base = strlen(ask->url->target);
    size_t length = ask->post ? 0 : ask->body.length;
    char *target = malloc(base + length + 1);
    int result;

    if (target == NULL) {
        evhttp_request_free(request);
        return -ENOMEM;
    }
    memcpy(target, ask->url->target, base);
    memcpy(target + base, ask->body.data, length);
    target[base + length] = '\0';
    result = evhttp_make_request(connection, request, method, target); /* it frees it on failure */
    free(target);
    return result == 0 ? 0 : -ENOMEM;
}

/* Behind a `100 Continue`, which a service may send unasked (RFC 9110 section 15.2), the library writes what is left of the
 * request and reads on when it has been told that it is written. Nothing is left, so with TLS nobody would tell it. */
static int on_head(struct evhttp_request *request, void *context) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);

    (void)context;
    if (evhttp_request_get_response_code(request) == 100) {
        bufferevent_trigger(evhttp_connection_get_bufferevent(connection), EV_WRITE,
                            BEV_OPT_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
    }
    return 0;
}

static bool fill(const struct http_ask *ask, struct evhttp_request *request) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    bool filled = evhttp_add_header(headers, "Host", ask->url->authority) == 0 &&
                  evhttp_add_header(headers, "Accept", "application/json") == 0 &&
                  (ask->key.length == 0 || add_key(headers, ask->key));

    if (filled && ask->post) {
        filled = evhttp_add_header(headers, "Content-Type", "application/json") == 0 &&
                 evbuffer_add(body, ask->body.data, ask->body.length) == 0;
    }
    return filled;
}

static bool add_key(struct evkeyvalq *headers, struct span key) {
    char value[sizeof("Bearer ") + HTTP_CLIENT_KEY_BYTES];
    bool added;

    if (key.length > HTTP_CLIENT_KEY_BYTES) {
        return false;
    }
    (void)snprintf(value, sizeof(value), "Bearer " SPAN_FORMAT, SPAN_ARGS(key));
    added = evhttp_add_header(headers, "Authorization", value) == 0;
    explicit_bzero(value, sizeof(value));
    return added;
}
