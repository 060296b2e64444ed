#include "gateway/connection/ws_extension.h"

#define BLANKS " \t"

#define DEFLATE             "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define LARGEST_WINDOW_BITS 15

enum { SERVER_CONTEXT, CLIENT_CONTEXT, SERVER_WINDOW, CLIENT_WINDOW };

static bool next_part(struct span *list, char separator, struct span *part);
static bool takes_offer(struct span offer, unsigned *seen);
static int window_bits(struct span value);
static bool takes_parameter(struct span parameter, unsigned *seen);

const char *ws_extension_answer(const struct http_request *request) {
    struct span list, offer;
    if (http_request_header(request, "sec-websocket-extensions", &list) != 1) {
        return NULL;
    }
    while (next_part(&list, ',', &offer)) {
        unsigned seen = 0;
        if (takes_offer(offer, &seen)) {
            /* whoever names a window wants to have it confirmed (section 7.1.2.1) */
            return (seen & (1u << SERVER_WINDOW)) ? DEFLATE "; server_max_window_bits=15" : DEFLATE;
        }
    }
    return NULL;
}

/* `seen` gets a bit for each of its parameters. */
static bool takes_offer(struct span offer, unsigned *seen) {
    struct span part;
    if (!next_part(&offer, ';', &part) || !span_is_caseless(part, "permessage-deflate")) {
        return false;
    }
    while (next_part(&offer, ';', &part)) {
        if (!takes_parameter(part, seen)) {
            return false;
        }
    }
    return true;
}

/* Section 7.1: the four parameters, and what value each may have. */
static const struct parameter {
    const char *name;
    bool may_be_bare, may_have_bits;
    int least_bits;
} parameters[] = {
    [SERVER_CONTEXT] = {"server_no_context_takeover", true, false, 0},
    [CLIENT_CONTEXT] = {"client_no_context_takeover", true, false, 0},
    [SERVER_WINDOW] = {"server_max_window_bits", false, true, LARGEST_WINDOW_BITS},
    [CLIENT_WINDOW] = {"client_max_window_bits", true, true, 8},
};

static bool takes_parameter(struct span parameter, unsigned *seen) {
    struct span name, value = parameter;
    if (!next_part(&value, '=', &name)) {
        return false; /* nothing between two semicolons */
    }
    bool bare = name.length == parameter.length;
    for (unsigned i = 0; i < ARRAY_LENGTH(parameters); i++) {
        const struct parameter *known = &parameters[i];
        if (!span_is_caseless(name, known->name)) {
            continue;
        }
        bool repeated = (*seen & (1u << i)) != 0;
        *seen |= 1u << i;
        if (bare || repeated) {
            return !repeated && known->may_be_bare;
        }
        return known->may_have_bits && window_bits(span_trim(value, BLANKS)) >= known->least_bits;
    }
    return false;
}

/* 8 to 15 without leading zeros, may be quoted; -1: nothing of that kind. */
static int window_bits(struct span value) {
    if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"') {
        value = (struct span){value.data + 1, value.length - 2};
    }
    static const char *const allowed[] = {"8", "9", "10", "11", "12", "13", "14", "15"};
    for (unsigned i = 0; i < ARRAY_LENGTH(allowed); i++) {
        if (span_is(value, allowed[i])) {
            return 8 + (int)i;
        }
    }
    return -1;
}

/* Takes the part up to the separator (or the end) off the list; false when nothing is left. */
static bool next_part(struct span *list, char separator, struct span *part) {
    if (list->length == 0) {
        return false;
    }
    const char *end = memchr(list->data, separator, list->length);
    size_t length = end != NULL ? (size_t)(end - list->data) : list->length;
    *part = span_trim((struct span){list->data, length}, BLANKS);
    size_t taken = end != NULL ? length + 1 : length;
    *list = (struct span){list->data + taken, list->length - taken};
    return true;
}
