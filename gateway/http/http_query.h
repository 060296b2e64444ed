/* One parameter out of a request's query, percent-decoded. Pure; used by workers. */
#ifndef MOONX_GATEWAY_HTTP_HTTP_QUERY_H
#define MOONX_GATEWAY_HTTP_HTTP_QUERY_H

#include "common/base.h"

/* The first parameter of that name. 1: *out holds its bytes, which may be none, with a NUL behind them; 0: there is none;
 * -EINVAL: a bad escape, a NUL, or more than size - 1 bytes. A `+` stays one: room names have it. */
int http_query_text(struct span query, const char *name, char *out, size_t size,
                    size_t *length) MUST_CHECK;
/* A whole number within the bounds. 1, 0 (absent: *out stays), -EINVAL. */
int http_query_number(struct span query, const char *name, uint64_t low, uint64_t high,
                      uint64_t *out) MUST_CHECK;

#endif
