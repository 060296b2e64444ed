/* The head of an HTTP request, read strictly: llhttp parses, the gate refuses whatever could be read in two
 * ways. Used by workers, one gate for each connection whose head is not yet complete. Fed byte by
 * byte or in any pieces with the same result; allocates one buffer while the head comes in. After HEAD_DONE
 * the bytes behind the head belong to whoever comes next.
 *
 * Let through: HTTP/1.0 or 1.1; a target that starts with `/` and has only 0x21-0x7e without `#`; names that
 * are tokens; no NUL, bare CR or LF, other control bytes or folds; no empty line before the request (RFC
 * 9112 allows to skip one, for clients of the last century; here it is what is left over from a body that
 * somebody else framed differently); exactly one Host; no Transfer-Encoding; Content-Length absent or 0,
 * but for a POST below /admin/ (at most 64 KiB); at most 64 headers and 16 KiB. No I/O, no clock: the deadline is the connection's. */
#ifndef MOONX_GATEWAY_HTTP_HEAD_GATE_H
#define MOONX_GATEWAY_HTTP_HEAD_GATE_H

#include "gateway/http/http_request.h"

#define HEAD_GATE_MAX_BYTES   16384
#define HEAD_GATE_MAX_HEADERS HTTP_REQUEST_MAX_HEADERS

enum head_result { HEAD_MORE, HEAD_DONE, HEAD_BAD };

struct head_gate; /* owns the bytes that the request's spans point into */

/* Good for one head after the other. -ENOMEM. */
int head_gate_new(struct head_gate **out) MUST_CHECK;
void head_gate_free(struct head_gate *gate);

/* *consumed: how many of the bytes belong to the head (all of them for HEAD_MORE; of no meaning for
 * HEAD_BAD). HEAD_DONE and HEAD_BAD are final: feeding more consumes nothing. */
enum head_result head_gate_feed(struct head_gate *gate, const char *data, size_t length,
                                size_t *consumed);
/* After HEAD_DONE; valid until head_gate_free. */
const struct http_request *head_gate_request(const struct head_gate *gate);
/* Whether it is a HEAD, whose answer has no body; false as long as the method is not known, also after HEAD_BAD. */
bool head_gate_is_head(const struct head_gate *gate);
/* After HEAD_DONE: takes what follows for the request's body, as far as it is one. */
void head_gate_take_body(struct head_gate *gate, const unsigned char *data, size_t length);
/* True at once when there is none. */
bool head_gate_body_complete(const struct head_gate *gate);
struct span head_gate_body(const struct head_gate *gate);
/* After HEAD_BAD: 400, 405, 414, 431, 505, or 503 when memory is short; and a short stable sentence for the
 * client. */
unsigned head_gate_status(const struct head_gate *gate);
const char *head_gate_reason(const struct head_gate *gate);

#endif
