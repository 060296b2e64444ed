#include "gateway/access/jwt_config.h"

#include "common/secret.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

/* The options on their way into `jwt`. */
struct reading {
    const struct options *options;
    struct auth_jwt *jwt;
    bool dev_secret; /* the one that --dev made */
    size_t secret_bytes;
    char *error;
    size_t error_size;
};

static int read_secret(struct reading *reading, bool dev);
static int load_secret(struct reading *reading, bool dev, struct secret **out);
static int secret_of_text(struct reading *reading, struct secret **out);
static int secret_of_dev(struct reading *reading, struct secret **out);
struct source;
static int read_keys(struct reading *reading);
static int read_issuers(struct reading *reading, const struct source *source, const char *text);
static int load_keys(struct reading *reading, const struct source *source,
                     struct jwt_issuer *issuer);
static int load_file(struct reading *reading, const char *option, const char *path,
                     struct secret **out);
static int read_algorithms(struct reading *reading);
static int read_list(struct reading *reading, const char *list, unsigned available);
static void default_algorithms(struct auth_jwt *jwt);
static void warn_of_short_secret(const struct reading *reading, char *warning, size_t size);
static int refuse(const struct reading *reading, int code, const char *format, ...)
    PRINTF_LIKE(3, 4);

int jwt_config_read(const struct options *options, bool dev, struct auth_jwt *out, char *warning,
                    size_t warning_size, char *error, size_t error_size) {
    struct reading reading = {
        .options = options,
        .jwt = out,
        .error = error,
        .error_size = error_size,
    };
    int result;

    out->rules.issuer = options->jwt_issuer;
    out->rules.audience = options->jwt_audience;
    out->rules.leeway_ms = options->jwt_leeway_seconds * 1000;
    result = read_secret(&reading, dev);
    result = result != 0 ? result : read_keys(&reading);
    result = result != 0 ? result : read_algorithms(&reading);
    if (result == 0) {
        warn_of_short_secret(&reading, warning, warning_size);
    }
    return result;
}

static int read_secret(struct reading *reading, bool dev) {
    struct secret *secret = NULL;
    int result = load_secret(reading, dev, &secret);

    if (result == 0 && secret != NULL) {
        reading->secret_bytes = secret_bytes(secret).length;
        result = jwt_hmac_new(secret_bytes(secret), &reading->jwt->hmac);
        if (result != 0) {
            (void)refuse(reading, result, "OpenSSL has no HMAC (or there is no memory)");
        }
    }
    secret_free(secret);
    return result;
}

/* 0 without a secret when none is configured. */
static int load_secret(struct reading *reading, bool dev, struct secret **out) {
    const struct options *options = reading->options;
    bool text = jwt_config_is_set(options->jwt_secret);
    bool file = jwt_config_is_set(options->jwt_secret_file);

    if (text && file) {
        return refuse(reading, -EINVAL,
                      "JWT_SECRET_FILE: \"%s\": JWT_SECRET is set as well; set only one of the two",
                      options->jwt_secret_file);
    }
    if (text) {
        return secret_of_text(reading, out);
    }
    if (file) {
        return load_file(reading, "JWT_SECRET_FILE", options->jwt_secret_file, out);
    }
    return dev ? secret_of_dev(reading, out) : 0;
}

static int secret_of_text(struct reading *reading, struct secret **out) {
    int result = secret_from_text(span_of(reading->options->jwt_secret), out);

    return result == 0
               ? 0
               : refuse(reading, result, "JWT_SECRET: cannot be kept: %s", strerror(-result));
}

/* The supervisor has made the file before it started anybody. */
static int secret_of_dev(struct reading *reading, struct secret **out) {
    const char *directory = reading->options->dev_directory;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/secret", directory);

    if (length < 0 || (size_t)length >= sizeof(path)) {
        return refuse(reading, -ENAMETOOLONG, "DEV_DIRECTORY: \"%s\" is too long", directory);
    }
    reading->dev_secret = true;
    return load_file(reading, "DEV_DIRECTORY", path, out);
}

