#include "gateway/tls/tls.h"

#include "common/path_list.h"
#include "gateway/tls/tls_certificate.h"
#include "gateway/tls/tls_ticket.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define WARNING_BYTES 4224
#define NO_MEMORY     "TLS_CERT_FILE: there is no memory for it"

/* Forward secret, authenticated encryption only. */
#define CIPHERS_1_2                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS     "X25519:P-256:P-384"

struct tls {
    SSL_CTX *contexts[TLS_MAX_CERTIFICATES]; /* the first answers to names that nobody has */
    char warnings[TLS_MAX_CERTIFICATES][WARNING_BYTES];
    unsigned count;
    struct tls_names names;
};

/* What tls_new() works with. */
struct reading {
    const struct options *options;
    const struct ticket_keys *tickets;
    const char *certificates[TLS_MAX_CERTIFICATES], *keys[TLS_MAX_CERTIFICATES];
    unsigned count;
    char *error;
    size_t error_size;
};

static int read_lists(struct reading *reading, char *certificates, char *keys);
static int add_certificates(struct tls *tls, const struct reading *reading);
static int add_certificate(struct tls *tls, const struct reading *reading, unsigned index);
static int set_rules(SSL_CTX *context, const struct reading *reading);
static int set_session_scope(SSL_CTX *context, const struct reading *reading);
static int refuse(const struct reading *reading, const char *line);
static int on_server_name(SSL *ssl, int *alert, void *unused);
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                        const unsigned char *offered, unsigned offered_length, void *unused);

int tls_new(const struct options *options, const struct ticket_keys *tickets, struct tls **out,
            char *error, size_t error_size) {
    struct reading reading = {
        .options = options, .tickets = tickets, .error = error, .error_size = error_size};
    char *certificates = strdup(options->tls_cert_file);
    char *keys =
        strdup(options->tls_key_file[0] != '\0' ? options->tls_key_file : options->tls_cert_file);
    struct tls *tls = calloc(1, sizeof(*tls));
    int result = certificates == NULL || keys == NULL || tls == NULL
                     ? refuse(&reading, NO_MEMORY)
                     : read_lists(&reading, certificates, keys);
    result = result != 0 ? result : add_certificates(tls, &reading);
    free(certificates);
    free(keys);
    if (result != 0 || reading.count == 0) {
        tls_free(tls);
        tls = NULL;
    }
    if (result == 0) {
        *out = tls;
    }
    return result;
}

void tls_free(struct tls *tls) {
    if (tls == NULL) {
        return;
    }
    for (unsigned i = 0; i < tls->count; i++) {
        SSL_CTX_free(tls->contexts[i]);
    }
    tls_names_done(&tls->names);
    free(tls);
}

unsigned tls_certificate_count(const struct tls *tls) {
    return tls->count;
}

const char *tls_warning(const struct tls *tls, unsigned certificate) {
    return tls->warnings[certificate];
}

SSL *tls_session_new(struct tls *const *present, int fd) {
    SSL *ssl = SSL_new((*present)->contexts[0]);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_app_data(ssl, (void *)(uintptr_t)present);
    SSL_set_accept_state(ssl);
    return ssl;
}

static int refuse(const struct reading *reading, const char *line) {
    snprintf(reading->error, reading->error_size, "%s", line);
    return -EINVAL;
}

static int read_lists(struct reading *reading, char *certificates, char *keys) {
    const struct options *options = reading->options;
    int count = path_list_split(certificates, reading->certificates, TLS_MAX_CERTIFICATES);
    int key_count = path_list_split(keys, reading->keys, TLS_MAX_CERTIFICATES);
    if (count < 0 || key_count < 0) {
        return refuse(reading, "TLS_CERT_FILE: too many; at most 32 certificates are allowed");
    }
    if (count == 0 && options->tls_key_file[0] != '\0') {
        return refuse(reading, "TLS_CERT_FILE: not set, but TLS_KEY_FILE is; set both or neither");
    }
    if (count != key_count) {
        snprintf(reading->error, reading->error_size,
                 "TLS_KEY_FILE: %d keys for the %d certificates of TLS_CERT_FILE; give one for "
                 "each, in the same order",
                 key_count, count);
        return -EINVAL;
    }
    bool asks = strcmp(options->tls_client_cert, "none") != 0;
    if (asks && (count == 0 || options->tls_client_ca_file[0] == '\0')) {
        return refuse(reading, count == 0 ? "TLS_CLIENT_CERT: set, but TLS_CERT_FILE is not"
                                          : "TLS_CLIENT_CA_FILE: not set; TLS_CLIENT_CERT needs "
                                            "it to know whom to believe");
    }
    if (!asks && options->tls_client_ca_file[0] != '\0') {
        return refuse(reading, "TLS_CLIENT_CA_FILE: set, but TLS_CLIENT_CERT is none, so that "
                               "nobody would be asked for a certificate; set it to optional or "
                               "require");
    }
    reading->count = (unsigned)count;
    return 0;
}

