/* Keys and tokens of an issuer, for tests of the verifier: OpenSSL makes the keys, and the fixture signs. */
#ifndef MOONX_TESTS_JWT_FIXTURE_H
#define MOONX_TESTS_JWT_FIXTURE_H

#include "gateway/access/auth.h"
#include "gateway/access/base64url.h"
#include "gateway/access/jwt_algorithm.h"

#include <check.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JWT_NOW_S       1700000000LL
#define JWT_GOOD_CLAIMS "{\"sub\":\"alice\",\"exp\":1700003600}"
#define JWT_TOKEN_MAX   20000
#define JWT_ACCEPTED    (-1)

static inline EVP_PKEY *jwt_make_key(enum jwt_kind kind) {
    static const char *const curves[] = {
        [JWT_P256] = "P-256", [JWT_P384] = "P-384", [JWT_P521] = "P-521"};
    EVP_PKEY *pkey = kind == JWT_RSA       ? EVP_RSA_gen(2048)
                     : kind == JWT_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                           : EVP_EC_gen(curves[kind]);
    ck_assert_ptr_nonnull(pkey);
    return pkey;
}

static inline size_t jwt_add_segment(char *token, size_t used, const void *bytes, size_t length) {
    long added = base64url_encode(bytes, length, token + used, JWT_TOKEN_MAX - used);
    ck_assert_int_ge(added, 0);
    return used + (size_t)added;
}

/* The DER form that OpenSSL gives for ECDSA becomes r and s side by side. */
static inline size_t jwt_raw_ecdsa(unsigned char *signature, size_t length, int half) {
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)length);
    ck_assert_ptr_nonnull(pair);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, half), half);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + half, half), half);
    ECDSA_SIG_free(pair);
    return 2 * (size_t)half;
}

/* A signature over `text` as the algorithm has it, in `form` 'r' (raw, as RFC 7518 wants) or 'd' (DER). */
static inline size_t jwt_signature(EVP_PKEY *key, enum jwt_algorithm algorithm, struct span text,
                                   char form, unsigned char signature[1024]) {
    static const int halves[] = {[JWT_P256] = 32, [JWT_P384] = 48, [JWT_P521] = 66};
    const struct jwt_algorithm_row *row = jwt_algorithm_row(algorithm);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    size_t length = 1024;
    ck_assert_int_eq(
        EVP_DigestSignInit_ex(context, &parameters, row->digest, NULL, NULL, key, NULL), 1);
    if (row->pss) {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    ck_assert_int_eq(
        EVP_DigestSign(context, signature, &length, (const unsigned char *)text.data, text.length),
        1);
    EVP_MD_CTX_free(context);
    bool elliptic = row->kind == JWT_P256 || row->kind == JWT_P384 || row->kind == JWT_P521;
    return elliptic && form == 'r' ? jwt_raw_ecdsa(signature, length, halves[row->kind]) : length;
}

/* header.claims without a signature; the length. */
static inline size_t jwt_unsigned(char *token, const char *header, const char *claims) {
    size_t used = jwt_add_segment(token, 0, header, strlen(header));
    token[used++] = '.';
    return jwt_add_segment(token, used, claims, strlen(claims));
}

static inline struct span jwt_with_signature(char *token, size_t used, const void *bytes,
                                             size_t length) {
    token[used++] = '.';
    used = jwt_add_segment(token, used, bytes, length);
    return (struct span){token, used};
}

static inline struct span jwt_sign_form(char *token, EVP_PKEY *key, enum jwt_algorithm algorithm,
                                        const char *header, char form) {
    unsigned char signature[1024];
    size_t used = jwt_unsigned(token, header, JWT_GOOD_CLAIMS);
    size_t length = jwt_signature(key, algorithm, (struct span){token, used}, form, signature);
    return jwt_with_signature(token, used, signature, length);
}

static inline struct span jwt_sign(char *token, EVP_PKEY *key, enum jwt_algorithm algorithm,
                                   const char *header) {
    return jwt_sign_form(token, key, algorithm, header, 'r');
}

/* {"alg":"NAME"} or, with a kid, {"alg":"NAME","kid":KID} as it stands. */
static inline const char *jwt_header(enum jwt_algorithm algorithm, const char *kid) {
    static char header[1024];
    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"%s%s}",
                   jwt_algorithm_row(algorithm)->name,
                   kid == NULL ? "" : ",\"kid\":", kid == NULL ? "" : kid);
    return header;
}

