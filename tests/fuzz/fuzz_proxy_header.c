/* libFuzzer: the PROXY header over arbitrary bytes: whole, byte by byte and in pieces of a size that the first byte
 * chooses, always with the same outcome. Each third input gets a right beginning, so that what follows is read.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/connection/proxy_header.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

struct outcome {
    struct proxy_header header;
    size_t consumed;
};

static struct outcome feed(const uint8_t *data, size_t size, size_t piece) {
    struct outcome outcome = {.consumed = 0};
    enum proxy_header_result result = PROXY_HEADER_MORE;
    for (size_t at = 0; at < size && result == PROXY_HEADER_MORE; at += piece) {
        size_t length = piece < size - at ? piece : size - at, consumed = SIZE_MAX;
        result = proxy_header_feed(&outcome.header, data + at, length, &consumed);
        REQUIRE(consumed <= length);
        REQUIRE(result != PROXY_HEADER_MORE || consumed == length);
        REQUIRE(result == outcome.header.result);
        outcome.consumed += consumed;
    }
    return outcome;
}

static void compare(const uint8_t *data, size_t size, size_t piece) {
    struct outcome whole = feed(data, size, size > 0 ? size : 1);
    struct outcome pieces = feed(data, size, piece);
    REQUIRE(whole.header.result == pieces.header.result);
    REQUIRE(whole.consumed == pieces.consumed);
    REQUIRE(whole.consumed <= 16 + PROXY_HEADER_REST_MAX);
    REQUIRE(whole.header.length <= PROXY_HEADER_TEXT_MAX);
    if (whole.header.result == PROXY_HEADER_DONE) {
        REQUIRE(whole.header.client == pieces.header.client);
        REQUIRE(address_equal(&whole.header.source, &pieces.header.source));
    }
    REQUIRE(whole.header.result != PROXY_HEADER_BAD || whole.header.fault != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct span starts[] = {
        {"", 0}, {"PROXY TCP", 9}, {"\r\n\r\n\0\r\nQUIT\n\x21", 13}};
    if (size < 1 || size > 8192) {
        return 0;
    }
    struct span start = starts[data[0] % ARRAY_LENGTH(starts)];
    uint8_t *copy = malloc(start.length + size);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, start.data, start.length);
    memcpy(copy + start.length, data + 1, size - 1);
    compare(copy, start.length + size - 1, 1 + data[0] / ARRAY_LENGTH(starts));
    free(copy);
    return 0;
}
