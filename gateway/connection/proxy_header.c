#include "gateway/connection/proxy_header.h"

#define FIXED_BYTES   16u /* of version 2: signature, version and command, family, length */
#define REST_AT       14u
#define COMMAND_LOCAL 0x20u
#define COMMAND_PROXY 0x21u

static const uint8_t text_start[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t signature[] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                    '\n', 'Q',  'U',  'I',  'T', '\n'};

/* What version 2 says about the addresses, by the upper half of its family byte; the lower half, stream or datagram,
 * is how the client came to the proxy. */
static const struct {
    uint16_t bytes; /* the least that must follow */
    uint8_t address_bytes;
} families[] = {{0, 0}, {12, 4}, {36, 16}, {216, 0}};

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool take_byte(struct proxy_header *header, uint8_t byte);
static void read_text(struct proxy_header *header);
static void read_fixed(struct proxy_header *header);
static void read_addresses(struct proxy_header *header);

enum proxy_header_result proxy_header_feed(struct proxy_header *header, const uint8_t *data,
                                           size_t length, size_t *consumed) {
    size_t at = 0;

    while (at < length && header->result == PROXY_HEADER_MORE && take_byte(header, data[at])) {
        at++;
    }
    *consumed = at;
    return header->result;
}

static void done(struct proxy_header *header, enum proxy_header_client client) {
    header->client = client;
    header->result = PROXY_HEADER_DONE;
}

static bool bad(struct proxy_header *header, const char *fault) {
    header->fault = fault;
    header->result = PROXY_HEADER_BAD;
    return false;
}

static bool is_text(const struct proxy_header *header) {
    return header->bytes[0] == text_start[0];
}

/* Until it is clear which of the two it is, each byte must be one of theirs. */
static bool may_begin(const struct proxy_header *header, uint8_t byte) {
    size_t at = header->length;
    bool text = at == 0 ? byte == text_start[0] : is_text(header);

    if (text) {
        return at >= sizeof(text_start) || byte == text_start[at];
    }
    return at >= sizeof(signature) || byte == signature[at];
}

static bool take_text(struct proxy_header *header, uint8_t byte) {
    header->bytes[header->length++] = byte;
    if (byte == '\n') {
        read_text(header);
    } else if (header->length == PROXY_HEADER_TEXT_MAX) {
        return bad(header, "the line is longer than 107 bytes");
    }
    return header->result != PROXY_HEADER_BAD;
}

/* Addresses are kept, what follows them is counted only. */
static bool take_binary(struct proxy_header *header, uint8_t byte) {
    if (header->length < FIXED_BYTES) {
        header->bytes[header->length++] = byte;
        if (header->length == FIXED_BYTES) {
            read_fixed(header);
        }
    } else {
        if (header->length < PROXY_HEADER_TEXT_MAX) {
            header->bytes[header->length++] = byte;
        }
        if (--header->rest == 0) {
            read_addresses(header);
        }
    }
    return header->result != PROXY_HEADER_BAD;
}

static bool take_byte(struct proxy_header *header, uint8_t byte) {
    if (!may_begin(header, byte)) {
        return bad(header, "it does not begin with a PROXY header");
    }
    return header->length == 0 ? (header->bytes[header->length++] = byte, true)
           : is_text(header)   ? take_text(header, byte)
                               : take_binary(header, byte);
}

/* Up to the next blank or the end, which it leaves behind. */
static struct span next_word(struct span *text) {
    const char *blank = text->length > 0 ? memchr(text->data, ' ', text->length) : NULL;
    size_t length = blank != NULL ? (size_t)(blank - text->data) : text->length;
    size_t step = blank != NULL ? length + 1 : length;
    struct span word = {text->data, length};

    *text = (struct span){text->data + step, text->length - step};
    return word;
}

static bool is_port(struct span word) {
    unsigned long number = 0;

    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned long)(word.data[i] - '0');
    }
    return word.length >= 1 && word.length <= 5 && number <= 65535 &&
           (word.length == 1 || word.data[0] != '0');
}

static bool is_address(struct span word, bool six, struct address *out) {
    bool has_colon = word.length > 0 && memchr(word.data, ':', word.length) != NULL;

    return has_colon == six && address_of_text(word, out);
}

/* "TCP4 SOURCE DESTINATION PORT PORT" */
static bool read_tcp(struct span line, bool six, struct address *source) {
    struct address destination;
    struct span words[4];

    if (line.length > 0 && line.data[line.length - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        words[i] = next_word(&line);
    }
    return line.length == 0 && is_address(words[0], six, source) &&
           is_address(words[1], six, &destination) && is_port(words[2]) && is_port(words[3]);
}

static void read_text(struct proxy_header *header) {
    struct span line = {(const char *)header->bytes + sizeof(text_start),
                        header->length - sizeof(text_start)};
    struct span family;

    if (line.length < 2 || line.data[line.length - 2] != '\r') {
        bad(header, "its line does not end with CR LF");
        return;
    }
    line.length -= 2;
    family = next_word(&line);
    if (span_is(family, "UNKNOWN")) {
        done(header, PROXY_HEADER_NOBODY);
        return;
    }
    bool six = span_is(family, "TCP6");
    if ((six || span_is(family, "TCP4")) && read_tcp(line, six, &header->source)) {
        done(header, PROXY_HEADER_NAMED);
    } else {
        bad(header, "its line names no client");
    }
}

static void read_fixed(struct proxy_header *header) {
    unsigned command = header->bytes[sizeof(signature)];
    unsigned family = header->bytes[sizeof(signature) + 1];

    header->rest = (uint16_t)(header->bytes[REST_AT] << 8 | header->bytes[REST_AT + 1]);
    if (command != COMMAND_LOCAL && command != COMMAND_PROXY) {
        bad(header, "its version or command is not known");
    } else if (header->rest > PROXY_HEADER_REST_MAX) {
        bad(header, "it is longer than 4112 bytes");
    } else if (command == COMMAND_PROXY &&
               (family >> 4 >= ARRAY_LENGTH(families) ||
                (family & 0x0f) > 2 || /* unspecified, stream, datagram */
                header->rest < families[family >> 4].bytes)) {
        bad(header, "its family is not known, or its addresses are cut");
    } else if (header->rest == 0) {
        read_addresses(header);
    }
}

static void read_addresses(struct proxy_header *header) {
    unsigned family = header->bytes[sizeof(signature) + 1] >> 4;

    if (header->bytes[sizeof(signature)] == COMMAND_LOCAL) {
        done(header, PROXY_HEADER_ITSELF); /* whatever addresses it tells */
        return;
    }
    if (families[family].address_bytes == 4) {
        memcpy(header->source.bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(header->source.bytes + sizeof(mapped_prefix), header->bytes + FIXED_BYTES, 4);
    } else if (families[family].address_bytes == 16) {
        memcpy(header->source.bytes, header->bytes + FIXED_BYTES, 16);
    }
    done(header, families[family].address_bytes != 0 ? PROXY_HEADER_NAMED : PROXY_HEADER_NOBODY);
}
