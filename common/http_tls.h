/* The client's side of https: who is believed (the system's authorities, or those of one PEM file), and that a
 * certificate is valid, of such an authority, and for the host that was asked for. TLS 1.2 and later. Owned by
 * whoever owns the clients (common/http_client.h) that use it, and longer alive than they. */
#ifndef MOONX_COMMON_HTTP_TLS_H
#define MOONX_COMMON_HTTP_TLS_H

#include "common/base.h"

struct bufferevent;
struct event_base;
struct http_tls;

/* `file` "" or NULL: the system's authorities, else those of this file (common/config_files.h), alone. `error` gets one
 * line that begins with `option` when they can't be had. -errno, -ENOMEM. */
int http_tls_new(const char *option, const char *file, struct http_tls **out, char *error,
                 size_t error_size) MUST_CHECK;
void http_tls_free(struct http_tls *tls);

/* A connection that has yet to be made, to `host` (a name or a numeric address, without brackets). NULL: no memory. */
struct bufferevent *http_tls_connection(const struct http_tls *tls, struct event_base *base,
                                        const char *host);
/* Why the host's certificate is refused, static; NULL when it is not. */
const char *http_tls_fault(struct bufferevent *connection);

#endif
