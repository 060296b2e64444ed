/* The head of an HTTP request, read strictly: llhttp parses, the gate refuses whatever could be read in two
 * ways (FACTS 1). Fed byte by byte or in any pieces with the same result; allocates one buffer while the
 * head comes in. After HEAD_DONE the bytes behind the head belong to whoever comes next.
 *
 * Let through: HTTP/1.0 or 1.1; a target that starts with `/` and has only 0x21-0x7e; names that are
 * tokens; no NUL, bare CR or LF, other control bytes or folds; exactly one Host; no Transfer-Encoding;
 * Content-Length absent or 0; at most 64 headers and 16 KiB. No I/O, no clock: the deadline is the
 * connection's. */
#ifndef MOONX_GATEWAY_HTTP_HEAD_GATE_H
#define MOONX_GATEWAY_HTTP_HEAD_GATE_H

#include "common/base.h"

#define HEAD_GATE_MAX_BYTES    16384
#define HEAD_GATE_MAX_HEADERS  64

struct http_header {
    struct span name, value; /* value without blanks around it */
};

struct http_request {
    struct span method;
    struct span target;
    struct span path;  /* target up to `?` */
    struct span query; /* behind `?`, empty if none */
    unsigned minor;    /* 0 or 1 of HTTP/1.x */
    unsigned header_count;
    struct http_header headers[HEAD_GATE_MAX_HEADERS];
};

enum head_result { HEAD_MORE, HEAD_DONE, HEAD_BAD };

struct head_gate; /* owns the bytes that the request's spans point into */

int head_gate_new(struct head_gate **out) MUST_CHECK;
void head_gate_free(struct head_gate *gate);

/* *consumed: how many of the bytes belong to the head (all of them for HEAD_MORE). HEAD_BAD is final. */
enum head_result head_gate_feed(struct head_gate *gate, const char *data, size_t length, size_t *consumed);
/* After HEAD_DONE; valid until head_gate_free. */
const struct http_request *head_gate_request(const struct head_gate *gate);
/* After HEAD_BAD: 400, 405, 414, 431 or 505, and a short stable sentence for the client. */
unsigned head_gate_status(const struct head_gate *gate);
const char *head_gate_reason(const struct head_gate *gate);

/* The only header of that name (case-insensitive). 1: found; 0: absent; -EEXIST: there is more than one. */
int http_request_header(const struct http_request *request, const char *name, struct span *value);
/* True when a header of that name (any of several) has `token` in its comma-separated list, without case. */
bool http_request_has_token(const struct http_request *request, const char *name, const char *token);

#endif
