#include "ingest/kafka_brokers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535

static struct span next_entry(const char **at);
static bool is_broker(struct span entry);
static struct span without_protocol(struct span entry);
static bool is_host(struct span host);
static bool is_port(struct span port);

int kafka_brokers_check(const char *brokers, char *error, size_t error_size) {
    const char *at = brokers;

    while (at != NULL) {
        struct span entry = next_entry(&at);
        if (!is_broker(entry)) {
            snprintf(error, error_size,
                     "KAFKA_BROKERS (--kafka): \"" SPAN_FORMAT
                     "\" is not HOST[:PORT], with a port from 1 to %d; several are separated by "
                     "commas",
                     SPAN_ARGS(entry), PORT_MAX);
            return -EINVAL;
        }
    }
    return 0;
}

/* Without the blanks around it; *at is NULL behind the last. */
static struct span next_entry(const char **at) {
    const char *from = *at, *to = from + strcspn(from, ",");

    *at = *to == ',' ? to + 1 : NULL;
    while (from < to && *from == ' ') {
        from++;
    }
    while (to > from && to[-1] == ' ') {
        to--;
    }
    return (struct span){from, (size_t)(to - from)};
}

static bool is_broker(struct span entry) {
    struct span rest = without_protocol(entry);
    const char *close =
        rest.length > 0 && rest.data[0] == '[' ? memchr(rest.data, ']', rest.length) : rest.data;
    const char *colon;

    if (close == NULL) {
        return false;
    }
    colon = memchr(close, ':', (size_t)(rest.data + rest.length - close));
    if (colon == NULL) {
        return is_host(rest);
    }
    return is_host((struct span){rest.data, (size_t)(colon - rest.data)}) &&
           is_port((struct span){colon + 1, (size_t)(rest.data + rest.length - colon) - 1});
}

static struct span without_protocol(struct span entry) {
    size_t length = 0;

    while (length < entry.length &&
           (isupper((unsigned char)entry.data[length]) || entry.data[length] == '_')) {
        length++;
    }
    if (length == 0 || entry.length < length + 3 || memcmp(entry.data + length, "://", 3) != 0) {
        return entry;
    }
    return (struct span){entry.data + length + 3, entry.length - length - 3};
}

/* A name, an IPv4 address, or an IPv6 address in brackets: whether it exists the network knows. */
static bool is_host(struct span host) {
    bool brackets = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    size_t from = brackets ? 1 : 0, to = host.length - from;

    for (size_t i = from; i < to; i++) {
        char byte = host.data[i];
        if (!isalnum((unsigned char)byte) && strchr(brackets ? ":.%" : "-._", byte) == NULL) {
            return false;
        }
    }
    return to > from;
}

static bool is_port(struct span port) {
    unsigned number = 0;

    for (size_t i = 0; i < port.length && number <= PORT_MAX; i++) {
        if (!isdigit((unsigned char)port.data[i])) {
            return false;
        }
        number = number * 10 + (unsigned)(port.data[i] - '0');
    }
    return number >= 1 && number <= PORT_MAX;
}
