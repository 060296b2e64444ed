/* HS256 tokens for the load generator's users, made with OpenSSL's HMAC alone, so that the bench does not
 * depend on the code that it measures. */
#ifndef MOONX_BENCH_LOAD_TOKEN_H
#define MOONX_BENCH_LOAD_TOKEN_H

#include "common/base.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define LOAD_TOKEN_BYTES 512

static size_t load_token_base64url(const void *data, size_t length, char *out) {
    int written = EVP_EncodeBlock((unsigned char *)out, data, (int)length);
    size_t end = (size_t)written;
    while (end > 0 && out[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    out[end] = '\0';
    return end;
}

/* The token of user bench<number>; NUL-terminated. */
static void load_token_mint(const struct load_settings *settings, unsigned user,
                            char token[LOAD_TOKEN_BYTES]) {
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    char claims[192];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    int claims_length = snprintf(claims, sizeof(claims),
                                 "{\"sub\":\"bench%u\",\"email\":\"bench%u@example.com\","
                                 "\"roles\":[\"user\"],\"exp\":%lld}",
                                 user, user, settings->expires_s);
    size_t length = load_token_base64url(header, sizeof(header) - 1, token);
    token[length++] = '.';
    length += load_token_base64url(claims, (size_t)claims_length, token + length);
    HMAC(EVP_sha256(), settings->secret, (int)settings->secret_length, (const unsigned char *)token,
         length, digest, &digest_length);
    token[length++] = '.';
    load_token_base64url(digest, digest_length, token + length);
}

#endif
