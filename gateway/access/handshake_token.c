#include "gateway/access/handshake_token.h"

#include "gateway/http/http_query.h"

#include <strings.h>

#define COOKIE_NAME "token="
#define QUERY_NAME  "token="
#define SCHEME      "Bearer"

static int find_bearer(const struct http_request *request, struct span *token);
static int find_cookie(const struct http_request *request, struct span *token);
static int find_parameter(struct span query, char *decoded, struct span *token);
static int find_pair(struct span list, char separator, const char *name, struct span *value);
static struct span skip_blanks(struct span text);
static struct span without_quotes(struct span value);

int handshake_token_find(const struct http_request *request,
                         const struct handshake_token_sources *sources, char *decoded,
                         struct span *token) {
    int found = find_bearer(request, token);

    if (found == 0 && sources->cookie) {
        found = find_cookie(request, token);
    }
    if (found == 0 && sources->query) {
        found = find_parameter(request->query, decoded, token);
    }
    return found;
}

/* RFC 6750 section 2.1; the scheme's case does not count (RFC 9110 section 11.1). */
static int find_bearer(const struct http_request *request, struct span *token) {
    const size_t scheme = sizeof(SCHEME) - 1;
    struct span value;
    int found = http_request_header(request, "authorization", &value);

    if (found <= 0) {
        return found == 0 ? 0 : -EINVAL;
    }
    if (value.length < scheme || strncasecmp(value.data, SCHEME, scheme) != 0 ||
        (value.length > scheme && value.data[scheme] != ' ')) {
        return 0;
    }
    value = skip_blanks((struct span){value.data + scheme, value.length - scheme});
    if (value.length == 0) {
        return -EINVAL;
    }
    *token = value;
    return 1;
}

static int find_cookie(const struct http_request *request, struct span *token) {
    struct span value;
    int found = http_request_header(request, "cookie", &value);

    if (found == 1) {
        found = find_pair(value, ';', COOKIE_NAME, &value);
    } else if (found != 0) {
        return -EINVAL; /* RFC 6265 section 5.4 allows one such header */
    }
    if (found != 1) {
        return found;
    }
    value = without_quotes(value);
    if (value.length == 0) {
        return -EINVAL;
    }
    *token = value;
    return 1;
}

static struct span without_quotes(struct span value) {
    bool quoted = value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"';

    return quoted ? (struct span){value.data + 1, value.length - 2} : value;
}

/* A JWT has nothing to escape, a token that the auth service knows may have. */
static int find_parameter(struct span query, char *decoded, struct span *token) {
    struct span value;
    size_t length;
    int found = find_pair(query, '&', QUERY_NAME, &value);

    if (found != 1) {
        return found;
    }
    if (memchr(value.data, '%', value.length) != NULL) {
        if (http_query_text(query, "token", decoded, HANDSHAKE_TOKEN_BYTES, &length) != 1) {
            return -EINVAL;
        }
        value = (struct span){decoded, length};
    }
    *token = value;
    return 1;
}

/* The value of the only `name`, `=` included, in a list of pairs. */
static int find_pair(struct span list, char separator, const char *name, struct span *value) {
    const size_t length = strlen(name);
    struct span found = {NULL, 0};

    while (list.length > 0) {
        const char *end = memchr(list.data, separator, list.length);
        size_t whole = end == NULL ? list.length : (size_t)(end - list.data);
        struct span pair = skip_blanks((struct span){list.data, whole});
        if (pair.length >= length && memcmp(pair.data, name, length) == 0) {
            if (found.data != NULL || pair.length == length) {
                return -EINVAL;
            }
            found = (struct span){pair.data + length, pair.length - length};
        }
        whole += end == NULL ? 0 : 1;
        list = (struct span){list.data + whole, list.length - whole};
    }
    if (found.data == NULL) {
        return 0;
    }
    *value = found;
    return 1;
}

static struct span skip_blanks(struct span text) {
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.length--;
    }
    return text;
}
