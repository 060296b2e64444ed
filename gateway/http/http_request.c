#include "gateway/http/http_request.h"

#include <strings.h>

static bool equal_without_case(struct span a, struct span b) {
    return a.length == b.length && strncasecmp(a.data, b.data, a.length) == 0;
}

int http_request_header(const struct http_request *request, const char *name, struct span *value) {
    const struct http_header *found = NULL;
    for (unsigned i = 0; i < request->header_count; i++) {
        if (!equal_without_case(request->headers[i].name, span_of(name))) {
            continue;
        }
        if (found) {
            return -EEXIST;
        }
        found = &request->headers[i];
    }
    if (!found) {
        return 0;
    }
    *value = found->value;
    return 1;
}

bool http_request_next_token(struct span *list, struct span *token) {
    while (list->length > 0) {
        const char *comma = memchr(list->data, ',', list->length);
        size_t length = comma ? (size_t)(comma - list->data) : list->length;
        struct span element = span_trim((struct span){list->data, length}, " \t");
        size_t step = comma ? length + 1 : length;
        list->data += step;
        list->length -= step;
        if (element.length > 0) {
            *token = element;
            return true;
        }
    }
    return false;
}

bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token) {
    for (unsigned i = 0; i < request->header_count; i++) {
        if (!equal_without_case(request->headers[i].name, span_of(name))) {
            continue;
        }
        struct span list = request->headers[i].value;
        struct span element;
        while (http_request_next_token(&list, &element)) {
            if (equal_without_case(element, span_of(token))) {
                return true;
            }
        }
    }
    return false;
}

/* Without its port, the brackets of IPv6 kept. */
static struct span host_name(struct span host) {
    const char *bracket = memchr(host.data, ']', host.length);
    size_t from = bracket != NULL ? (size_t)(bracket - host.data) : 0;
    const char *colon = memchr(host.data + from, ':', host.length - from);
    return (struct span){host.data, colon != NULL ? (size_t)(colon - host.data) : host.length};
}

bool http_request_names_this_machine(const struct http_request *request) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    struct span host;
    if (http_request_header(request, "host", &host) != 1) {
        return false;
    }
    host = host_name(host);
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_is(host, names[i])) {
            return true;
        }
    }
    return false;
}
