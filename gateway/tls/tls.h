/* TLS as the options describe it: one OpenSSL context a certificate, chosen by the server name. A worker's, made from the
 * stored files before privileges are dropped and anew at each reload; connections that speak TLS already keep the
 * context they began with. --check-config makes one too. */
#ifndef MOONX_GATEWAY_TLS_TLS_H
#define MOONX_GATEWAY_TLS_TLS_H

#include "common/option.h"
#include "shm/ticket_keys.h"

#include <openssl/ssl.h>

#define TLS_MAX_CERTIFICATES 32u
#define TLS_RECORD_BYTES     16384u /* the longest that one record carries */

struct tls;

/* *out is NULL when no certificate is configured. `tickets` outlive it; NULL: no session tickets. -errno with one line in
 * `error` that names the option and what is wrong. */
int tls_new(const struct options *options, const struct ticket_keys *tickets, struct tls **out,
            char *error, size_t error_size) MUST_CHECK;
void tls_free(struct tls *tls);

unsigned tls_certificate_count(const struct tls *tls);
/* About a certificate's time: one line, or empty. */
const char *tls_warning(const struct tls *tls, unsigned certificate);

/* The server's side of a handshake over the socket. `present` points to where the worker keeps its TLS, which a reload may
 * replace before the client has said its name. NULL: no memory. */
SSL *tls_session_new(struct tls *const *present, int fd);

#endif