/* The options that public keys come from, of which one may be set. */
static const struct source {
    const char *option;
    int (*parse)(struct span text, struct jwt_key_set **out, char *why, size_t why_size);
} sources[] = {
    {"JWT_PUBLIC_KEY_FILE", jwt_key_set_from_pem},
    {"JWT_JWKS_FILE", jwt_key_set_from_jwks},
    {"JWT_JWKS_URL", NULL}, /* fetched later: jwks_url.h */
};

static int read_keys(struct reading *reading) {
    const struct options *options = reading->options;
    const char *const texts[] = {options->jwt_public_key_file, options->jwt_jwks_file,
                                 options->jwt_jwks_url};
    int chosen = -1;

    for (int i = 0; i < (int)ARRAY_LENGTH(sources); i++) {
        if (!jwt_config_is_set(texts[i])) {
            continue;
        }
        if (chosen >= 0) {
            return refuse(reading, -EINVAL,
                          "%s: \"%s\": %s is set as well; set only one of the two",
                          sources[chosen].option, texts[chosen], sources[i].option);
        }
        chosen = i;
    }
    return chosen < 0 ? 0 : read_issuers(reading, &sources[chosen], texts[chosen]);
}

static int read_issuers(struct reading *reading, const struct source *source, const char *text) {
    struct issuer_place places[ISSUER_LIST_MAX] = {{.place = span_of(text)}};
    const char *why = "";
    bool listed = source->parse != jwt_key_set_from_pem;
    int count = listed ? issuer_list_read(text, places, &why) : 1, result = 0;

    if (count < 0) {
        return refuse(reading, count, "%s: \"%s\" %s", source->option, text, why);
    }
    for (int i = 0; i < count && result == 0; i++) {
        struct jwt_issuer *issuer = &reading->jwt->issuers[reading->jwt->issuer_count++];
        issuer->name = strndup(places[i].issuer.length > 0 ? places[i].issuer.data : "",
                               places[i].issuer.length);
        issuer->place = strndup(places[i].place.data, places[i].place.length);
        if (issuer->name == NULL || issuer->place == NULL) {
            return refuse(reading, -ENOMEM, "%s: Not enough memory", source->option);
        }
        result = source->parse == NULL ? 0 : load_keys(reading, source, issuer);
    }
    return result;
}

static int load_keys(struct reading *reading, const struct source *source,
                     struct jwt_issuer *issuer) {
    struct secret *text = NULL;
    char why[JWT_KEY_SET_WORDS] = "";
    int result = load_file(reading, source->option, issuer->place, &text);

    if (result != 0) {
        return result;
    }
    result = source->parse(secret_bytes(text), &issuer->keys, why, sizeof(why));
    secret_free(text);
    return result == 0
               ? 0
               : refuse(reading, result, "%s: \"%s\": %s", source->option, issuer->place, why);
}

/* What one of the keys that are there already can verify. */
static unsigned key_algorithms(const struct auth_jwt *jwt) {
    unsigned algorithms = 0;

    for (unsigned i = 0; i < jwt->issuer_count; i++) {
        algorithms |=
            jwt->issuers[i].keys != NULL ? jwt_key_set_algorithms(jwt->issuers[i].keys) : 0;
    }
    return algorithms;
}

static int load_file(struct reading *reading, const char *option, const char *path,
                     struct secret **out) {
    int result = secret_from_file(path, out);

    if (result == -EINVAL) {
        return refuse(reading, result, "%s: \"%s\": is empty or no regular file", option, path);
    }
    if (result == -E2BIG) {
        return refuse(reading, result, "%s: \"%s\": at most %d bytes are allowed", option, path,
                      SECRET_MAX_BYTES);
    }
    return result == 0 ? 0
                       : refuse(reading, result, "%s: \"%s\": cannot be read: %s", option, path,
                                strerror(-result));
}

