#include "common/http_tls.h"

#include "common/config_files.h"

#include <arpa/inet.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct http_tls {
    SSL_CTX *context;
};

static int load_authorities(SSL_CTX *context, const char *file);
static int load_file(SSL_CTX *context, const char *file);
static int read_file(int fd, char *bytes, size_t most);
static int add_certificates(X509_STORE *store, const char *pem, int length);
static bool expect(SSL *ssl, const char *host);

int http_tls_new(const char *option, const char *file, struct http_tls **out, char *error,
                 size_t error_size) {
    struct http_tls *tls = calloc(1, sizeof(*tls));
    int result = -ENOMEM;

    if (tls == NULL || (tls->context = SSL_CTX_new(TLS_client_method())) == NULL) {
        (void)snprintf(error, error_size, "%s: Not enough memory", option);
        goto out;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
    /* Many services just hang up. A cut answer is no JSON, so nobody can make it mean another thing. */
    SSL_CTX_set_options(tls->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    result = load_authorities(tls->context, file);
    if (result == -ENOENT && (file == NULL || file[0] == '\0')) {
        (void)snprintf(error, error_size, "%s: not set, and the system has no authorities", option);
    } else if (result == -EBADMSG) {
        (void)snprintf(error, error_size,
                       "%s: \"%s\": holds no certificate in PEM, or a broken one", option, file);
    } else if (result != 0) {
        (void)snprintf(error, error_size, "%s: \"%s\": cannot be read: %s", option, file,
                       strerror(-result));
    }
out:
    ERR_clear_error();
    if (result != 0) {
        http_tls_free(tls);
        return result;
    }
    *out = tls;
    return 0;
}

void http_tls_free(struct http_tls *tls) {
    if (tls != NULL) {
        SSL_CTX_free(tls->context);
        free(tls);
    }
}

struct bufferevent *http_tls_connection(const struct http_tls *tls, struct event_base *base,
                                        const char *host) {
    SSL *ssl = SSL_new(tls->context);
    struct bufferevent *connection;

    if (ssl == NULL || !expect(ssl, host)) {
        SSL_free(ssl);
        return NULL;
    }
    connection = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                                BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (connection == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(connection, 1);
    return connection;
}

const char *http_tls_fault(struct bufferevent *connection) {
    SSL *ssl = bufferevent_openssl_get_ssl(connection);
    long result = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);

    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

static int load_authorities(SSL_CTX *context, const char *file) {
    if (file == NULL || file[0] == '\0') {
        return SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : -ENOENT;
    }
    return load_file(context, file);
}

static int load_file(SSL_CTX *context, const char *file) {
    int fd = config_files_open(file), length;
    char *bytes = fd < 0 ? NULL : malloc(CONFIG_FILES_MAX_BYTES);

    if (bytes == NULL) {
        length = fd < 0 ? fd : -ENOMEM;
    } else {
        length = read_file(fd, bytes, CONFIG_FILES_MAX_BYTES);
        length =
            length < 0 ? length : add_certificates(SSL_CTX_get_cert_store(context), bytes, length);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
    return length;
}

/* Its length. */
static int read_file(int fd, char *bytes, size_t most) {
    size_t used = 0;
    ssize_t got;

    while ((got = read(fd, bytes + used, most - used)) > 0) {
        used += (size_t)got;
        if (used == most) {
            return -EFBIG;
        }
    }
    return got < 0 ? -errno : (int)used;
}

static int add_certificates(X509_STORE *store, const char *pem, int length) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    X509 *certificate;
    unsigned count = 0;
    bool added = bio != NULL;

    while (added && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        added = X509_STORE_add_cert(store, certificate) == 1;
        X509_free(certificate);
        count++;
    }
    /* It must have ended because there is no further one, not because one is broken. */
    added = added && count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    return added ? 0 : -EBADMSG;
}

/* Whom the certificate must be for, and for a name what the host is told (SNI has no addresses, RFC 6066). */
static bool expect(SSL *ssl, const char *host) {
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    struct in6_addr address;

    if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}
