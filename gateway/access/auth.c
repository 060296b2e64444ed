#include "gateway/access/auth.h"

#include "gateway/access/auth_jwt.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct auth {
    struct auth_jwt jwt;
    char warning[160]; /* "" for none */
};

static int read_algorithms(const char *list, struct auth_jwt *jwt, char *error, size_t error_size);
static int accept_algorithm(struct span name, struct auth_jwt *jwt);
static int read_secret(const struct options *options, bool dev, struct secret **out, char *error,
                       size_t error_size);
static int read_secret_file(const char *what, const char *path, struct secret **out, char *error,
                            size_t error_size);
static int read_dev_secret(const char *directory, struct secret **out, char *error,
                           size_t error_size);
static void warn_of_short_secret(struct auth *auth, size_t length);
static int refuse(int code, char *error, size_t error_size, const char *format, ...)
    PRINTF_LIKE(4, 5);

int auth_new(const struct options *options, bool dev, struct auth **out, char *error,
             size_t error_size) {
    struct secret *secret = NULL;
    struct auth *auth = calloc(1, sizeof(*auth));
    int result;

    if (auth == NULL) {
        return refuse(-ENOMEM, error, error_size, "Not enough memory");
    }
    auth->jwt.rules.issuer = options->jwt_issuer;
    auth->jwt.rules.audience = options->jwt_audience;
    auth->jwt.rules.leeway_ms = options->jwt_leeway_seconds * 1000;
    result = read_algorithms(options->jwt_algorithms, &auth->jwt, error, error_size);
    if (result != 0) {
        goto out;
    }
    result = read_secret(options, dev, &secret, error, error_size);
    if (result != 0) {
        goto out;
    }
    warn_of_short_secret(auth, secret_bytes(secret).length);
    result = jwt_hmac_new(secret_bytes(secret), &auth->jwt.hmac);
    if (result != 0) {
        (void)refuse(result, error, error_size, "OpenSSL has no HMAC (or there is no memory)");
        goto out;
    }
    *out = auth;
    auth = NULL;
out:
    secret_free(secret);
    auth_free(auth);
    return result;
}

void auth_free(struct auth *auth) {
    if (auth != NULL) {
        jwt_hmac_free(auth->jwt.hmac);
        free(auth);
    }
}

const char *auth_warning(const struct auth *auth) {
    return auth->warning[0] == '\0' ? NULL : auth->warning;
}

int auth_verify(const struct auth *auth, struct span token, int64_t now_wall_ms,
                struct identity *out, enum error_code *code) {
    return auth_jwt_verify(&auth->jwt, token, now_wall_ms, out, code);
}

int auth_mint(const struct auth *auth, const struct identity *identity, int64_t now_wall_ms,
              long long ttl_s, char **out) {
    return auth_jwt_mint(&auth->jwt, identity, now_wall_ms, ttl_s, out);
}

/* The first is the one that tokens are minted with. */
static int read_algorithms(const char *list, struct auth_jwt *jwt, char *error, size_t error_size) {
    const char *at = list;
    bool first = true;

    for (;;) {
        size_t length = strcspn(at, ",");
        struct span name = {at, length};
        int found;

        while (name.length > 0 && name.data[0] == ' ') {
            name = (struct span){name.data + 1, name.length - 1};
        }
        while (name.length > 0 && name.data[name.length - 1] == ' ') {
            name.length--;
        }
        found = accept_algorithm(name, jwt);
        if (found < 0) {
            return refuse(-EINVAL, error, error_size,
                          "JWT_ALGORITHMS: \"%s\" is not a list of HS256, HS384 and HS512, "
                          "separated by commas",
                          list);
        }
        if (first) {
            jwt->minted = (enum jwt_algorithm)found;
            first = false;
        }
        if (at[length] == '\0') {
            return 0;
        }
        at += length + 1;
    }
}

static int accept_algorithm(struct span name, struct auth_jwt *jwt) {
    int found = jwt_hmac_find(name);

    if (found >= 0) {
        jwt->accepted[found] = true;
    }
    return found;
}

static int read_secret(const struct options *options, bool dev, struct secret **out, char *error,
                       size_t error_size) {
    bool text = options->jwt_secret[0] != '\0';
    bool file = options->jwt_secret_file[0] != '\0';

    if (text && file) {
        return refuse(-EINVAL, error, error_size,
                      "JWT_SECRET_FILE: \"%s\": JWT_SECRET is set as well; set only one of the two",
                      options->jwt_secret_file);
    }
    if (text) {
        int result = secret_from_text(span_of(options->jwt_secret), out);
        return result == 0 ? 0
                           : refuse(result, error, error_size, "JWT_SECRET: cannot be kept: %s",
                                    strerror(-result));
    }
    if (file) {
        return read_secret_file("JWT_SECRET_FILE", options->jwt_secret_file, out, error,
                                error_size);
    }
    if (dev) {
        return read_dev_secret(options->dev_directory, out, error, error_size);
    }
    return refuse(
        -EINVAL, error, error_size,
        "JWT_SECRET: not set; set it or JWT_SECRET_FILE, or start with --dev for a random one");
}

static int read_secret_file(const char *what, const char *path, struct secret **out, char *error,
                            size_t error_size) {
    int result = secret_from_file(path, out);

    if (result == -EINVAL) {
        return refuse(result, error, error_size,
                      "%s: \"%s\": the file is empty; it must hold the secret", what, path);
    }
    if (result == -E2BIG) {
        return refuse(result, error, error_size, "%s: \"%s\": at most %d bytes are allowed", what,
                      path, SECRET_MAX_BYTES);
    }
    if (result != 0) {
        return refuse(result, error, error_size, "%s: \"%s\": cannot be read: %s", what, path,
                      strerror(-result));
    }
    return 0;
}

/* The supervisor has made the file before it started anybody. */
static int read_dev_secret(const char *directory, struct secret **out, char *error,
                           size_t error_size) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/secret", directory);

    if (length < 0 || (size_t)length >= sizeof(path)) {
        return refuse(-ENAMETOOLONG, error, error_size, "DEV_DIRECTORY: \"%s\" is too long",
                      directory);
    }
    return read_secret_file("DEV_DIRECTORY", path, out, error, error_size);
}

static void warn_of_short_secret(struct auth *auth, size_t length) {
    for (int i = JWT_ALGORITHM_COUNT - 1; i >= 0; i--) {
        size_t wanted = jwt_hmac_bytes((enum jwt_algorithm)i);
        if (auth->jwt.accepted[i] && length < wanted) {
            (void)snprintf(
                auth->warning, sizeof(auth->warning),
                "The JWT secret has %zu bytes; %s wants at least %zu random ones (RFC 7518)",
                length, jwt_hmac_name((enum jwt_algorithm)i), wanted);
            return;
        }
    }
}

static int refuse(int code, char *error, size_t error_size, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return code;
}
