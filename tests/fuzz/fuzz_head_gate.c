/* libFuzzer: the head gate over arbitrary bytes, whole and in pieces, and the WebSocket handshake over what
 * it lets through. The first byte chooses the size of the pieces.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/connection/ws_upgrade.h"
#include "gateway/http/head_gate.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

struct outcome {
    struct head_gate *gate;
    enum head_result result;
    size_t consumed;
};

static struct outcome feed(const char *data, size_t size, size_t piece) {
    struct outcome outcome = {.result = HEAD_MORE};
    if (head_gate_new(&outcome.gate)) {
        abort();
    }
    for (size_t at = 0; at < size && outcome.result == HEAD_MORE; at += piece) {
        size_t length = piece < size - at ? piece : size - at;
        size_t consumed = SIZE_MAX;
        outcome.result = head_gate_feed(outcome.gate, data + at, length, &consumed);
        REQUIRE(consumed <= length);
        REQUIRE(outcome.result != HEAD_MORE || consumed == length);
        outcome.consumed += consumed;
    }
    return outcome;
}

static void check_header(struct http_header header) {
    REQUIRE(header.name.length > 0);
    for (size_t i = 0; i < header.name.length; i++) {
        REQUIRE(header.name.data[i] > ' ' && header.name.data[i] < 0x7f &&
                header.name.data[i] != ':');
    }
    for (size_t i = 0; i < header.value.length; i++) {
        unsigned char byte = (unsigned char)header.value.data[i];
        REQUIRE(byte == '\t' || (byte >= ' ' && byte != 0x7f));
    }
}

/* What everybody behind the gate relies on. */
static void check_request(const struct http_request *request) {
    struct span value;
    REQUIRE(request->minor <= 1);
    REQUIRE(request->header_count >= 1 && request->header_count <= HEAD_GATE_MAX_HEADERS);
    REQUIRE(request->target.length > 0 && request->target.data[0] == '/');
    for (size_t i = 0; i < request->target.length; i++) {
        REQUIRE(request->target.data[i] > ' ' && request->target.data[i] < 0x7f);
    }
    REQUIRE(request->path.length + request->query.length <= request->target.length);
    for (unsigned i = 0; i < request->header_count; i++) {
        check_header(request->headers[i]);
    }
    REQUIRE(http_request_header(request, "host", &value) == 1);
    REQUIRE(http_request_header(request, "transfer-encoding", &value) == 0);
    REQUIRE(http_request_header(request, "content-length", &value) == 0 || span_is(value, "0") ||
            (request->body_length > 0 && request->body_length <= HTTP_REQUEST_MAX_BODY &&
             span_is(request->method, "POST")));
}

static void check_upgrade(const struct http_request *request) {
    char response[WS_UPGRADE_RESPONSE_MAX];
    size_t length = 0;
    const char *reason = NULL;
    const char *extra_header = NULL;
    unsigned status = ws_upgrade_check(request, NULL, response, &length, &reason, &extra_header);
    if (status == 101) {
        REQUIRE(length > 4 && length <= sizeof(response));
        REQUIRE(memcmp(response + length - 4, "\r\n\r\n", 4) == 0);
    } else {
        REQUIRE(status >= 400 && reason && extra_header);
    }
}

static void check_refusal(const struct head_gate *whole, const struct head_gate *pieces) {
    unsigned status = head_gate_status(whole);
    REQUIRE(status == 400 || status == 405 || status == 414 || status == 431 || status == 505);
    REQUIRE(status == head_gate_status(pieces));
    REQUIRE(head_gate_reason(whole) == head_gate_reason(pieces));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    const char *bytes = (const char *)data + 1;
    struct outcome whole = feed(bytes, size - 1, size);
    struct outcome pieces = feed(bytes, size - 1, 1 + (size_t)data[0] % 64);
    REQUIRE(whole.result == pieces.result);
    if (whole.result == HEAD_DONE) {
        REQUIRE(whole.consumed == pieces.consumed);
        REQUIRE(whole.consumed >= 4 && memcmp(bytes + whole.consumed - 4, "\r\n\r\n", 4) == 0);
        check_request(head_gate_request(whole.gate));
        check_request(head_gate_request(pieces.gate));
        check_upgrade(head_gate_request(whole.gate));
    } else if (whole.result == HEAD_BAD) {
        check_refusal(whole.gate, pieces.gate);
    }
    head_gate_free(whole.gate);
    head_gate_free(pieces.gate);
    return 0;
}
