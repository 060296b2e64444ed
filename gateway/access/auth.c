#include "gateway/access/auth.h"

#include "common/http_tls.h"
#include "common/http_url.h"
#include "gateway/access/jwks_url.h"
#include "gateway/access/jwt_config.h"

#include <stdio.h>
#include <stdlib.h>

struct auth {
    struct auth_jwt jwt;
    struct jwks_url *published[ISSUER_LIST_MAX]; /* of jwt.issuers; NULL: from a file */
    struct auth_service *service;                /* NULL: none configured */
    struct auth_rooms *rooms;                    /* where there is a service */
    struct http_tls *tls;                        /* NULL: nobody is asked by https */
    unsigned warning_count;
    char *warnings[1 + ISSUER_LIST_MAX];
};

static int warn(struct auth *auth, const char *secret);
static int publish(struct auth *auth, uint64_t refresh_ms, char *error, size_t error_size);
static int read_authorities(const struct options *options, struct auth *auth, char *error,
                            size_t error_size);

int auth_new(const struct options *options, bool dev, struct auth **out, char *error,
             size_t error_size) {
    struct auth *auth = calloc(1, sizeof(*auth));
    char weak_secret[160] = "";
    int result;

    if (auth == NULL) {
        (void)snprintf(error, error_size, "Not enough memory");
        return -ENOMEM;
    }
    result = jwt_config_read(options, dev, &auth->jwt, weak_secret, sizeof(weak_secret), error,
                             error_size);
    if (result == 0 && warn(auth, weak_secret) != 0) {
        (void)snprintf(error, error_size, "Not enough memory");
        result = -ENOMEM;
    }
    if (result == 0 && auth->jwt.issuer_count > 0) {
        result = auth_cache_new(&auth->jwt.cache);
        if (result != 0) {
            (void)snprintf(error, error_size, "Not enough memory");
        }
    }
    if (result == 0 && jwt_config_is_set(options->jwt_jwks_url)) {
        result = publish(auth, (uint64_t)options->jwt_jwks_refresh, error, error_size);
    }
    if (result == 0) {
        result = auth_service_new(options, &auth->service, error, error_size);
    }
    if (result == 0) {
        result = auth->service == NULL
                     ? 0
                     : auth_rooms_new(options, auth->service, &auth->rooms, error, error_size);
    }
    if (result == 0) {
        result = read_authorities(options, auth, error, error_size);
    }
    if (result != 0) {
        auth_free(auth);
        return result;
    }
    *out = auth;
    return 0;
}

static int warn(struct auth *auth, const char *secret) {
    if (secret[0] != '\0' && (auth->warnings[auth->warning_count++] = strdup(secret)) == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < auth->jwt.issuer_count; i++) {
        const struct jwt_issuer *issuer = &auth->jwt.issuers[i];
        const char *words = issuer->keys == NULL ? "" : jwt_key_set_passed_over(issuer->keys);
        char **line = &auth->warnings[auth->warning_count];

        if (words[0] == '\0') {
            continue;
        }
        if (asprintf(line, "JWT_JWKS_FILE: \"%s\": %s; passed over", issuer->place, words) < 0) {
            *line = NULL;
            return -ENOMEM;
        }
        auth->warning_count++;
    }
    return 0;
}

static int publish(struct auth *auth, uint64_t refresh_ms, char *error, size_t error_size) {
    int result = 0;

    for (unsigned i = 0; i < auth->jwt.issuer_count && result == 0; i++) {
        result = jwks_url_new(&auth->jwt.issuers[i], auth->jwt.cache, refresh_ms,
                              &auth->published[i], error, error_size);
    }
    return result;
}

static int read_authorities(const struct options *options, struct auth *auth, char *error,
                            size_t error_size) {
    bool https = auth->service != NULL && http_url_is_https(options->auth_service_url);

    for (unsigned i = 0; i < auth->jwt.issuer_count; i++) {
        https =
            https || (auth->published[i] != NULL && http_url_is_https(auth->jwt.issuers[i].place));
    }
    return https ? http_tls_new("HTTP_CLIENT_CA_FILE", options->http_client_ca_file, &auth->tls,
                                error, error_size)
                 : 0;
}

