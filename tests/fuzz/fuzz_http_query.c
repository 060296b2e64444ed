/* libFuzzer: parameters in the query of a request to an administrator's page. The first byte is the size that the caller
 * has for the text. What is taken must be what stands there: encoded again, it is found again.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/http/http_query.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          4096

static void encode(const char *text, size_t length, char *out) {
    out += sprintf(out, "other=1&user=");
    for (size_t i = 0; i < length; i++) {
        out += sprintf(out, "%%%02x", (unsigned char)text[i]);
    }
}

static void read_text(struct span query, size_t size) {
    static char encoded[3 * 256 + 32];
    char *text = malloc(size), *again = malloc(size); /* of the exact size, for the sanitizer */
    size_t length = SIZE_MAX, length_again = 0;
    REQUIRE(text != NULL && again != NULL);
    int result = http_query_text(query, "user", text, size, &length);
    REQUIRE(result == 1 || result == 0 || result == -EINVAL);
    if (result == 1) {
        REQUIRE(length < size && text[length] == '\0' && strlen(text) == length);
        encode(text, length, encoded);
        REQUIRE(http_query_text(span_of(encoded), "user", again, size, &length_again) == 1);
        REQUIRE(length_again == length && memcmp(text, again, length) == 0);
    }
    free(text);
    free(again);
}

static void read_number(struct span query, uint64_t low, uint64_t high) {
    uint64_t number = high + 1;
    int result = http_query_number(query, "limit", low, high, &number);
    REQUIRE(result == 1 || result == 0 || result == -EINVAL);
    REQUIRE(result == 1 ? number >= low && number <= high : number == high + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > MAX_INPUT) {
        return 0;
    }
    char *copy = malloc(size);
    REQUIRE(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    struct span query = {copy, size - 1};
    read_text(query, data[0] + 1u);
    read_number(query, 1, 1000);
    read_number(query, 0, UINT64_MAX);
    free(copy);
    return 0;
}
