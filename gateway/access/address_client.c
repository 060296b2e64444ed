#include "gateway/access/address_client.h"

struct hop {
    bool readable;
    struct address address;
};

/* One header's chain in the order in which it stands, the last ADDRESS_CLIENT_MAX_HOPS of it: hop n at n modulo
 * that. */
struct chain {
    unsigned count;
    struct hop hops[ADDRESS_CLIENT_MAX_HOPS];
};

typedef void read_line(struct span value, struct chain *chain);

static bool read_header(const struct http_request *request, const char *name, read_line *read,
                        struct chain *chain);
static void read_forwarded_for(struct span value, struct chain *chain);
static void read_forwarded(struct span value, struct chain *chain);
static bool right_most_stranger(const struct chain *chain, const struct address_list *trusted,
                                struct address *out);
static void believe(const struct http_request *request, const struct address_list *trusted,
                    struct address_client *client);

static bool has_header(const struct http_request *request, const char *name) {
    for (unsigned i = 0; i < request->header_count; i++) {
        if (span_is_caseless(request->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

void address_client_find(const struct sockaddr *peer, const struct http_request *request,
                         const struct address_list *trusted, struct address_client *out) {
    struct address_client client = {.known = false};

    client.known = address_of_socket(peer, &client.address);
    client.forwarded = has_header(request, "forwarded") || has_header(request, "x-forwarded-for");
    client.vouched = !client.forwarded;
    if (client.known && client.forwarded && address_list_has(trusted, &client.address)) {
        believe(request, trusted, &client);
    }
    *out = client;
}

static void believe(const struct http_request *request, const struct address_list *trusted,
                    struct address_client *client) {
    struct chain old_style = {0}, new_style = {0};
    bool has_old = read_header(request, "x-forwarded-for", read_forwarded_for, &old_style);
    bool has_new = read_header(request, "forwarded", read_forwarded, &new_style);
    struct address old_says = {{0}}, new_says = {{0}};

    client->known = client->vouched =
        (!has_old || right_most_stranger(&old_style, trusted, &old_says)) &&
        (!has_new || right_most_stranger(&new_style, trusted, &new_says)) &&
        (!has_old || !has_new || address_equal(&old_says, &new_says));
    client->unreadable = !client->known;
    client->address = has_old ? old_says : new_says;
}

/* All lines of that name, in order: they are one list (RFC 9110 section 5.3). */
static bool read_header(const struct http_request *request, const char *name, read_line *read,
                        struct chain *chain) {
    bool found = false;

    for (unsigned i = 0; i < request->header_count; i++) {
        if (span_is_caseless(request->headers[i].name, name)) {
            found = true;
            read(request->headers[i].value, chain);
        }
    }
    return found;
}

/* The left-most of a chain of trusted ones. False when one that is needed is unreadable or was not kept. */
static bool right_most_stranger(const struct chain *chain, const struct address_list *trusted,
                                struct address *out) {
    for (unsigned n = chain->count; n > 0; n--) {
        const struct hop *hop = &chain->hops[(n - 1) % ADDRESS_CLIENT_MAX_HOPS];
        if (chain->count - n == ADDRESS_CLIENT_MAX_HOPS || !hop->readable) {
            return false;
        }
        *out = hop->address;
        if (!address_list_has(trusted, out)) {
            return true;
        }
    }
    return chain->count > 0;
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711". */
static bool parse_hop(struct span text, struct address *out) {
    const char *colon = text.length > 0 ? memchr(text.data, ':', text.length) : NULL;
    const char *last = text.length > 0 ? memrchr(text.data, ':', text.length) : NULL;

    if (text.length > 0 && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.length);
        size_t behind = end != NULL ? text.length - (size_t)(end + 1 - text.data) : 0;
        return end != NULL && (behind == 0 || end[1] == ':') &&
               memchr(text.data, ':', (size_t)(end - text.data)) != NULL &&
               address_of_text((struct span){text.data + 1, (size_t)(end - text.data) - 1}, out);
    }
    if (colon != NULL && colon == last) {
        text.length = (size_t)(colon - text.data);
    }
    return address_of_text(text, out);
}

static void add_hop(struct chain *chain, struct span text) {
    struct hop *hop = &chain->hops[chain->count++ % ADDRESS_CLIENT_MAX_HOPS];

    hop->readable = parse_hop(text, &hop->address);
}

static void read_forwarded_for(struct span value, struct chain *chain) {
    struct span element;

    while (http_request_next_token(&value, &element)) {
        add_hop(chain, element);
    }
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct span *text) {
    while (text->length > 0 && is_blank(text->data[0])) {
        *text = (struct span){text->data + 1, text->length - 1};
    }
}

/* A token (RFC 9110 section 5.6.2), and what stands in node names beside it; stops at a separator. */
static struct span take_word(struct span *text) {
    size_t length = 0;

    while (length < text->length && !is_blank(text->data[length]) &&
           strchr("=;,\"", text->data[length]) == NULL) {
        length++;
    }
    struct span word = {text->data, length};
    *text = (struct span){text->data + length, text->length - length};
    return word;
}

/* A quoted string without escapes: no address needs one. False when it does not end. */
static bool take_quoted(struct span *text, struct span *out) {
    const char *end = text->length > 1 ? memchr(text->data + 1, '"', text->length - 1) : NULL;

    if (end == NULL) {
        return false;
    }
    *out = (struct span){text->data + 1, (size_t)(end - text->data) - 1};
    *text = (struct span){end + 1, text->length - (size_t)(end + 1 - text->data)};
    return memchr(out->data, '\\', out->length) == NULL;
}

/* NAME=VALUE. False when it is something else. */
static bool take_pair(struct span *text, struct span *name, struct span *value) {
    skip_blanks(text);
    *name = take_word(text);
    if (name->length == 0 || text->length == 0 || text->data[0] != '=') {
        return false;
    }
    *text = (struct span){text->data + 1, text->length - 1};
    if (text->length > 0 && text->data[0] == '"') {
        return take_quoted(text, value);
    }
    *value = take_word(text);
    return value->length > 0;
}

/* One element: pairs separated by `;`. `hop` is "" unless exactly one of them is `for`. Stops behind its comma. */
static bool take_element(struct span *text, struct span *hop) {
    unsigned found = 0;

    *hop = (struct span){"", 0};
    for (;;) {
        struct span name, value;
        if (!take_pair(text, &name, &value)) {
            return false;
        }
        if (span_is_caseless(name, "for")) {
            *hop = found++ == 0 ? value : (struct span){"", 0};
        }
        skip_blanks(text);
        if (text->length == 0) {
            return true;
        }
        char separator = text->data[0];
        *text = (struct span){text->data + 1, text->length - 1};
        if (separator != ';') {
            return separator == ',';
        }
    }
}

/* Where a line can't be read any further nobody knows what is the proxy's in it: the rest is one unreadable hop. */
static void read_forwarded(struct span value, struct chain *chain) {
    struct span hop;

    while (value.length > 0) {
        if (!take_element(&value, &hop)) {
            hop = value = (struct span){"", 0};
        }
        add_hop(chain, hop);
    }
}
