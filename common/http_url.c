#include "common/http_url.h"

#include <event2/http.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_HTTP  80
#define PORT_HTTPS 443

static int check(const char *option, const char *text, bool with_query, char *error,
                 size_t error_size);
static const char *find_fault(const struct evhttp_uri *uri, bool with_query);
static void say(const char *option, const char *text, const char *fault, char *error,
                size_t error_size);
static int take_host(struct http_url *url, const char *host, int port);

int http_url_check(const char *option, const char *text, char *error, size_t error_size) {
    return check(option, text, false, error, error_size);
}

int http_url_check_whole(const char *option, const char *text, char *error, size_t error_size) {
    return check(option, text, true, error, error_size);
}

int http_url_shown(const char *text) {
    return (int)strcspn(text, "?");
}

static int check(const char *option, const char *text, bool with_query, char *error,
                 size_t error_size) {
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    const char *fault = find_fault(uri, with_query);

    if (uri != NULL) {
        evhttp_uri_free(uri);
    }
    if (fault != NULL) {
        say(option, text, fault, error, error_size);
        return -EINVAL;
    }
    return 0;
}

int http_url_check_path(const char *option, const char *path, char *error, size_t error_size) {
    bool good = path[0] == '/';
    for (const char *c = path; *c != '\0'; c++) {
        good = good && *c > ' ' && *c < 0x7f && *c != '#';
    }
    if (!good) {
        (void)snprintf(error, error_size,
                       "%s: \"%s\" is not a path that begins with /, without blanks or #", option,
                       path);
    }
    return good ? 0 : -EINVAL;
}

/* A password stands before an @, a key often behind a question mark. */
static void say(const char *option, const char *text, const char *fault, char *error,
                size_t error_size) {
    const char *at = strrchr(text, '@'), *shown = at != NULL ? at : text;
    size_t length = strcspn(shown, "?#");

    (void)snprintf(error, error_size, "%s: \"%s%.*s%s\" %s", option, at != NULL ? "..." : "",
                   (int)length, shown, shown[length] != '\0' ? "..." : "", fault);
}

static bool is_https(const char *scheme) {
    return evutil_ascii_strcasecmp(scheme, "https") == 0;
}

static const char *find_fault(const struct evhttp_uri *uri, bool with_query) {
    const char *scheme = uri == NULL ? NULL : evhttp_uri_get_scheme(uri);
    const char *host = uri == NULL ? NULL : evhttp_uri_get_host(uri);

    if (scheme == NULL || host == NULL || host[0] == '\0' ||
        (evutil_ascii_strcasecmp(scheme, "http") != 0 && !is_https(scheme)) ||
        evhttp_uri_get_port(uri) == 0) {
        return "is not http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]";
    }
    if (evhttp_uri_get_userinfo(uri) != NULL || evhttp_uri_get_fragment(uri) != NULL ||
        (!with_query && evhttp_uri_get_query(uri) != NULL)) {
        return with_query ? "has more than a host, a port, a path and a query"
                          : "has more than a host, a port and a path";
    }
    return NULL;
}

bool http_url_is_https(const char *text) {
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    bool https =
        uri != NULL && find_fault(uri, true) == NULL && is_https(evhttp_uri_get_scheme(uri));

    if (uri != NULL) {
        evhttp_uri_free(uri);
    }
    return https;
}

/* Of the base's path what goes before `path`: not a slash that `path` begins with. */
static int base_length(const char *base, const char *path) {
    size_t length = strlen(base);

    return (int)(path[0] == '/' && length > 0 && base[length - 1] == '/' ? length - 1 : length);
}

int http_url_read(const char *text, const char *path, struct http_url *out) {
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    int error, length;
    const char *base, *query;

    *out = (struct http_url){0};
    if (uri == NULL) {
        return -ENOMEM;
    }
    out->https = is_https(evhttp_uri_get_scheme(uri));
    error = take_host(out, evhttp_uri_get_host(uri), evhttp_uri_get_port(uri));
    base = evhttp_uri_get_path(uri);
    query = evhttp_uri_get_query(uri);
    base = base[0] == '\0' && path[0] == '\0' ? "/" : base;
    length = asprintf(&out->target, "%.*s%s%s%s", base_length(base, path), base, path,
                      query != NULL ? "?" : "", query != NULL ? query : "");
    if (length < 0) {
        out->target = NULL;
    }
    evhttp_uri_free(uri);
    return out->target == NULL ? -ENOMEM : error;
}

void http_url_done(struct http_url *url) {
    free(url->host);
    free(url->authority);
    free(url->target);
}

static int take_host(struct http_url *url, const char *host, int port) {
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    int usual = url->https ? PORT_HTTPS : PORT_HTTP, put;

    url->port = (uint16_t)(port > 0 ? port : usual);
    url->host = bracketed ? strndup(host + 1, length - 2) : strdup(host);
    put = url->port == usual ? asprintf(&url->authority, "%s", host)
                             : asprintf(&url->authority, "%s:%u", host, url->port);
    if (put < 0) {
        url->authority = NULL;
    }
    return url->host == NULL || url->authority == NULL ? -ENOMEM : 0;
}
