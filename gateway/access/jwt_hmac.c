#include "gateway/access/jwt_hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGEST_NAME_BYTES 8

static const size_t signature_bytes[JWT_HMAC_COUNT] = {
    [JWT_HS256] = 32, [JWT_HS384] = 48, [JWT_HS512] = 64};

struct jwt_hmac {
    EVP_MAC_CTX *keyed[JWT_HMAC_COUNT];
};

static EVP_MAC_CTX *keyed_new(EVP_MAC *mac, const char *digest, struct span secret);

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
    for (size_t i = 0; i < JWT_HMAC_COUNT; i++) {
        hmac->keyed[i] = keyed_new(mac, jwt_algorithm_row((enum jwt_algorithm)i)->digest, secret);
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
    for (size_t i = 0; i < JWT_HMAC_COUNT; i++) {
        EVP_MAC_CTX_free(hmac->keyed[i]);
    }
    free(hmac);
}

size_t jwt_hmac_bytes(enum jwt_algorithm algorithm) {
    return signature_bytes[algorithm];
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
        length != signature_bytes[algorithm]) {
        goto out;
    }
    memcpy(signature, digest, length);
    error = 0;
out:
    EVP_MAC_CTX_free(context);
    return error;
}

static EVP_MAC_CTX *keyed_new(EVP_MAC *mac, const char *digest, struct span secret) {
    char name[DIGEST_NAME_BYTES]; /* OSSL_PARAM takes no const text */
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    OSSL_PARAM parameters[2];

    if (context == NULL) {
        return NULL;
    }
    (void)snprintf(name, sizeof(name), "%s", digest);
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
    parameters[1] = OSSL_PARAM_construct_end();
    if (EVP_MAC_init(context, (const unsigned char *)secret.data, secret.length, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    return context;
}
