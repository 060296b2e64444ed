/* An answer to one HTTP request, made whole in memory and queued like any other bytes. Every answer closes
 * the connection (`Connection: close`): health checks and scrapes need no keep-alive, and a connection whose
 * head was strange must not carry a second request. Used by workers; owned by whoever answers, no longer than
 * it takes to queue it. */
#ifndef MOONX_GATEWAY_HTTP_RESPONSE_H
#define MOONX_GATEWAY_HTTP_RESPONSE_H

#include "common/base.h"

struct http_response {
    unsigned status;
    const char *content_type;  /* static text */
    const char *cache_control; /* static text; NULL: no-store */
    char extra_headers[512];   /* "Name: value\r\n" each, may be empty */
    char *body;                /* malloc'd, owned; may be NULL */
    size_t body_length;
};

void http_response_done(struct http_response *response);

/* {"error":{"code","message"}} with that status; code is derived from the status (NOT_FOUND …). */
void http_response_error(struct http_response *response, unsigned status, const char *message);
/* The same with a code of its own, where the status says too little (INVALID_TOKEN …). */
void http_response_error_code(struct http_response *response, unsigned status, const char *code,
                              const char *message);

/* Status line, headers and body in one malloc'd block (`head_only`: without the body, for HEAD; a 304 never has it,
 * RFC 9110 section 15.4.5). */
int http_response_write(const struct http_response *response, bool head_only, char **out,
                        size_t *out_length) MUST_CHECK;

#endif
