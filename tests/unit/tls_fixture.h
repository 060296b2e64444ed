/* Certificates and keys in a folder of the test's own, made by OpenSSL's library; and a client's side of TLS. Included once a
 * program. */
#ifndef MOONX_TESTS_UNIT_TLS_FIXTURE_H
#define MOONX_TESTS_UNIT_TLS_FIXTURE_H

#include "gateway/tls/tls.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char tls_folder[64];

static inline void tls_folder_make(void) {
    strcpy(tls_folder, "/tmp/moonx-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tls_folder));
}

static inline void tls_folder_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", tls_folder);
    ck_assert_int_eq(system(command), 0);
}

/* The path of a file there; good until eight more are asked for. */
static inline const char *tls_path(const char *name) {
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", tls_folder, name);
    return path;
}

static inline void tls_write_text(const char *name, const char *text) {
    FILE *file = fopen(tls_path(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* `names` as in a certificate's extension ("DNS:a.example"), NULL: a common name only. Days from now; a passphrase encrypts
 * the key. */
struct tls_made {
    const char *name, *names;
    int from_days, to_days;
    const char *passphrase;
    unsigned rsa_bits; /* 0: P-256 */
};

static inline void tls_write_key(const struct tls_made *made, EVP_PKEY *key) {
    char file_name[64];
    snprintf(file_name, sizeof file_name, "%s.key", made->name);
    FILE *file = fopen(tls_path(file_name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key,
                                          made->passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL,
                                          0, NULL, (void *)(uintptr_t)made->passphrase),
                     1);
    fclose(file);
}

/* NAME.crt and NAME.key. */
static inline void tls_make(const struct tls_made *made) {
    EVP_PKEY *key = made->rsa_bits > 0 ? EVP_RSA_gen(made->rsa_bits) : EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    char file_name[64];
    ck_assert_ptr_nonnull(key);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), made->from_days * 86400l);
    X509_gmtime_adj(X509_getm_notAfter(certificate), made->to_days * 86400l);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)made->name, -1,
                               -1, 0);
    X509_set_issuer_name(certificate, subject);
    if (made->names != NULL) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, made->names);
        ck_assert_ptr_nonnull(extension);
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    snprintf(file_name, sizeof file_name, "%s.crt", made->name);
    FILE *file = fopen(tls_path(file_name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
    fclose(file);
    tls_write_key(made, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static inline struct options tls_options(const char *certificates, const char *keys) {
    return (struct options){.tls_cert_file = certificates,
                            .tls_key_file = keys,
                            .tls_client_ca_file = "",
                            .tls_client_cert = "none",
                            .tls_min_version = "1.2",
                            .tls_ticket_rotation = 3600000};
}

#endif