static int read_algorithms(struct reading *reading) {
    struct auth_jwt *jwt = reading->jwt;
    const char *list = reading->options->jwt_algorithms;
    /* What is published may be of any kind; each key verifies what it is for. */
    bool url = jwt_config_is_set(reading->options->jwt_jwks_url);
    unsigned published = url ? JWT_ALGORITHMS_ALL & ~JWT_ALGORITHMS_HMAC : 0;
    unsigned available =
        published | (jwt->hmac != NULL ? JWT_ALGORITHMS_HMAC : 0) | key_algorithms(jwt);
    int result = 0;

    jwt->minted = JWT_HMAC_COUNT;
    if (available == 0 && jwt_config_is_set(reading->options->auth_service_url)) {
        return 0; /* nothing is verified here */
    }
    if (available == 0) {
        return refuse(reading, -EINVAL,
                      "JWT_SECRET: not set; set it, JWT_SECRET_FILE, JWT_PUBLIC_KEY_FILE, "
                      "JWT_JWKS_FILE, JWT_JWKS_URL or AUTH_SERVICE_URL, or start with --dev for a "
                      "random secret");
    }
    if (jwt_config_is_set(list)) {
        result = read_list(reading, list, available);
    } else {
        default_algorithms(jwt);
        jwt->accepted |= published;
    }
    if (jwt->minted == JWT_HMAC_COUNT) {
        jwt->minted = JWT_HS256;
        /* With --dev its demo token is good, whatever else is. */
        jwt->accepted |= reading->dev_secret ? JWT_ALGORITHM_BIT(JWT_HS256) : 0;
    }
    return result;
}

static int read_list(struct reading *reading, const char *list, unsigned available) {
    struct auth_jwt *jwt = reading->jwt;

    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        int found = jwt_algorithm_find(span_trim((struct span){at, length}, " "));
        if (found < 0) {
            return refuse(reading, -EINVAL,
                          "JWT_ALGORITHMS: \"%s\" is not a list of HS256, HS384, HS512, RS256, "
                          "RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA, "
                          "separated by commas",
                          list);
        }
        if ((available & JWT_ALGORITHM_BIT(found)) == 0) {
            return refuse(reading, -EINVAL,
                          "JWT_ALGORITHMS: \"%s\": no configured secret or key is one for %s", list,
                          jwt_algorithm_row((enum jwt_algorithm)found)->name);
        }
        if (found < JWT_HMAC_COUNT && jwt->minted == JWT_HMAC_COUNT) {
            jwt->minted = (enum jwt_algorithm)found; /* the first is the one minted with */
        }
        jwt->accepted |= JWT_ALGORITHM_BIT(found);
        at += length;
        if (*at == '\0') {
            return 0;
        }
    }
}

/* Without the blanks around it. */
static void default_algorithms(struct auth_jwt *jwt) {
    if (jwt->hmac != NULL) {
        jwt->minted = JWT_HS256;
        jwt->accepted = JWT_ALGORITHM_BIT(JWT_HS256);
    }
    jwt->accepted |= key_algorithms(jwt);
}

static void warn_of_short_secret(const struct reading *reading, char *warning, size_t size) {
    const struct auth_jwt *jwt = reading->jwt;

    for (int i = JWT_HMAC_COUNT - 1; jwt->hmac != NULL && i >= 0; i--) {
        size_t wanted = jwt_hmac_bytes((enum jwt_algorithm)i);
        if ((jwt->accepted & JWT_ALGORITHM_BIT(i)) != 0 && reading->secret_bytes < wanted) {
            (void)snprintf(
                warning, size,
                "The JWT secret has %zu bytes; %s wants at least %zu random ones (RFC 7518)",
                reading->secret_bytes, jwt_algorithm_row((enum jwt_algorithm)i)->name, wanted);
            return;
        }
    }
}

static int refuse(const struct reading *reading, int code, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reading->error, reading->error_size, format, arguments);
    va_end(arguments);
    return code;
}
