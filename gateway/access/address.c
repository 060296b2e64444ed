#include "gateway/access/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define MAPPED_BITS 96u

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct network {
    struct address first;
    unsigned bits;
};

struct address_list {
    unsigned count;
    struct network networks[];
};

static int parse_network(struct span text, struct network *out);
static bool in_network(const struct network *network, const struct address *address);

static void set_mapped(const void *four, struct address *out) {
    memcpy(out->bytes, mapped_prefix, sizeof(mapped_prefix));
    memcpy(out->bytes + sizeof(mapped_prefix), four, 4);
}

bool address_of_socket(const struct sockaddr *from, struct address *out) {
    if (from != NULL && from->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, from, sizeof(four));
        set_mapped(&four.sin_addr, out);
        return true;
    }
    if (from != NULL && from->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, from, sizeof(six));
        memcpy(out->bytes, &six.sin6_addr, sizeof(out->bytes));
        return true;
    }
    return false;
}

bool address_of_text(struct span text, struct address *out) {
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[16];

    if (text.length >= sizeof(copy) || memchr(text.data, '\0', text.length) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        set_mapped(bytes, out);
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) == 1) {
        memcpy(out->bytes, bytes, sizeof(out->bytes));
        return true;
    }
    return false;
}

void address_text(const struct address *address, char *text) {
    bool mapped = memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;

    static_assert(ADDRESS_TEXT_BYTES >= INET6_ADDRSTRLEN, "the longest fits");
    inet_ntop(mapped ? AF_INET : AF_INET6, address->bytes + (mapped ? sizeof(mapped_prefix) : 0),
              text, ADDRESS_TEXT_BYTES);
}

bool address_is_loopback(const struct address *address) {
    static const struct network loopbacks[] = {
        {{{[10] = 0xff, [11] = 0xff, [12] = 127}}, MAPPED_BITS + 8},
        {{{[15] = 1}}, 128},
    };

    return in_network(&loopbacks[0], address) || in_network(&loopbacks[1], address);
}

bool address_equal(const struct address *a, const struct address *b) {
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static unsigned count_elements(const char *text) {
    unsigned count = 1;

    for (; *text != '\0'; text++) {
        count += *text == ',';
    }
    return count;
}

static int parse_list(const char *option, const char *text, struct address_list *list, char *error,
                      size_t error_size) {
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        struct span element = span_trim((struct span){at, length}, " ");
        if (parse_network(element, &list->networks[list->count]) != 0) {
            snprintf(error, error_size,
                     "%s: \"" SPAN_FORMAT "\" is no address and no network; allowed is a list such "
                     "as 10.0.0.0/8,192.0.2.1,2001:db8::/32, with no bit set behind a prefix",
                     option, SPAN_ARGS(element));
            return -EINVAL;
        }
        list->count++;
        at += length;
        if (*at == '\0') {
            return 0;
        }
    }
}

int address_list_new(const char *option, const char *text, struct address_list **out, char *error,
                     size_t error_size) {
    bool empty = span_trim(span_of(text), " ").length == 0;
    unsigned count = empty ? 0 : count_elements(text);
    struct address_list *list;
    int result = 0;

    if (count > ADDRESS_LIST_MAX) {
        snprintf(error, error_size, "%s: more than %d networks", option, ADDRESS_LIST_MAX);
        return -E2BIG;
    }
    list = calloc(1, sizeof(*list) + count * sizeof(list->networks[0]));
    if (list == NULL) {
        snprintf(error, error_size, "%s: out of memory", option);
        return -ENOMEM;
    }
    if (!empty) {
        result = parse_list(option, text, list, error, error_size);
    }
    if (result != 0) {
        address_list_free(list);
        return result;
    }
    *out = list;
    return 0;
}

void address_list_free(struct address_list *list) {
    free(list);
}

bool address_list_empty(const struct address_list *list) {
    return list == NULL || list->count == 0;
}

bool address_list_has(const struct address_list *list, const struct address *address) {
    for (unsigned i = 0; list != NULL && i < list->count; i++) {
        if (in_network(&list->networks[i], address)) {
            return true;
        }
    }
    return false;
}

/* One to three digits, no more than `most`. */
static bool parse_bits(struct span text, unsigned most, unsigned *bits) {
    unsigned value = 0;

    if (text.length < 1 || text.length > 3) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *bits = value;
    return value <= most;
}

static bool bits_behind_are_clear(const struct network *network) {
    for (unsigned bit = network->bits; bit < 128; bit++) {
        if (network->first.bytes[bit / 8] & (0x80u >> bit % 8)) {
            return false;
        }
    }
    return true;
}

static int parse_network(struct span text, struct network *out) {
    const char *slash = text.length > 0 ? memchr(text.data, '/', text.length) : NULL;
    size_t length = slash != NULL ? (size_t)(slash - text.data) : text.length;
    struct span address = {text.data, length};
    struct network network = {.bits = 128};
    unsigned skipped;

    if (length == 0 || !address_of_text(address, &network.first)) {
        return -EINVAL;
    }
    skipped = memchr(address.data, ':', address.length) == NULL ? MAPPED_BITS : 0;
    if (slash != NULL) {
        struct span bits = {slash + 1, text.length - length - 1};
        if (!parse_bits(bits, 128 - skipped, &network.bits)) {
            return -EINVAL;
        }
        network.bits += skipped;
    }
    if (!bits_behind_are_clear(&network)) {
        return -EINVAL;
    }
    *out = network;
    return 0;
}

static bool in_network(const struct network *network, const struct address *address) {
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;

    return memcmp(network->first.bytes, address->bytes, whole) == 0 &&
           (rest == 0 || ((network->first.bytes[whole] ^ address->bytes[whole]) & mask) == 0);
}
