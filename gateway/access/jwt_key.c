#include "gateway/access/jwt_key.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define RSA_MIN_BITS 2048 /* RFC 7518 section 3.3 */
#define RSA_MAX_BITS 8192 /* a longer one would cost the loop milliseconds a token */
#define GROUP_BYTES  32
#define DER_MAX      160 /* of an ECDSA signature: two integers of 66 bytes, and their heads */

struct jwt_key {
    EVP_PKEY *pkey;
    enum jwt_kind kind;
    unsigned algorithms;
    size_t signature_bytes;
    size_t id_length;
    char id[JWT_KEY_ID_MAX];
};

static const struct {
    const char *group; /* OpenSSL's name */
    enum jwt_kind kind;
    size_t signature_bytes; /* r and s, each of the order's length (RFC 7518 section 3.4) */
} curves[] = {
    {"prime256v1", JWT_P256, 64},
    {"secp384r1", JWT_P384, 96},
    {"secp521r1", JWT_P521, 132},
};

static const char *classify(struct jwt_key *key);
static const char *classify_rsa(struct jwt_key *key);
static const char *classify_ec(struct jwt_key *key);
static bool exponent_sound(const EVP_PKEY *pkey);
static bool point_sound(EVP_PKEY *pkey);
static EVP_PKEY *decode_pem(struct span pem, size_t *left);
static bool contains(struct span text, const char *part);
static long ecdsa_der(struct span signature, unsigned char *der, size_t size);
static bool check(const struct jwt_key *key, const struct jwt_algorithm_row *row, struct span text,
                  struct span signature);
static bool set_padding(EVP_PKEY_CTX *context, const struct jwt_algorithm_row *row);

int jwt_key_new(EVP_PKEY *pkey, struct span id, struct jwt_key **out, const char **why) {
    struct jwt_key *key = calloc(1, sizeof(*key));
    const char *fault;

    if (key == NULL || id.length > sizeof(key->id)) {
        EVP_PKEY_free(pkey);
        free(key);
        *why = key == NULL ? "there is no memory for it" : "its kid is longer than 256 bytes";
        return key == NULL ? -ENOMEM : -EINVAL;
    }
    key->pkey = pkey;
    memcpy(key->id, id.data, id.length);
    key->id_length = id.length;
    fault = classify(key);
    if (fault != NULL) {
        jwt_key_free(key);
        *why = fault;
        return -EINVAL;
    }
    key->algorithms = jwt_algorithm_set(key->kind);
    *out = key;
    return 0;
}

int jwt_key_from_pem(struct span pem, struct jwt_key **out, const char **why) {
    size_t left = 0;
    EVP_PKEY *pkey;

    if (contains(pem, "PRIVATE KEY-----")) {
        *why = "holds a private key; the gateway needs only the public one";
        return -EINVAL;
    }
    pkey = decode_pem(pem, &left);
    if (pkey == NULL) {
        *why = "holds no public key in PEM (\"-----BEGIN PUBLIC KEY-----\")";
        return -EINVAL;
    }
    if (contains((struct span){pem.data + pem.length - left, left}, "-----BEGIN")) {
        EVP_PKEY_free(pkey);
        *why = "holds more than one key; several need JWT_JWKS_FILE";
        return -EINVAL;
    }
    return jwt_key_new(pkey, (struct span){"", 0}, out, why);
}

void jwt_key_free(struct jwt_key *key) {
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

struct span jwt_key_id(const struct jwt_key *key) {
    return (struct span){key->id, key->id_length};
}

unsigned jwt_key_algorithms(const struct jwt_key *key) {
    return key->algorithms;
}

void jwt_key_restrict(struct jwt_key *key, unsigned algorithms) {
    key->algorithms &= algorithms;
}

bool jwt_key_verify(const struct jwt_key *key, enum jwt_algorithm algorithm, struct span text,
                    struct span signature) {
    unsigned char der[DER_MAX];
    bool elliptic = key->kind == JWT_P256 || key->kind == JWT_P384 || key->kind == JWT_P521;
    bool good;

    if ((key->algorithms & JWT_ALGORITHM_BIT(algorithm)) == 0 ||
        signature.length != key->signature_bytes) {
        return false;
    }
    if (elliptic) {
        long length = ecdsa_der(signature, der, sizeof(der));
        if (length < 0) {
            return false;
        }
        signature = (struct span){(const char *)der, (size_t)length};
    }
    good = check(key, jwt_algorithm_row(algorithm), text, signature);
    ERR_clear_error(); /* a stranger's bad signatures must not pile up where TLS looks for its own */
    return good;
}

/* Kind and length of signatures; NULL, or what is wrong with the key. */
static const char *classify(struct jwt_key *key) {
    if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        return classify_rsa(key);
    }
    if (EVP_PKEY_is_a(key->pkey, "EC")) {
        return classify_ec(key);
    }
    if (EVP_PKEY_is_a(key->pkey, "ED25519")) {
        key->kind = JWT_ED25519;
        key->signature_bytes = 64;
        return NULL;
    }
    return "is of a kind that is not supported; RSA, EC (P-256, P-384, P-521) and Ed25519 are";
}

