#include "gateway/access/origin.h"

#include <stdio.h>
#include <stdlib.h>

#define ORIGIN_MAX_BYTES 300 /* a scheme, a DNS name of 253 bytes, a port */
#define PORT_DIGITS      5

struct origin_list {
    bool any;
    char *text; /* the option's own, for the spans */
    unsigned count;
    struct span origins[];
};

static int parse(struct origin_list *list, char *error, size_t error_size);
static bool well_formed(struct span origin);
static bool has_token_cookie(const struct http_request *request);

int origin_list_new(const char *text, struct origin_list **out, char *error, size_t error_size) {
    size_t most = 1;
    struct origin_list *list;
    int result;

    for (const char *at = text; *at != '\0'; at++) {
        most += *at == ',';
    }
    list = calloc(1, sizeof(*list) + most * sizeof(list->origins[0]));
    if (list != NULL) {
        list->text = strdup(text);
    }
    if (list == NULL || list->text == NULL) {
        origin_list_free(list);
        snprintf(error, error_size, "ALLOWED_ORIGINS: out of memory");
        return -ENOMEM;
    }
    result = parse(list, error, error_size);
    if (result != 0) {
        origin_list_free(list);
        return result;
    }
    *out = list;
    return 0;
}

void origin_list_free(struct origin_list *list) {
    if (list != NULL) {
        free(list->text);
        free(list);
    }
}

static bool listed(const struct origin_list *list, struct span origin) {
    for (unsigned i = 0; i < list->count; i++) {
        if (span_equal(list->origins[i], origin)) {
            return true;
        }
    }
    return false;
}

bool origin_list_restricts(const struct origin_list *list) {
    return list != NULL && !list->any;
}

bool origin_allowed(const struct origin_list *list, const struct http_request *request) {
    struct span origin;

    if (list == NULL || list->any) {
        return true;
    }
    switch (http_request_header(request, "origin", &origin)) {
    case 1:
        return listed(list, origin);
    case 0:
        return !has_token_cookie(request);
    default:
        return false;
    }
}

static int refuse(struct span origin, char *error, size_t error_size) {
    snprintf(error, error_size,
             "ALLOWED_ORIGINS: \"" SPAN_FORMAT "\" is no origin as browsers send it; allowed is a "
             "list such as https://app.example.org,http://localhost:3000, or *",
             SPAN_ARGS(origin));
    return -EINVAL;
}

static int parse(struct origin_list *list, char *error, size_t error_size) {
    struct span rest = span_of(list->text);
    struct span origin;
    bool star = false;

    while (http_request_next_token(&rest, &origin)) {
        if (span_is(origin, "*")) {
            star = true;
        } else if (!well_formed(origin)) {
            return refuse(origin, error, error_size);
        } else {
            list->origins[list->count++] = origin;
        }
    }
    list->any = star || list->count == 0;
    if (star && list->count > 0) {
        return refuse(SPAN_LITERAL("*"), error, error_size); /* beside others it is a mistake */
    }
    return 0;
}

/* Without a port, or one that browsers name: they leave the scheme's own away (RFC 6454 section 6.2). */
static bool port_is_named(struct span origin, size_t scheme) {
    struct span host = {origin.data + scheme + 3, origin.length - scheme - 3};
    const char *colon = memrchr(host.data, ':', host.length);
    const char *bracket = memchr(host.data, ']', host.length);
    struct span port;
    unsigned number = 0;

    if (colon == NULL || (bracket != NULL && colon < bracket)) {
        return true;
    }
    port = (struct span){colon + 1, host.length - (size_t)(colon + 1 - host.data)};
    for (size_t i = 0; i < port.length && i < PORT_DIGITS; i++) {
        if (port.data[i] < (i == 0 ? '1' : '0') || port.data[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(port.data[i] - '0');
    }
    return port.length > 0 && port.length <= PORT_DIGITS && number <= UINT16_MAX &&
           !(number == 80 && scheme == 4 && memcmp(origin.data, "http", 4) == 0) &&
           !(number == 443 && scheme == 5 && memcmp(origin.data, "https", 5) == 0);
}

/* SCHEME://HOST[:PORT] in lower case: an origin that can't be met would refuse all without a word. */
static bool well_formed(struct span origin) {
    const char *colon = memchr(origin.data, ':', origin.length);
    size_t scheme = colon != NULL ? (size_t)(colon - origin.data) : 0;

    if (scheme == 0 || origin.length > ORIGIN_MAX_BYTES || origin.length < scheme + 4 ||
        memcmp(colon, "://", 3) != 0) {
        return false;
    }
    for (size_t i = 0; i < origin.length; i++) {
        char c = origin.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool slash = c == '/' && (i == scheme + 1 || i == scheme + 2);
        if (!plain && !slash && strchr(".-+:[]_", c) == NULL) {
            return false;
        }
    }
    return port_is_named(origin, scheme);
}

/* NAME=VALUE pairs separated by `;` (RFC 6265 section 4.2.1). */
static bool names_token(struct span cookies) {
    static const struct span name = SPAN_LITERAL(ORIGIN_TOKEN_COOKIE "=");

    while (cookies.length > 0) {
        const char *end = memchr(cookies.data, ';', cookies.length);
        size_t length = end != NULL ? (size_t)(end - cookies.data) : cookies.length;
        size_t at = 0;
        while (at < length && (cookies.data[at] == ' ' || cookies.data[at] == '\t')) {
            at++;
        }
        if (length - at >= name.length && memcmp(cookies.data + at, name.data, name.length) == 0) {
            return true;
        }
        length += end != NULL;
        cookies = (struct span){cookies.data + length, cookies.length - length};
    }
    return false;
}

static bool has_token_cookie(const struct http_request *request) {
    for (unsigned i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (span_is_caseless(header->name, "cookie") && names_token(header->value)) {
            return true;
        }
    }
    return false;
}