static inline void jwt_write_file(char *path, const char *text, size_t length) {
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
    (void)close(fd);
}

/* What `write` prints of a key into PEM, as text to be freed. */
static inline char *jwt_pem(EVP_PKEY *key, bool private) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;
    int done = private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                       : PEM_write_bio_PUBKEY(bio, key);
    ck_assert_int_eq(done, 1);
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)length);
    BIO_free(bio);
    return text;
}

static inline void jwt_bn_member(char *out, size_t size, EVP_PKEY *key, const char *parameter,
                                 int bytes) {
    unsigned char raw[1024];
    BIGNUM *number = NULL;
    ck_assert_int_eq(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    int length = bytes == 0 ? BN_num_bytes(number) : bytes;
    ck_assert_int_eq(BN_bn2binpad(number, raw, length), length);
    long written = base64url_encode(raw, (size_t)length, out, size - 1);
    ck_assert_int_gt(written, 0);
    out[written] = '\0';
    BN_free(number);
}

/* The key as a JWK with these further members (",\"kid\":\"a\""), as text to be freed. */
static inline char *jwt_jwk(EVP_PKEY *key, enum jwt_kind kind, const char *more) {
    static const char *const curves[] = {
        [JWT_P256] = "P-256", [JWT_P384] = "P-384", [JWT_P521] = "P-521"};
    static const int bytes[] = {[JWT_P256] = 32, [JWT_P384] = 48, [JWT_P521] = 66};
    char a[1400], b[1400];
    unsigned char raw[32];
    size_t raw_length = sizeof(raw);
    char *text = NULL;
    int made;
    if (kind == JWT_RSA) {
        jwt_bn_member(a, sizeof(a), key, OSSL_PKEY_PARAM_RSA_N, 0);
        jwt_bn_member(b, sizeof(b), key, OSSL_PKEY_PARAM_RSA_E, 0);
        made = asprintf(&text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b, more);
    } else if (kind == JWT_ED25519) {
        ck_assert_int_eq(EVP_PKEY_get_raw_public_key(key, raw, &raw_length), 1);
        long written = base64url_encode(raw, raw_length, a, sizeof(a) - 1);
        a[written] = '\0';
        made = asprintf(&text, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", a, more);
    } else {
        jwt_bn_member(a, sizeof(a), key, OSSL_PKEY_PARAM_EC_PUB_X, bytes[kind]);
        jwt_bn_member(b, sizeof(b), key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes[kind]);
        made = asprintf(&text, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}",
                        curves[kind], a, b, more);
    }
    ck_assert_int_gt(made, 0);
    return text;
}

static inline struct options jwt_options(void) {
    struct options options;
    memset(&options, 0, sizeof(options));
    options.jwt_secret = "";
    options.jwt_secret_file = "";
    options.jwt_public_key_file = "";
    options.jwt_jwks_file = "";
    options.jwt_algorithms = "";
    options.jwt_issuer = "";
    options.jwt_audience = "";
    options.jwt_leeway_seconds = 30;
    options.dev_directory = "/nonexistent";
    return options;
}

/* A verifier with this text as its PUBLIC_KEY_FILE or (`jwks`) its JWKS_FILE; NULL and `error` when refused. */
static inline struct auth *jwt_auth(struct options *options, const char *text, bool jwks,
                                    char *error, size_t size) {
    char path[] = "/tmp/moonx-test-key-XXXXXX";
    struct auth *auth = NULL;
    jwt_write_file(path, text, strlen(text));
    *(jwks ? &options->jwt_jwks_file : &options->jwt_public_key_file) = path;
    int result = auth_new(options, false, &auth, error, size);
    ck_assert_int_eq(result == 0, auth != NULL);
    (void)unlink(path);
    *(jwks ? &options->jwt_jwks_file : &options->jwt_public_key_file) = "";
    return auth;
}

/* JWT_ACCEPTED, or the error code. */
static inline int jwt_verdict(const struct auth *auth, struct span token) {
    struct identity identity;
    enum error_code code = ERROR_CODE_COUNT;
    int result = auth_verify(auth, token, JWT_NOW_S * 1000, &identity, &code);
    if (result == 0) {
        ck_assert_str_eq(identity.user_id, "alice");
        return JWT_ACCEPTED;
    }
    ck_assert_int_eq(result, -EACCES);
    return (int)code;
}

#endif