static int add_certificates(struct tls *tls, const struct reading *reading) {
    int result = 0;
    for (unsigned i = 0; i < reading->count && result == 0; i++) {
        result = add_certificate(tls, reading, i);
    }
    tls_names_sort(&tls->names);
    return result;
}

static int add_certificate(struct tls *tls, const struct reading *reading, unsigned index) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return refuse(reading, NO_MEMORY);
    }
    tls->contexts[index] = context;
    tls->count = index + 1;
    int result = set_rules(context, reading);
    if (result == 0) {
        result = tls_certificate_load(context, reading->certificates[index], reading->keys[index],
                                      reading->error, reading->error_size);
    }
    if (result == 0) {
        tls_certificate_warning(context, reading->certificates[index], tls->warnings[index],
                                WARNING_BYTES);
        result = tls_certificate_names(context, index, &tls->names) == 0
                     ? 0
                     : refuse(reading, NO_MEMORY);
    }
    return result;
}

static int set_rules(SSL_CTX *context, const struct reading *reading) {
    const struct options *options = reading->options;
    bool newest = strcmp(options->tls_min_version, "1.3") == 0;
    long lifetime_s = (long)(2 * options->tls_ticket_rotation / 1000);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                            SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                            SSL_OP_IGNORE_UNEXPECTED_EOF | /* a Close frame says what is an end */
                            (options->tls_ktls ? SSL_OP_ENABLE_KTLS : 0));
    /* what is queued may move between two tries, and an idle connection keeps no record's buffer */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    bool set =
        SSL_CTX_set_min_proto_version(context, newest ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(context, CIPHERS_1_2) == 1 &&
        SSL_CTX_set_ciphersuites(context, SUITES_1_3) == 1 &&
        SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
        tls_ticket_use(context, reading->tickets, lifetime_s) == 0;
    if (!set) {
        ERR_clear_error();
        return refuse(reading,
                      "TLS_CERT_FILE: this OpenSSL lacks a cipher or group that is needed");
    }
    if (strcmp(options->tls_client_cert, "none") == 0) {
        return set_session_scope(context, reading);
    }
    int result =
        tls_certificate_ask_client(context, options->tls_client_cert, options->tls_client_ca_file,
                                   reading->error, reading->error_size);
    return result != 0 ? result : set_session_scope(context, reading);
}

/* A session carries who the client has proved to be, so it is resumed only where the same proof would be asked for: the
 * scope is a digest of the mode and the authorities. */
static int set_session_scope(SSL_CTX *context, const struct reading *reading) {
    const char *mode = reading->options->tls_client_cert;
    STACK_OF(X509_OBJECT) *authorities = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    unsigned char scope[EVP_MAX_MD_SIZE], print[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(digest, mode, strlen(mode)) == 1;
    for (int i = 0; good && i < sk_X509_OBJECT_num(authorities); i++) {
        const X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(authorities, i));
        good = authority != NULL && X509_digest(authority, EVP_sha256(), print, &length) == 1 &&
               EVP_DigestUpdate(digest, print, length) == 1;
    }
    good = good && EVP_DigestFinal_ex(digest, scope, &length) == 1 &&
           SSL_CTX_set_session_id_context(context, scope, length) == 1;
    EVP_MD_CTX_free(digest);
    return good ? 0 : refuse(reading, NO_MEMORY);
}

/* A name that no certificate has gets the first: a client that cares refuses it by itself. */
static int on_server_name(SSL *ssl, int *alert, void *unused) {
    (void)alert;
    (void)unused;
    struct tls *const *present = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    int found = name != NULL ? tls_names_find(&(*present)->names, span_of(name)) : -1;
    if (found > 0 && SSL_set_SSL_CTX(ssl, (*present)->contexts[found]) == NULL) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* WebSocket over HTTP/1.1 only; who offers protocols without that one could not be answered (RFC 7301 section 3.2). */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                        const unsigned char *offered, unsigned offered_length, void *unused) {
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)unused;
    int result =
        SSL_select_next_proto(&chosen, out_length, ours, sizeof(ours) - 1, offered, offered_length);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}
