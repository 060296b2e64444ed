/* Session tickets with keys that all workers share (shm/ticket_keys.h): sealed with AES-256-CBC and HMAC-SHA-256, as
 * RFC 5077 section 4 recommends. No session is kept on this side. */
#ifndef MOONX_GATEWAY_TLS_TLS_TICKET_H
#define MOONX_GATEWAY_TLS_TLS_TICKET_H

#include "common/base.h"
#include "shm/ticket_keys.h"

#include <openssl/ssl.h>

/* `keys` live as long as the process; NULL: no tickets. `lifetime_s` is what clients are told. */
int tls_ticket_use(SSL_CTX *context, const struct ticket_keys *keys, long lifetime_s) MUST_CHECK;

#endif
