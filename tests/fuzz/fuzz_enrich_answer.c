/* libFuzzer: what the external service answers about a notification, spliced into an event as a worker does; the first
 * byte chooses the status. And what is asked it about any user. clang -fsanitize=fuzzer,address,undefined */
#include "common/json.h"
#include "gateway/external/enrich.h"
#include "gateway/external/enrich_answer.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The event around it is strict JSON again, as ingest will demand. */
static void splice(struct span metadata) {
    static const char head[] =
        "{\"type\":\"t\",\"room\":\"r\",\"data\":{\"title\":\"\",\"metadata\":";
    char *event = malloc(sizeof(head) + metadata.length + 2);
    struct json_value value;

    REQUIRE(metadata.length <= ENRICH_METADATA_BYTES);
    if (event != NULL) {
        size_t length = sizeof(head) - 1;
        memcpy(event, head, length);
        memcpy(event + length, metadata.data, metadata.length);
        memcpy(event + length + metadata.length, "}}", 2);
        REQUIRE(json_check((struct span){event, length + metadata.length + 2}, &value, NULL) ==
                JSON_OK);
        free(event);
    }
}

static void ask(struct span user_id) {
    char query[512];
    long length = enrich_query(user_id, SPAN_LITERAL("info"), query, sizeof(query));

    REQUIRE(length == -ENOSPC || (length > 0 && length < (long)sizeof(query)));
    for (long i = 0; i < length; i++) {
        REQUIRE(query[i] > ' ' && query[i] < 0x7f && query[i] != '#');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int statuses[] = {200, 200, 0, 204, 301, 404, 429, 500};
    struct span metadata = SPAN_LITERAL("");

    if (size < 1 || size > 65536) {
        return 0;
    }
    char *copy = malloc(size); /* of the exact size, for the sanitizer to see the end */
    if (copy != NULL) {
        const struct span body = {copy, size - 1};
        int status = statuses[data[0] % ARRAY_LENGTH(statuses)];
        memcpy(copy, data + 1, size - 1);
        enum enrich_verdict verdict = enrich_answer_read(status, body, &metadata);
        REQUIRE((verdict == ENRICH_KNOWN) == (metadata.length > 0));
        REQUIRE(verdict != ENRICH_KNOWN || status == 200);
        if (verdict == ENRICH_KNOWN) {
            splice(metadata);
        }
        ask(body);
        free(copy);
    }
    return 0;
}
