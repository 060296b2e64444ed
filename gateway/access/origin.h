/* Which web pages may open a WebSocket: ALLOWED_ORIGINS against the Origin header (RFC 6454, RFC 6455 section
 * 10.2). A browser sends the page's origin and lets no page forge it; that is what stops a foreign page from
 * using its visitor's cookie (cross-site WebSocket hijacking). Owned by a worker; pure.
 *
 * No list, or `*`: every origin passes. With a list:
 *   an origin of the list                  passes
 *   another, `null`, two Origin headers    refused
 *   none                                   passes, unless a cookie `token` comes along: programs that are no
 *                                          browsers send no Origin, and the header would protect nobody from
 *                                          them, but only browsers send cookies that somebody else has set */
#ifndef MOONX_GATEWAY_ACCESS_ORIGIN_H
#define MOONX_GATEWAY_ACCESS_ORIGIN_H

#include "gateway/http/http_request.h"

#define ORIGIN_TOKEN_COOKIE "token"

struct origin_list;

/* `text`: origins as browsers write them (https://app.example.org, no path), separated by commas; `*`; or "".
 * `error` gets one line. */
int origin_list_new(const char *text, struct origin_list **out, char *error,
                    size_t error_size) MUST_CHECK;
void origin_list_free(struct origin_list *list);

/* Whether there are origins that it refuses: only then is a cookie worth anything. `list` may be NULL. */
bool origin_list_restricts(const struct origin_list *list);

/* `list` NULL: every origin passes. */
bool origin_allowed(const struct origin_list *list, const struct http_request *request);

#endif