static const char *classify_rsa(struct jwt_key *key) {
    int bits = EVP_PKEY_get_bits(key->pkey);

    if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS) {
        return "is an RSA key of fewer than 2048 or more than 8192 bits";
    }
    if (!exponent_sound(key->pkey)) {
        return "is an RSA key with an even or trivial exponent";
    }
    key->kind = JWT_RSA;
    key->signature_bytes = (size_t)EVP_PKEY_get_size(key->pkey);
    return NULL;
}

static const char *classify_ec(struct jwt_key *key) {
    char group[GROUP_BYTES];

    if (EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), NULL) != 1) {
        return "is an EC key without a named curve";
    }
    for (size_t i = 0; i < ARRAY_LENGTH(curves); i++) {
        if (strcmp(group, curves[i].group) == 0) {
            key->kind = curves[i].kind;
            key->signature_bytes = curves[i].signature_bytes;
            return point_sound(key->pkey) ? NULL : "is an EC key whose point is not on its curve";
        }
    }
    return "is an EC key on a curve other than P-256, P-384 and P-521";
}

/* With an exponent of 1 every text would be its own signature. */
static bool exponent_sound(const EVP_PKEY *pkey) {
    BIGNUM *exponent = NULL;
    bool sound = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
                 BN_is_odd(exponent) && !BN_is_one(exponent);

    BN_free(exponent);
    return sound;
}

static bool point_sound(EVP_PKEY *pkey) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return sound;
}

/* *left: bytes behind the key. */
static EVP_PKEY *decode_pem(struct span pem, size_t *left) {
    const unsigned char *at = (const unsigned char *)pem.data;
    EVP_PKEY *pkey = NULL;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, "PEM", NULL, NULL, EVP_PKEY_PUBLIC_KEY, NULL, NULL);

    *left = pem.length;
    if (decoder != NULL && OSSL_DECODER_from_data(decoder, &at, left) != 1) {
        pkey = NULL;
    }
    OSSL_DECODER_CTX_free(decoder);
    ERR_clear_error();
    return pkey;
}

static bool contains(struct span text, const char *part) {
    return text.length > 0 && memmem(text.data, text.length, part, strlen(part)) != NULL;
}

/* OpenSSL takes DER only; a token has r and s side by side. */
static long ecdsa_der(struct span signature, unsigned char *der, size_t size) {
    const unsigned char *bytes = (const unsigned char *)signature.data;
    int half = (int)(signature.length / 2);
    BIGNUM *r = BN_bin2bn(bytes, half, NULL), *s = BN_bin2bn(bytes + half, half, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    long length = -ENOMEM;
    int needed;

    if (r == NULL || s == NULL || pair == NULL) {
        goto out;
    }
    if (BN_is_zero(r) || BN_is_zero(s)) {
        length = -EINVAL; /* CVE-2022-21449: never a signature, whatever the library says */
        goto out;
    }
    if (ECDSA_SIG_set0(pair, r, s) != 1) {
        goto out;
    }
    r = s = NULL; /* the pair's now */
    needed = i2d_ECDSA_SIG(pair, NULL);
    if (needed > 0 && (size_t)needed <= size) {
        length = i2d_ECDSA_SIG(pair, &der);
    }
out:
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return length;
}

static bool check(const struct jwt_key *key, const struct jwt_algorithm_row *row, struct span text,
                  struct span signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* the context's */
    bool good = context != NULL &&
                EVP_DigestVerifyInit_ex(context, &parameters, row->digest, NULL, NULL, key->pkey,
                                        NULL) == 1 &&
                set_padding(parameters, row) &&
                EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.length,
                                 (const unsigned char *)text.data, text.length) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

static bool set_padding(EVP_PKEY_CTX *context, const struct jwt_algorithm_row *row) {
    if (row->kind != JWT_RSA) {
        return true;
    }
    if (!row->pss) {
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    }
    /* The mask's digest is the signature's by default, as RFC 7518 section 3.5 has it. */
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}
