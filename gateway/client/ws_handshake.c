#include "gateway/client/ws_handshake.h"
#include "common/json.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static enum ws_handshake_result bad(struct ws_handshake_answer *out, const char *what);
static struct span find_header(struct span head, const char *name);
static const char *wrong_upgrade(struct span head, const char *key);
static void refusal_message(struct span head, struct span body, struct ws_handshake_answer *out);
static bool body_complete(struct span head, size_t have);

int ws_handshake_key(char key[WS_HANDSHAKE_KEY_BYTES]) {
    unsigned char random[16];
    if (RAND_bytes(random, sizeof(random)) != 1) {
        return -EIO;
    }
    EVP_EncodeBlock((unsigned char *)key, random, sizeof(random));
    return 0;
}

void ws_handshake_accept(const char *key, char accept[WS_HANDSHAKE_ACCEPT_BYTES]) {
    char text[WS_HANDSHAKE_KEY_BYTES + sizeof(WS_GUID)];
    unsigned char digest[SHA_DIGEST_LENGTH];
    int length = snprintf(text, sizeof(text), "%.24s%s", key, WS_GUID);
    SHA1((const unsigned char *)text, (size_t)length, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
}

long ws_handshake_request(const char *authority, const char *target, const char *key, char *buffer,
                          size_t size) {
    int length = snprintf(buffer, size,
                          "GET %s HTTP/1.1\r\n"
                          "Host: %s\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Key: %s\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Protocol: moonx.v1\r\n"
                          "User-Agent: moonx-client/" MOONX_VERSION "\r\n\r\n",
                          target, authority, key);
    return length < 0 || (size_t)length >= size ? -ENOSPC : length;
}

enum ws_handshake_result ws_handshake_check(struct span received, bool ended, const char *key,
                                            struct ws_handshake_answer *out) {
    struct ws_handshake_answer answer = {0};
    const char *end = memmem(received.data, received.length, "\r\n\r\n", 4);
    if (end == NULL) {
        if (ended || received.length >= WS_HANDSHAKE_ANSWER_MAX) {
            return bad(out, received.length == 0
                                ? "the server closed the connection without an answer"
                                : "the answer is not HTTP");
        }
        return WS_HANDSHAKE_MORE;
    }
    struct span head = {received.data, (size_t)(end - received.data) + 2};
    answer.head_bytes = head.length + 2;
    if (head.length < 14 || memcmp(head.data, "HTTP/1.1 ", 9) != 0) {
        return bad(out, "the answer is not HTTP/1.1");
    }
    answer.status = (unsigned)strtoul(head.data + 9, NULL, 10);
    if (answer.status == 101) {
        const char *wrong = wrong_upgrade(head, key);
        if (wrong != NULL) {
            return bad(out, wrong);
        }
        *out = answer;
        return WS_HANDSHAKE_OPEN;
    }
    struct span body = {received.data + answer.head_bytes, received.length - answer.head_bytes};
    if (!ended && received.length < WS_HANDSHAKE_ANSWER_MAX && !body_complete(head, body.length)) {
        return WS_HANDSHAKE_MORE;
    }
    refusal_message(head, body, &answer);
    *out = answer;
    return WS_HANDSHAKE_REFUSED;
}

static enum ws_handshake_result bad(struct ws_handshake_answer *out, const char *what) {
    memset(out, 0, sizeof(*out));
    snprintf(out->message, sizeof(out->message), "%s", what);
    return WS_HANDSHAKE_BAD;
}

/* The value of the first header of that name, without blanks around it; empty when there is none. */
static struct span find_header(struct span head, const char *name) {
    size_t name_length = strlen(name);
    const char *end = head.data + head.length;
    const char *line = memchr(head.data, '\n', head.length);
    while (line != NULL && ++line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next == NULL ? end : next;
        if ((size_t)(stop - line) > name_length && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0) {
            line += name_length + 1;
            return span_trim((struct span){line, (size_t)(stop - line)}, " \t\r");
        }
        line = next;
    }
    return (struct span){"", 0};
}

static const char *wrong_upgrade(struct span head, const char *key) {
    char accept[WS_HANDSHAKE_ACCEPT_BYTES];
    ws_handshake_accept(key, accept);
    if (!span_is_caseless(find_header(head, "Upgrade"), "websocket") ||
        !span_is_caseless(find_header(head, "Connection"), "upgrade")) {
        return "the 101 answer is no upgrade to WebSocket";
    }
    if (!span_is(find_header(head, "Sec-WebSocket-Accept"), accept)) {
        return "the 101 answer has a wrong Sec-WebSocket-Accept";
    }
    if (find_header(head, "Sec-WebSocket-Extensions").length > 0) {
        return "the 101 answer has an extension that was not asked for";
    }
    return NULL;
}

static bool body_complete(struct span head, size_t have) {
    struct span length = find_header(head, "Content-Length");
    return length.length > 0 && have >= strtoul(length.data, NULL, 10);
}

/* The gateway's errors are {"error":{"code","message"}}; of other servers the reason phrase is shown. */
static void refusal_message(struct span head, struct span body, struct ws_handshake_answer *out) {
    struct json_value whole, error, message;
    if (json_check(body, &whole, NULL) == JSON_OK && json_get(whole, "error", &error) == 1 &&
        json_get(error, "message", &message) == 1) {
        long length = json_unescape(message, out->message, sizeof(out->message) - 1);
        if (length > 0) {
            out->message[length] = '\0';
        }
    }
    if (out->message[0] == '\0') {
        const char *reason = head.data + 12 + (head.data[12] == ' ' ? 1 : 0);
        const char *end = memchr(reason, '\r', (size_t)(head.data + head.length - reason));
        int length = end == NULL ? 0 : (int)(end - reason);
        snprintf(out->message, sizeof(out->message), "%.*s", length, reason);
    }
    for (char *at = out->message; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = ' '; /* it will stand on a terminal */
        }
    }
}
