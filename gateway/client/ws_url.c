#include "gateway/client/ws_url.h"

#include <stdio.h>
#include <stdlib.h>

static bool printable(const char *text);
static int parse_port(const char *text, size_t length, char port[6]);
static int split_authority(const char *text, size_t length, struct ws_url *out);

int ws_url_parse(const char *text, struct ws_url *out) {
    struct ws_url url = {.port = "80", .target = "/"};
    if (strncmp(text, "wss://", 6) == 0) {
        url.tls = true;
        memcpy(url.port, "443", 4);
    }
    if ((!url.tls && strncmp(text, "ws://", 5) != 0) || !printable(text) ||
        strchr(text, '#') != NULL) {
        return -EINVAL;
    }
    const char *authority = text + (url.tls ? 6 : 5);
    size_t length = strcspn(authority, "/?");
    const char *target = authority + length;
    if (split_authority(authority, length, &url) != 0) {
        return -EINVAL;
    }
    if (strlen(target) + 2 > sizeof(url.target)) {
        return -EINVAL;
    }
    if (*target != '\0') {
        snprintf(url.target, sizeof(url.target), "%s%s", *target == '?' ? "/" : "", target);
    }
    *out = url;
    return 0;
}

static bool printable(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text > 0x7e) {
            return false;
        }
    }
    return true;
}

/* "HOST", "HOST:PORT", "[V6]" or "[V6]:PORT". */
static int split_authority(const char *text, size_t length, struct ws_url *out) {
    if (length == 0 || length >= sizeof(out->authority) || memchr(text, '@', length) != NULL) {
        return -EINVAL;
    }
    memcpy(out->authority, text, length);
    const char *end = text + length;
    const char *host = text;
    const char *host_end;
    if (*text == '[') {
        host = text + 1;
        host_end = memchr(text, ']', length);
        text = host_end == NULL ? NULL : host_end + 1;
    } else {
        host_end = memchr(text, ':', length);
        host_end = host_end == NULL ? end : host_end;
        text = host_end;
    }
    if (text == NULL || host_end == host || (size_t)(host_end - host) >= sizeof(out->host)) {
        return -EINVAL;
    }
    memcpy(out->host, host, (size_t)(host_end - host));
    if (text == end) {
        return 0;
    }
    return *text == ':' ? parse_port(text + 1, (size_t)(end - text - 1), out->port) : -EINVAL;
}

static int parse_port(const char *text, size_t length, char port[6]) {
    if (length == 0 || length > 5) {
        return -EINVAL;
    }
    unsigned long value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -EINVAL;
        }
        value = value * 10 + (unsigned long)(text[i] - '0');
    }
    if (value == 0 || value > 65535) {
        return -EINVAL;
    }
    snprintf(port, 6, "%u", (unsigned)(value & 0xffff));
    return 0;
}
