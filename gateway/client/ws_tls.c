#include "gateway/client/ws_tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct ws_tls {
    SSL_CTX *context;
    SSL *ssl;
};

static int trust_authorities(SSL_CTX *context, const struct ws_tls_trust *trust, char *error,
                             size_t error_size);
static bool expect_host(SSL *ssl, const char *host);

int ws_tls_new(const struct ws_tls_trust *trust, const char *host, int fd, struct ws_tls **out,
               char *error, size_t error_size) {
    int result = -ENOMEM;
    struct ws_tls *tls = calloc(1, sizeof(*tls));
    snprintf(error, error_size, "out of memory");
    if (tls == NULL || (tls->context = SSL_CTX_new(TLS_client_method())) == NULL) {
        goto out;
    }
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    result = trust_authorities(tls->context, trust, error, error_size);
    if (result != 0) {
        goto out;
    }
    tls->ssl = SSL_new(tls->context);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1 || !expect_host(tls->ssl, host)) {
        result = -ENOMEM;
    }
out:
    ERR_clear_error();
    if (result != 0) {
        ws_tls_free(tls);
        return result;
    }
    *out = tls;
    return 0;
}

void ws_tls_free(struct ws_tls *tls) {
    if (tls != NULL) {
        SSL_free(tls->ssl);
        SSL_CTX_free(tls->context);
        free(tls);
    }
}

static int trust_authorities(SSL_CTX *context, const struct ws_tls_trust *trust, char *error,
                             size_t error_size) {
    if (trust->insecure) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    bool loaded = trust->ca_file != NULL ? SSL_CTX_load_verify_file(context, trust->ca_file) == 1
                                         : SSL_CTX_set_default_verify_paths(context) == 1;
    if (!loaded) {
        snprintf(error, error_size, "--ca %s: no certificates in PEM can be read from it",
                 trust->ca_file == NULL ? "" : trust->ca_file);
        return -EACCES;
    }
    return 0;
}

/* A name goes along in clear (SNI), an address does not (RFC 6066). */
static bool expect_host(SSL *ssl, const char *host) {
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

int ws_tls_handshake(struct ws_tls *tls, char *error, size_t error_size) {
    ERR_clear_error();
    int result = SSL_connect(tls->ssl);
    if (result == 1) {
        return 0;
    }
    int why = SSL_get_error(tls->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        return why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    }
    long verified = SSL_get_verify_result(tls->ssl);
    if (verified != X509_V_OK && SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE) {
        snprintf(error, error_size, "the server's certificate: %s",
                 X509_verify_cert_error_string(verified));
        return -EACCES;
    }
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    snprintf(error, error_size, "TLS: %s", reason == NULL ? "the connection was cut" : reason);
    return -EPROTO;
}

/* What SSL_read or SSL_write did, as a socket's functions would say it. */
static ssize_t outcome(struct ws_tls *tls, int result) {
    int socket_error = errno;
    if (result > 0) {
        return result;
    }
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return socket_error == 0 ? -ECONNRESET : -socket_error;
    default:
        return -ECONNRESET;
    }
}

static int bounded(size_t size) {
    return size > INT_MAX ? INT_MAX : (int)size;
}

ssize_t ws_tls_read(struct ws_tls *tls, void *buffer, size_t size) {
    ERR_clear_error();
    errno = 0;
    return outcome(tls, SSL_read(tls->ssl, buffer, bounded(size)));
}

ssize_t ws_tls_write(struct ws_tls *tls, const void *data, size_t length) {
    ERR_clear_error();
    errno = 0;
    return outcome(tls, SSL_write(tls->ssl, data, bounded(length)));
}
