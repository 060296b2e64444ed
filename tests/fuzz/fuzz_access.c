/* What strangers and operators write about who may come in: the headers of proxies and browsers, the rooms table, and
 * the lists of addresses, origins and limits. The first byte chooses. */
#include "gateway/access/address_client.h"
#include "gateway/access/limit.h"
#include "gateway/access/origin.h"
#include "gateway/access/policy.h"
#include "gateway/http/head_gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char error[1024];

/* The peer is a trusted proxy; what it says last stands at the end, whatever a client has put before it. */
static void read_headers(struct span text) {
    static struct address_list *trusted;
    static struct origin_list *origins;
    static char head[HEAD_GATE_MAX_BYTES];
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct address_client client;
    struct head_gate *gate;
    size_t consumed;

    if (trusted == NULL) {
        REQUIRE(address_list_new("X", "10.0.0.0/8", &trusted, error, sizeof(error)) == 0);
        REQUIRE(origin_list_new("https://a.example", &origins, error, sizeof(error)) == 0);
    }
    int length = snprintf(head, sizeof(head), "GET /ws HTTP/1.1\r\nHost: x\r\n%.*s\r\n\r\n",
                          (int)text.length, text.data);
    if (length >= (int)sizeof(head) || head_gate_new(&gate) != 0) {
        return;
    }
    if (head_gate_feed(gate, head, (size_t)length, &consumed) == HEAD_DONE) {
        const struct http_request *request = head_gate_request(gate);
        address_client_find((struct sockaddr *)&peer, request, trusted, &client);
        REQUIRE(client.known != client.unreadable);
        REQUIRE(client.known == client.vouched);
        REQUIRE(client.forwarded || client.known);
        struct span value;
        if (http_request_header(request, "origin", &value) == 1) {
            REQUIRE(origin_allowed(origins, request) == span_is(value, "https://a.example"));
        }
    }
    head_gate_free(gate);
}

/* A client can't talk its way past the proxy: the proxy's word, appended to whatever came, is what counts, or the
 * request is refused. */
static void append_to_forwarded(struct span text, const char *header, const char *word) {
    static struct address_list *trusted;
    static char head[HEAD_GATE_MAX_BYTES];
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct address_client client;
    struct address wanted;
    struct head_gate *gate;
    size_t consumed;

    if (trusted == NULL) {
        REQUIRE(address_list_new("X", "10.0.0.0/8", &trusted, error, sizeof(error)) == 0);
    }
    int length = snprintf(head, sizeof(head), "GET /ws HTTP/1.1\r\nHost: x\r\n%s: %.*s, %s\r\n\r\n",
                          header, (int)text.length, text.data, word);
    bool one_line = memchr(text.data, '\r', text.length) == NULL &&
                    memchr(text.data, '\n', text.length) == NULL;
    if (length >= (int)sizeof(head) || !one_line || head_gate_new(&gate) != 0) {
        return;
    }
    REQUIRE(address_of_text(SPAN_LITERAL("192.0.2.1"), &wanted));
    if (head_gate_feed(gate, head, (size_t)length, &consumed) == HEAD_DONE) {
        address_client_find((struct sockaddr *)&peer, head_gate_request(gate), trusted, &client);
        REQUIRE(client.unreadable || (client.known && address_equal(&client.address, &wanted)));
    }
    head_gate_free(gate);
}

static void read_rooms(struct span text) {
    static const char *const rooms[] = {"prices", "user:ann", "user:bob", "role:a", "desk:1:in"};
    const struct span role = SPAN_LITERAL("a");
    struct policy_subject ann = {.user_id = SPAN_LITERAL("ann"), .role_count = 1, .roles = &role};
    struct policy_subject nobody = {.role_count = 1, .roles = &role};
    struct policy *policy = NULL;

    if (policy_parse("rooms", text, &policy, error, sizeof(error)) != 0) {
        REQUIRE(policy == NULL && error[0] != '\0' && strchr(error, '\n') == NULL);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rooms); i++) {
        (void)policy_judge(policy, POLICY_JOIN, span_of(rooms[i]), &ann);
        REQUIRE(policy_judge(policy, POLICY_JOIN, span_of(rooms[i]), &nobody) != POLICY_ALLOW);
        REQUIRE(policy_judge(policy, POLICY_PUBLISH, span_of(rooms[i]), &nobody) != POLICY_ALLOW);
    }
    REQUIRE(policy_judge(policy, POLICY_JOIN, SPAN_LITERAL("user:bob"), &ann) != POLICY_ALLOW ||
            memchr(text.data, '*', text.length) != NULL ||
            memchr(text.data, '{', text.length) != NULL);
    policy_free(policy);
}

static void read_lists(struct span text) {
    struct options options = {.rate_limit_max_messages_per_minute = text.data};
    struct address_list *addresses = NULL;
    struct origin_list *origins = NULL;
    struct limit *limit = NULL;

    (void)!address_list_new("X", text.data, &addresses, error, sizeof(error));
    (void)!origin_list_new(text.data, &origins, error, sizeof(error));
    (void)!limit_new(&options, &limit, error, sizeof(error));
    address_list_free(addresses);
    origin_list_free(origins);
    limit_free(limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 8192) {
        return 0;
    }
    char *copy = malloc(size); /* of the exact size, for the sanitizer to see the end */
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    struct span text = {copy, size - 1};
    switch (data[0] % 5) {
    case 0:
        read_headers(text);
        break;
    case 1:
        append_to_forwarded(text, "Forwarded", "for=192.0.2.1");
        break;
    case 2:
        append_to_forwarded(text, "X-Forwarded-For", "192.0.2.1");
        break;
    case 3:
        read_rooms(text);
        break;
    default:
        read_lists(text);
        break;
    }
    free(copy);
    return 0;
}
