#include "gateway/http/admin_rule.h"

#include "common/secret.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define DIGEST_BYTES 32 /* SHA-256 */

struct admin_rule {
    struct address_list *allow;
    bool has_token;
    /* Digests are compared, so that neither the time nor the length of a guess tells anything. */
    unsigned char token_digest[DIGEST_BYTES];
};

static int read_token(const char *path, struct admin_rule *rule, char *error, size_t error_size);
static bool bears_token(const struct admin_rule *rule, const struct http_request *request);
static bool came_through_a_proxy(const struct http_request *request,
                                 const struct address_client *client);

static bool digest(struct span bytes, unsigned char out[DIGEST_BYTES]) {
    return EVP_Digest(bytes.data, bytes.length, out, NULL, EVP_sha256(), NULL) == 1;
}

int admin_rule_new(const struct options *options, struct admin_rule **out, char *error,
                   size_t error_size) {
    struct admin_rule *rule = calloc(1, sizeof(*rule));
    int result;

    if (rule == NULL) {
        snprintf(error, error_size, "ADMIN_ALLOW: out of memory");
        return -ENOMEM;
    }
    result = address_list_new("ADMIN_ALLOW", options->admin_allow, &rule->allow, error, error_size);
    if (result == 0 && options->admin_token_file[0] != '\0') {
        result = read_token(options->admin_token_file, rule, error, error_size);
    }
    if (result != 0) {
        admin_rule_free(rule);
        return result;
    }
    *out = rule;
    return 0;
}

void admin_rule_free(struct admin_rule *rule) {
    if (rule != NULL) {
        address_list_free(rule->allow);
        explicit_bzero(rule->token_digest, sizeof(rule->token_digest));
        free(rule);
    }
}

const char *admin_rule_refusal(const struct admin_rule *rule, const struct http_request *request,
                               const struct address_client *client) {
    static const char stranger[] = "This path answers to administrators only";
    if (rule == NULL) {
        return stranger;
    }
    if (rule->has_token && bears_token(rule, request)) {
        return NULL;
    }
    if (!client->known || !client->vouched || !address_list_has(rule->allow, &client->address)) {
        return stranger;
    }
    if (!address_is_loopback(&client->address)) {
        return NULL;
    }
    if (came_through_a_proxy(request, client)) {
        return stranger;
    }
    return http_request_host_is_no_strangers(request)
               ? NULL
               : "From this host this path answers to an address, localhost or the host's own "
                 "name in Host only";
}

/* Proxies that are not told to write X-Forwarded-For often leave another trace. */
static bool came_through_a_proxy(const struct http_request *request,
                                 const struct address_client *client) {
    static const char *const traces[] = {"x-real-ip",         "via",         "x-forwarded-host",
                                         "x-forwarded-proto", "x-client-ip", "true-client-ip",
                                         "cf-connecting-ip"};
    bool found = client->forwarded;
    struct span value;

    for (size_t i = 0; i < ARRAY_LENGTH(traces) && !found; i++) {
        found = http_request_header(request, traces[i], &value) != 0;
    }
    return found;
}

/* RFC 6750 section 2.1: what a Bearer token may be made of. */
static bool is_token(struct span text) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr("-._~+/=", c) == NULL)) {
            return false;
        }
    }
    return true;
}

static int read_token(const char *path, struct admin_rule *rule, char *error, size_t error_size) {
    struct secret *token = NULL;
    int result = secret_from_file(path, &token);

    if (result != 0 && result != -EINVAL && result != -E2BIG) {
        snprintf(error, error_size, "ADMIN_TOKEN_FILE: \"%s\": cannot be read: %s", path,
                 strerror(-result));
        return result;
    }
    if (result != 0 || secret_bytes(token).length < ADMIN_RULE_TOKEN_MIN_BYTES ||
        !is_token(secret_bytes(token))) {
        snprintf(error, error_size,
                 "ADMIN_TOKEN_FILE: \"%s\" must hold one token of %d to %d bytes of A-Z a-z 0-9 "
                 "- . _ ~ + / =",
                 path, ADMIN_RULE_TOKEN_MIN_BYTES, SECRET_MAX_BYTES);
        result = -EINVAL;
    } else if (!digest(secret_bytes(token), rule->token_digest)) {
        snprintf(error, error_size, "ADMIN_TOKEN_FILE: OpenSSL has no SHA-256");
        result = -EIO;
    }
    rule->has_token = result == 0;
    secret_free(token);
    return result;
}

static bool bears_token(const struct admin_rule *rule, const struct http_request *request) {
    static const struct span scheme = SPAN_LITERAL("Bearer ");
    unsigned char given[DIGEST_BYTES];
    struct span value;

    if (http_request_header(request, "authorization", &value) != 1 ||
        value.length <= scheme.length || strncasecmp(value.data, scheme.data, scheme.length) != 0) {
        return false;
    }
    value = (struct span){value.data + scheme.length, value.length - scheme.length};
    return digest(value, given) &&
           secret_equal((struct span){(const char *)given, DIGEST_BYTES},
                        (struct span){(const char *)rule->token_digest, DIGEST_BYTES});
}
