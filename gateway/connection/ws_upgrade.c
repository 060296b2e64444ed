#include "gateway/connection/ws_upgrade.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

#define KEY_BYTES       24 /* base64 of 16 bytes */
#define ACCEPT_BYTES    28 /* base64 of a SHA-1 */
#define SHA1_BYTES      20
#define SUBPROTOCOL     "moonx.v1"
#define UPGRADE_HEADERS "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

/* RFC 6455 section 1.3. */
static const char handshake_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* In the order in which a refusal is worth telling; the first that does not hold is the answer. */
static bool is_get(const struct http_request *request);
static bool is_http_1_1(const struct http_request *request);
static bool has_no_duplicates(const struct http_request *request);
static bool asks_for_websocket(const struct http_request *request);
static bool asks_for_upgrade(const struct http_request *request);
static bool has_version(const struct http_request *request);
static bool has_version_13(const struct http_request *request);
static bool has_key(const struct http_request *request);

static const struct rule {
    bool (*holds)(const struct http_request *request);
    unsigned status;
    const char *reason;
    const char *extra_header;
} rules[] = {
    {is_get, 405, "Only GET opens a WebSocket", "Allow: GET\r\n"},
    {is_http_1_1, 400, "A WebSocket needs HTTP/1.1", ""},
    {has_no_duplicates, 400, "Repeated Sec-WebSocket header", ""},
    {asks_for_websocket, 426, "This path speaks WebSocket", UPGRADE_HEADERS},
    {asks_for_upgrade, 400, "The Connection header lacks upgrade", ""},
    {has_version, 400, "Sec-WebSocket-Version is missing", ""},
    {has_version_13, 426, "Only WebSocket version 13 is spoken", UPGRADE_HEADERS},
    {has_key, 400, "Sec-WebSocket-Key must be 16 bytes in base64", ""},
};

static bool offers_subprotocol(const struct http_request *request);
static bool accept_key(struct span key, char accept[ACCEPT_BYTES + 1]);

unsigned ws_upgrade_check(const struct http_request *request, const char *extensions,
                          char *response, size_t *length, const char **reason,
                          const char **extra_header) {
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (!rules[i].holds(request)) {
            *reason = rules[i].reason;
            *extra_header = rules[i].extra_header;
            return rules[i].status;
        }
    }
    struct span key = {0};
    char accept[ACCEPT_BYTES + 1];
    if (http_request_header(request, "sec-websocket-key", &key) != 1 || !accept_key(key, accept)) {
        *reason = "The handshake could not be computed";
        *extra_header = "";
        return 500;
    }
    int written = snprintf(
        response, WS_UPGRADE_RESPONSE_MAX,
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n"
        "%s%s%s%s\r\n",
        accept, offers_subprotocol(request) ? "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n" : "",
        extensions != NULL ? "Sec-WebSocket-Extensions: " : "",
        extensions != NULL ? extensions : "", extensions != NULL ? "\r\n" : "");
    *length = (size_t)written; /* far below the limit: everything in it is ours */
    return 101;
}

static bool is_get(const struct http_request *request) {
    return span_is(request->method, "GET");
}

static bool is_http_1_1(const struct http_request *request) {
    return request->minor == 1;
}

/* RFC 6455 section 11.3 lets Sec-WebSocket-Protocol and -Extensions be split over several headers. They are
 * refused all the same: no known client does it, and proxies differ in whether they join or drop repeated
 * headers, so two hops could read two different handshakes. */
static bool has_no_duplicates(const struct http_request *request) {
    static const char *const names[] = {"sec-websocket-key", "sec-websocket-version",
                                        "sec-websocket-protocol", "sec-websocket-extensions",
                                        "sec-websocket-accept"};
    struct span value;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (http_request_header(request, names[i], &value) == -EEXIST) {
            return false;
        }
    }
    return true;
}

static bool asks_for_websocket(const struct http_request *request) {
    return http_request_has_token(request, "upgrade", "websocket");
}

static bool asks_for_upgrade(const struct http_request *request) {
    return http_request_has_token(request, "connection", "upgrade");
}

static bool has_version(const struct http_request *request) {
    struct span value;
    return http_request_header(request, "sec-websocket-version", &value) == 1;
}

static bool has_version_13(const struct http_request *request) {
    struct span value = {0};
    return http_request_header(request, "sec-websocket-version", &value) == 1 &&
           span_is(value, "13");
}

static bool is_base64_byte(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* 22 digits and two `=`: exactly the form of 16 bytes. */
static bool has_key(const struct http_request *request) {
    struct span key = {0};
    if (http_request_header(request, "sec-websocket-key", &key) != 1 || key.length != KEY_BYTES) {
        return false;
    }
    for (size_t i = 0; i < KEY_BYTES - 2; i++) {
        if (!is_base64_byte(key.data[i])) {
            return false;
        }
    }
    return key.data[KEY_BYTES - 2] == '=' && key.data[KEY_BYTES - 1] == '=';
}

/* With case, unlike the other lists: a client compares the answer to what it has offered. */
static bool offers_subprotocol(const struct http_request *request) {
    struct span list = {0};
    struct span token;
    if (http_request_header(request, "sec-websocket-protocol", &list) != 1) {
        return false;
    }
    while (http_request_next_token(&list, &token)) {
        if (span_is(token, SUBPROTOCOL)) {
            return true;
        }
    }
    return false;
}

static bool accept_key(struct span key, char accept[ACCEPT_BYTES + 1]) {
    unsigned char input[KEY_BYTES + sizeof(handshake_guid) - 1];
    unsigned char digest[SHA1_BYTES];
    memcpy(input, key.data, KEY_BYTES);
    memcpy(input + KEY_BYTES, handshake_guid, sizeof(handshake_guid) - 1);
    if (!EVP_Digest(input, sizeof(input), digest, NULL, EVP_sha1(), NULL)) {
        return false;
    }
    return EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest)) == ACCEPT_BYTES;
}
