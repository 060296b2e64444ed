#include "gateway/access/jwt_hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct algorithm {
    const char *name;
    char digest[8];
    size_t bytes;
};

static const struct algorithm algorithms[JWT_ALGORITHM_COUNT] = {
    [JWT_HS256] = {"HS256", "SHA256", 32},
    [JWT_HS384] = {"HS384", "SHA384", 48},
    [JWT_HS512] = {"HS512", "SHA512", 64},
};

struct jwt_hmac {
    EVP_MAC_CTX *keyed[JWT_ALGORITHM_COUNT];
};

static EVP_MAC_CTX *keyed_new(EVP_MAC *mac, const struct algorithm *algorithm, struct span secret);

int jwt_hmac_new(struct span secret, struct jwt_hmac **out) {
    struct jwt_hmac *hmac = NULL;
    EVP_MAC *mac = NULL;
    int error = -ENOMEM;

    if (secret.length == 0) {
        return -EINVAL;
    }
    hmac = calloc(1, sizeof(*hmac));
    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (hmac == NULL || mac == NULL) {
        goto out;
    }
    for (size_t i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        hmac->keyed[i] = keyed_new(mac, &algorithms[i], secret);
        if (hmac->keyed[i] == NULL) {
            goto out;
        }
    }
    *out = hmac;
    hmac = NULL;
    error = 0;
out:
    EVP_MAC_free(mac);
    jwt_hmac_free(hmac);
    return error;
}

void jwt_hmac_free(struct jwt_hmac *hmac) {
    if (hmac == NULL) {
        return;
    }
    for (size_t i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        EVP_MAC_CTX_free(hmac->keyed[i]);
    }
    free(hmac);
}

const char *jwt_hmac_name(enum jwt_algorithm algorithm) {
    return algorithms[algorithm].name;
}

int jwt_hmac_find(struct span name) {
    for (int i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        if (span_is(name, algorithms[i].name)) {
            return i;
        }
    }
    return -ENOENT;
}

size_t jwt_hmac_bytes(enum jwt_algorithm algorithm) {
    return algorithms[algorithm].bytes;
}

int jwt_hmac_sign(const struct jwt_hmac *hmac, enum jwt_algorithm algorithm, struct span text,
                  unsigned char signature[JWT_HMAC_MAX_BYTES]) {
    unsigned char digest[JWT_HMAC_MAX_BYTES];
    size_t length = 0;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(hmac->keyed[algorithm]);
    int error = -ENOMEM;

    if (context == NULL ||
        EVP_MAC_update(context, (const unsigned char *)text.data, text.length) != 1 ||
        EVP_MAC_final(context, digest, &length, sizeof(digest)) != 1 ||
        length != algorithms[algorithm].bytes) {
        goto out;
    }
    memcpy(signature, digest, length);
    error = 0;
out:
    EVP_MAC_CTX_free(context);
    return error;
}

static EVP_MAC_CTX *keyed_new(EVP_MAC *mac, const struct algorithm *algorithm, struct span secret) {
    char digest[sizeof(algorithm->digest)]; /* OSSL_PARAM takes no const text */
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    OSSL_PARAM parameters[2];

    if (context == NULL) {
        return NULL;
    }
    memcpy(digest, algorithm->digest, sizeof(digest));
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    parameters[1] = OSSL_PARAM_construct_end();
    if (EVP_MAC_init(context, (const unsigned char *)secret.data, secret.length, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    return context;
}
