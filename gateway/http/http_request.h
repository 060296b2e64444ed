/* A request's head as the gate has let it through: spans into the gate's buffer, nothing owned. Used by
 * workers; valid as long as the gate that read it. */
#ifndef MOONX_GATEWAY_HTTP_HTTP_REQUEST_H
#define MOONX_GATEWAY_HTTP_HTTP_REQUEST_H

#include "common/base.h"

#define HTTP_REQUEST_MAX_HEADERS 64
#define HTTP_REQUEST_MAX_BODY    65536

struct http_header {
    struct span name, value; /* value without blanks around it */
};

struct http_request {
    struct span method;
    struct span target;
    struct span path;   /* target up to `?` */
    struct span query;  /* behind `?`, empty if none */
    size_t body_length; /* what Content-Length says; 0: none */
    unsigned minor;     /* 0 or 1 of HTTP/1.x */
    unsigned header_count;
    struct http_header headers[HTTP_REQUEST_MAX_HEADERS];
};

/* The only header of that name (case-insensitive). 1: found; 0: absent; -EEXIST: there is more than one. */
int http_request_header(const struct http_request *request, const char *name, struct span *value);
/* True when Host says localhost, 127.0.0.1 or [::1], with any port: names that nobody can make point elsewhere. */
bool http_request_names_this_machine(const struct http_request *request);
/* True when Host says an address, localhost or this host's own name, whole or its first label, with any port: no foreign
 * page has such a name, so none can have made it point here (DNS rebinding). */
bool http_request_host_is_no_strangers(const struct http_request *request);
/* True when a header of that name (any of several) has `token` in its comma-separated list, without case. */
bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token);
/* Takes the next element off a comma-separated list, blanks around it removed; empty elements are passed
 * over (RFC 9110 section 5.6.1). False at the list's end. */
bool http_request_next_token(struct span *list, struct span *token);

#endif