void auth_free(struct auth *auth) {
    if (auth != NULL) {
        for (unsigned i = 0; i < ISSUER_LIST_MAX; i++) {
            jwks_url_free(auth->published[i]);
        }
        for (unsigned i = 0; i < auth->warning_count; i++) {
            free(auth->warnings[i]);
        }
        auth_jwt_done(&auth->jwt);
        auth_rooms_free(auth->rooms);
        auth_service_free(auth->service);
        http_tls_free(auth->tls);
        free(auth);
    }
}

void auth_keep_claims(struct auth *auth, const struct room_claim_names *names) {
    auth->jwt.rules.room_claims = names;
    if (auth->service != NULL) {
        auth_service_keep_claims(auth->service, names);
    }
}

struct auth_rooms *auth_rooms(const struct auth *auth) {
    return auth->rooms;
}

const char *auth_warning(const struct auth *auth, unsigned number) {
    return number < auth->warning_count ? auth->warnings[number] : NULL;
}

/* The token's key is being fetched, or its issuer is away and nobody else can be asked. */
static bool key_may_come(const struct auth *auth, struct span token) {
    int issuer = auth->jwt.issuer_count > 0 ? auth_jwt_lacks_key(&auth->jwt, token) : -1;
    struct jwks_url *source = issuer < 0 ? NULL : auth->published[issuer];

    return source != NULL &&
           (jwks_url_wanted(source) || (auth->service == NULL && jwks_url_away(source)));
}

int auth_verify(const struct auth *auth, struct span token, int64_t now_wall_ms,
                struct identity *out, enum error_code *code) {
    int result = auth_jwt_verify(&auth->jwt, token, now_wall_ms, out, code);

    if (result != 0 && *code == ERROR_INVALID_TOKEN && key_may_come(auth, token)) {
        *code = ERROR_AUTH_UNAVAILABLE;
        return -EACCES;
    }
    /* What a key has verified and the claims refuse is settled; so is what can't be a token. */
    if (result == 0 || auth->service == NULL || *code != ERROR_INVALID_TOKEN || token.length == 0 ||
        token.length > AUTH_JWT_MAX_BYTES) {
        return result;
    }
    if (auth_service_recall(auth->service, token, now_wall_ms, out)) {
        return 0;
    }
    *code = ERROR_AUTH_UNAVAILABLE;
    return -EINPROGRESS;
}

int auth_start(struct auth *auth, struct event_base *base, struct stats *stats) {
    int error = 0;

    for (unsigned i = 0; i < ISSUER_LIST_MAX && error == 0; i++) {
        error = auth->published[i] == NULL
                    ? 0
                    : jwks_url_start(auth->published[i], base, auth->tls, stats);
    }
    if (error == 0 && auth->service != NULL) {
        error = auth_service_start(auth->service, base, auth->tls, stats);
        error = error != 0 ? error : auth_rooms_start(auth->rooms, base, auth->tls, stats);
    }
    return error;
}

void auth_stop(struct auth *auth) {
    for (unsigned i = 0; i < ISSUER_LIST_MAX; i++) {
        if (auth->published[i] != NULL) {
            jwks_url_stop(auth->published[i]);
        }
    }
    if (auth->service != NULL) {
        auth_rooms_stop(auth->rooms);
        auth_service_stop(auth->service);
    }
}

void auth_adopt(struct auth *auth, struct auth *old) {
    for (unsigned i = 0; i < ISSUER_LIST_MAX; i++) {
        for (unsigned j = 0; j < ISSUER_LIST_MAX; j++) {
            if (auth->published[i] != NULL && old->published[j] != NULL) {
                jwks_url_adopt(auth->published[i], old->published[j]);
            }
        }
    }
}

int auth_ask(struct auth *auth, struct span token, auth_answer *answer, void *context) {
    return auth->service == NULL ? -EAGAIN
                                 : auth_service_ask(auth->service, token, answer, context);
}

int auth_mint(const struct auth *auth, const struct identity *identity, int64_t now_wall_ms,
              long long ttl_s, char **out) {
    return auth_jwt_mint(&auth->jwt, identity, now_wall_ms, ttl_s, out);
}
