#include "gateway/http/http_request.h"

#include <arpa/inet.h>
#include <unistd.h>

int http_request_header(const struct http_request *request, const char *name, struct span *value) {
    const struct http_header *found = NULL;
    for (unsigned i = 0; i < request->header_count; i++) {
        if (!span_is_caseless(request->headers[i].name, name)) {
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
        if (!span_is_caseless(request->headers[i].name, name)) {
            continue;
        }
        struct span list = request->headers[i].value;
        struct span element;
        while (http_request_next_token(&list, &element)) {
            if (span_is_caseless(element, token)) {
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

/* An IPv4 address, or an IPv6 address in brackets. */
static bool is_address(struct span host) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;
    bool brackets = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    if (brackets) {
        host = (struct span){host.data + 1, host.length - 2};
    }
    if (host.length == 0 || host.length >= sizeof text) {
        return false;
    }
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    return brackets ? inet_pton(AF_INET6, text, &six) == 1 : inet_pton(AF_INET, text, &four) == 1;
}

static bool is_own_name(struct span host) {
    char own[256];
    if (gethostname(own, sizeof own) != 0) {
        return false;
    }
    own[sizeof own - 1] = '\0';
    const struct span label = {own, strcspn(own, ".")};
    return host.length > 0 && (span_is_caseless(host, own) || span_equal_caseless(host, label));
}

bool http_request_host_is_no_strangers(const struct http_request *request) {
    struct span host;
    if (http_request_header(request, "host", &host) != 1) {
        return false;
    }
    host = host_name(host);
    if (host.length > 1 && host.data[host.length - 1] == '.') {
        host.length--; /* the same name, said to be whole */
    }
    return is_address(host) || span_equal_caseless(host, span_of("localhost")) || is_own_name(host);
}
