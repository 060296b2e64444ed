#include "ingest/event_headers.h"

#include <inttypes.h>
#include <stdio.h>

#define ONCE      "moonx-once"
#define SENDER    "moonx-sender"
#define EXPIRY    "moonx-expiry"
#define EPHEMERAL "moonx-ephemeral"
#define HOST      "moonx-host"

static void add(rd_kafka_headers_t *to, const char *name, const char *text);
static void add_number(rd_kafka_headers_t *to, const char *name, uint64_t number);
static bool from_hex(struct span text, unsigned char *out, size_t size);
static void read_once(struct span text, struct event_headers *out);
static void read_sender(struct span text, struct event_headers *out);
static void read_expiry(struct span text, struct event_headers *out);
static void read_ephemeral(struct span text, struct event_headers *out);
static void read_host(struct span text, struct event_headers *out);

static const struct {
    const char *name;
    void (*read)(struct span text, struct event_headers *out);
} readers[] = {{ONCE, read_once},
               {SENDER, read_sender},
               {EXPIRY, read_expiry},
               {EPHEMERAL, read_ephemeral},
               {HOST, read_host}};

void event_headers_write(const struct event_headers *headers, rd_kafka_headers_t *to) {
    char text[40];

    if (headers->has_once) {
        for (unsigned i = 0; i < sizeof(headers->once.bytes); i++) {
            snprintf(text + (size_t)2 * i, 3, "%02x", headers->once.bytes[i]);
        }
        add(to, ONCE, text);
    }
    add_number(to, SENDER, headers->sender);
    if (headers->expiry_ms > 0) {
        snprintf(text, sizeof(text), "%" PRId64, headers->expiry_ms);
        add(to, EXPIRY, text);
    }
    if (headers->ephemeral) {
        add(to, EPHEMERAL, "1");
    }
    add_number(to, HOST, headers->host);
}

void event_headers_read(const rd_kafka_headers_t *headers, struct event_headers *out) {
    *out = (struct event_headers){.has_once = false};
    for (unsigned i = 0; headers != NULL && i < ARRAY_LENGTH(readers); i++) {
        const void *value;
        size_t size;
        if (rd_kafka_header_get_last(headers, readers[i].name, &value, &size) ==
                RD_KAFKA_RESP_ERR_NO_ERROR &&
            value != NULL) {
            readers[i].read((struct span){value, size}, out);
        }
    }
}

static void add(rd_kafka_headers_t *to, const char *name, const char *text) {
    (void)rd_kafka_header_add(to, name, -1, text, -1);
}

static void add_number(rd_kafka_headers_t *to, const char *name, uint64_t number) {
    char text[17];

    if (number != 0) {
        snprintf(text, sizeof(text), "%016" PRIx64, number);
        add(to, name, text);
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly 2 * size digits, or nothing is written. */
static bool from_hex(struct span text, unsigned char *out, size_t size) {
    if (text.length != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (hex_digit(text.data[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        out[i] =
            (unsigned char)(hex_digit(text.data[2 * i]) << 4 | hex_digit(text.data[2 * i + 1]));
    }
    return true;
}

static void read_once(struct span text, struct event_headers *out) {
    out->has_once = from_hex(text, out->once.bytes, sizeof(out->once.bytes));
}

static uint64_t number_of(struct span text) {
    unsigned char bytes[8];
    uint64_t number = 0;

    if (!from_hex(text, bytes, sizeof(bytes))) {
        return 0;
    }
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static void read_sender(struct span text, struct event_headers *out) {
    out->sender = number_of(text);
}

static void read_expiry(struct span text, struct event_headers *out) {
    int64_t number = 0;

    if (text.length == 0 || text.length > 15) {
        return;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    out->expiry_ms = number;
}

static void read_ephemeral(struct span text, struct event_headers *out) {
    out->ephemeral = span_is(text, "1");
}

static void read_host(struct span text, struct event_headers *out) {
    out->host = number_of(text);
}
