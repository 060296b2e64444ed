#include "gateway/tls/tls_certificate.h"

#include "common/secret.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

#define WARN_DAYS 30

/* Where complaints go. */
struct complaint {
    const char *option, *path;
    char *error;
    size_t size;
};

static int complain(const struct complaint *complaint, const char *format, ...) PRINTF_LIKE(2, 3);
static int load_chain(SSL_CTX *context, const struct complaint *complaint);
static int load_key(SSL_CTX *context, const struct complaint *complaint);
static int take_chain(SSL_CTX *context, BIO *pem, const struct complaint *complaint);
static int take_key(SSL_CTX *context, BIO *pem, const struct complaint *complaint);
static int take_authorities(SSL_CTX *context, BIO *pem, const struct complaint *complaint);

typedef int pem_taker(SSL_CTX *context, BIO *pem, const struct complaint *complaint);
static int with_file(SSL_CTX *context, pem_taker *take, const struct complaint *complaint);

int tls_certificate_load(SSL_CTX *context, const char *certificate_path, const char *key_path,
                         char *error, size_t error_size) {
    const struct complaint chain = {"TLS_CERT_FILE", certificate_path, error, error_size};
    const struct complaint key = {"TLS_KEY_FILE", key_path, error, error_size};
    int result = load_chain(context, &chain);
    return result != 0 ? result : load_key(context, &key);
}

static int load_chain(SSL_CTX *context, const struct complaint *complaint) {
    return with_file(context, take_chain, complaint);
}

static int load_key(SSL_CTX *context, const struct complaint *complaint) {
    return with_file(context, take_key, complaint);
}

static int add_alternatives(const GENERAL_NAMES *alternatives, unsigned certificate,
                            struct tls_names *names, unsigned *found) {
    int result = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives) && result == 0; i++) {
        int type;
        const ASN1_STRING *text =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(alternatives, i), &type);
        if (type == GEN_DNS) {
            ++*found;
            struct span name = {(const char *)ASN1_STRING_get0_data(text),
                                (size_t)ASN1_STRING_length(text)};
            result = tls_names_add(names, name, certificate);
        }
    }
    return result;
}

int tls_certificate_names(const SSL_CTX *context, unsigned certificate, struct tls_names *names) {
    X509 *leaf = SSL_CTX_get0_certificate(context);
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    unsigned found = 0;
    int result = add_alternatives(alternatives, certificate, names, &found);
    GENERAL_NAMES_free(alternatives);
    char common[TLS_NAME_MAX_BYTES + 1];
    if (result == 0 && found == 0 &&
        X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, common,
                                  sizeof(common)) > 0) {
        result = tls_names_add(names, span_of(common), certificate);
    }
    return result;
}

void tls_certificate_warning(const SSL_CTX *context, const char *certificate_path, char *warning,
                             size_t size) {
    const X509 *leaf = SSL_CTX_get0_certificate(context);
    int days = 0, seconds = 0;
    warning[0] = '\0';
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
        snprintf(warning, size, "TLS_CERT_FILE: \"%s\": the certificate is not valid yet",
                 certificate_path);
    } else if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) {
        snprintf(warning, size, "TLS_CERT_FILE: \"%s\": the certificate has expired",
                 certificate_path);
    } else if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) == 1 &&
               days < WARN_DAYS) {
        snprintf(warning, size, "TLS_CERT_FILE: \"%s\": the certificate expires in %d days",
                 certificate_path, days);
    }
}

int tls_certificate_ask_client(SSL_CTX *context, const char *mode, const char *ca_path, char *error,
                               size_t error_size) {
    const struct complaint complaint = {"TLS_CLIENT_CA_FILE", ca_path, error, error_size};
    int verify = SSL_VERIFY_PEER;
    if (strcmp(mode, "require") == 0) {
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(context, verify, NULL);
    return with_file(context, take_authorities, &complaint);
}

static int complain(const struct complaint *complaint, const char *format, ...) {
    va_list arguments;
    int length = snprintf(complaint->error, complaint->size, "%s: \"%s\": ", complaint->option,
                          complaint->path);
    if (length > 0 && (size_t)length < complaint->size) {
        va_start(arguments, format);
        (void)vsnprintf(complaint->error + length, complaint->size - (size_t)length, format,
                        arguments);
        va_end(arguments);
    }
    ERR_clear_error();
    return -EINVAL;
}

static const char *openssl_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "not understood";
}

/* A certificate's file may hold the key, so all are treated as secrets. */
static int with_file(SSL_CTX *context, pem_taker *take, const struct complaint *complaint) {
    struct secret *text = NULL;
    int result = secret_from_file(complaint->path, &text);
    if (result == -EINVAL) {
        return complain(complaint, "is empty or no regular file");
    }
    if (result == -E2BIG) {
        return complain(complaint, "at most %d bytes are allowed", SECRET_MAX_BYTES);
    }
    if (result != 0) {
        return complain(complaint, "cannot be read: %s", strerror(-result));
    }
    struct span bytes = secret_bytes(text);
    BIO *pem = BIO_new_mem_buf(bytes.data, (int)bytes.length);
    ERR_clear_error();
    result = pem != NULL ? take(context, pem, complaint) : -ENOMEM;
    BIO_free(pem);
    secret_free(text);
    return result;
}

/* True when reading ended because there is no more, not because of what there is. */
static bool read_all(void) {
    unsigned long error = ERR_peek_last_error();
    bool all = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (all) {
        ERR_clear_error();
    }
    return all;
}

static int take_chain(SSL_CTX *context, BIO *pem, const struct complaint *complaint) {
    X509 *certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    if (certificate == NULL) {
        return read_all() ? complain(complaint, "holds no PEM certificate")
                          : complain(complaint, "the certificate: %s", openssl_reason());
    }
    bool taken = SSL_CTX_use_certificate(context, certificate) == 1;
    X509_free(certificate);
    if (!taken) {
        return complain(complaint, "the certificate: %s", openssl_reason());
    }
    while ((certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return complain(complaint, "a certificate of the chain: %s", openssl_reason());
        }
    }
    return read_all() ? 0 : complain(complaint, "a certificate of the chain: %s", openssl_reason());
}

/* Nobody is there to ask. */
static int on_passphrase(char *buffer, int size, int writing, void *asked) {
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static int take_key(SSL_CTX *context, BIO *pem, const struct complaint *complaint) {
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, on_passphrase, &encrypted);
    if (encrypted) {
        EVP_PKEY_free(key);
        return complain(complaint, "the private key is encrypted; store it without a passphrase");
    }
    if (key == NULL) {
        bool none = read_all() || ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_UNSUPPORTED;
        return none ? complain(complaint, "holds no PEM private key")
                    : complain(complaint, "the private key: %s", openssl_reason());
    }
    bool fits = X509_check_private_key(SSL_CTX_get0_certificate(context), key) == 1;
    bool taken = fits && SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    return taken  ? 0
           : fits ? complain(complaint, "the private key: %s", openssl_reason())
                  : complain(complaint, "is not the key of the certificate in TLS_CERT_FILE");
}

static int take_authorities(SSL_CTX *context, BIO *pem, const struct complaint *complaint) {
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509 *authority;
    unsigned count = 0;
    bool taken = true;
    while (taken && (authority = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        taken = X509_STORE_add_cert(store, authority) == 1 &&
                SSL_CTX_add_client_CA(context, authority) == 1;
        X509_free(authority);
        count++;
    }
    if (!taken || !read_all()) {
        return complain(complaint, "a certificate: %s", openssl_reason());
    }
    return count > 0 ? 0 : complain(complaint, "holds no PEM certificate");
}
