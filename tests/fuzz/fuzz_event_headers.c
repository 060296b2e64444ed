/* Kafka headers as any producer may have set them. Each is: which name (one of ours, or the bytes' own), a length, the
 * value. What is understood must come out the same when it is written and read again. */
#include "ingest/event_headers.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rd_kafka_headers_t *headers_of(const uint8_t *data, size_t size) {
    static const char *const names[] = {"moonx-once", "moonx-sender", "moonx-expiry",
                                        "moonx-ephemeral"};
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);

    while (size >= 2) {
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        const char *name = names[data[0] % ARRAY_LENGTH(names)];
        const void *value = data[0] == 0xff ? NULL : data + 2; /* a header may have none */

        if (data[0] == 0xfe) { /* under a name of its own */
            rd_kafka_header_add(headers, (const char *)data + 2, (ssize_t)length, data, 1);
        } else {
            rd_kafka_header_add(headers, name, -1, value, value == NULL ? 0 : (ssize_t)length);
        }
        data += 2 + length;
        size -= 2 + length;
    }
    return headers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rd_kafka_headers_t *headers = headers_of(data, size);
    rd_kafka_headers_t *again = rd_kafka_headers_new(8);
    struct event_headers first, second;

    event_headers_read(headers, &first);
    event_headers_write(&first, again);
    event_headers_read(again, &second);
    if (first.has_once != second.has_once || first.sender != second.sender ||
        first.expiry_ms != second.expiry_ms || first.ephemeral != second.ephemeral ||
        first.host != second.host ||
        (first.has_once && memcmp(&first.once, &second.once, sizeof(first.once)) != 0)) {
        abort();
    }
    rd_kafka_headers_destroy(headers);
    rd_kafka_headers_destroy(again);
    return 0;
}
