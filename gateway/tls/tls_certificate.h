/* One certificate with its chain and private key, from PEM files as the supervisor has stored them
 * (common/config_files.h), and what is wrong with them, in words an operator can act on. */
#ifndef MOONX_GATEWAY_TLS_TLS_CERTIFICATE_H
#define MOONX_GATEWAY_TLS_TLS_CERTIFICATE_H

#include "gateway/tls/tls_names.h"

#include <openssl/ssl.h>

/* Puts them into the context. -errno with one line in `error`: unreadable, no certificate, no key, an encrypted key, a
 * key of another certificate, a key that is too short. */
int tls_certificate_load(SSL_CTX *context, const char *certificate_path, const char *key_path,
                         char *error, size_t error_size) MUST_CHECK;

/* The host names of the context's certificate: its alternative names, or without such its common name. -ENOMEM. */
int tls_certificate_names(const SSL_CTX *context, unsigned certificate,
                          struct tls_names *names) MUST_CHECK;

/* One line about a certificate that is not valid now or will not be in a month; an empty one when all is well. */
void tls_certificate_warning(const SSL_CTX *context, const char *certificate_path, char *warning,
                             size_t size);

/* Makes the context ask for client certificates (`optional` or `require`) and verify them with the authorities in the
 * file. -errno with one line in `error`. */
int tls_certificate_ask_client(SSL_CTX *context, const char *mode, const char *ca_path, char *error,
                               size_t error_size) MUST_CHECK;

#endif
