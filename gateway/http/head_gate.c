/* Two readers, one verdict: each piece first runs through the gate's own byte rules (head_rules.c), and what
 * they accept is then parsed by llhttp. Both stop at the first byte they dislike, whatever the pieces were;
 * the earlier objection is the answer, and a head that only one of them finds complete is refused. llhttp
 * sees nothing before the whole request line has passed the rules, so no half-read method is judged. */
#include "gateway/http/head_gate.h"

#include "gateway/http/head_rules.h"

#include <llhttp/llhttp.h>
#include <stdlib.h>

#define FIRST_BUFFER_BYTES 1024

/* Part of the buffer, by offset: the buffer moves while it grows. */
struct piece {
    uint32_t at, length;
};

struct head_gate {
    enum head_result result;
    struct head_refusal refusal;
    char *buffer;
    size_t length, capacity;
    struct head_rules rules;
    llhttp_t parser;
    size_t parsed; /* bytes that llhttp has had */
    bool parser_complete;
    struct piece method, target;
    unsigned header_count;
    struct piece names[HEAD_GATE_MAX_HEADERS], values[HEAD_GATE_MAX_HEADERS];
    struct http_request request;
    char *body; /* NULL without one */
    size_t body_have;
};

static const llhttp_settings_t parser_settings;
static int append(struct head_gate *gate, const char *data, size_t length);
static void parse(struct head_gate *gate, struct head_refusal *refusal);
static void build_request(struct head_gate *gate);

int head_gate_new(struct head_gate **out) {
    struct head_gate *gate = calloc(1, sizeof(*gate));
    if (!gate) {
        return -ENOMEM;
    }
    llhttp_init(&gate->parser, HTTP_REQUEST, &parser_settings);
    gate->parser.data = gate;
    *out = gate;
    return 0;
}

void head_gate_free(struct head_gate *gate) {
    if (gate) {
        free(gate->buffer);
        free(gate->body);
        free(gate);
    }
}

static enum head_result refuse(struct head_gate *gate, unsigned status, const char *reason) {
    gate->refusal = (struct head_refusal){status, reason};
    gate->result = HEAD_BAD;
    return HEAD_BAD;
}

static enum head_result finish(struct head_gate *gate) {
    struct head_refusal refusal = {0};
    build_request(gate);
    head_rules_check_request(&gate->request, &refusal);
    if (refusal.status) {
        return refuse(gate, refusal.status, refusal.reason);
    }
    size_t body = gate->request.body_length;
    if (body > 0 && (gate->body = malloc(body)) == NULL) {
        return refuse(gate, 503, "Out of memory");
    }
    gate->result = HEAD_DONE;
    return HEAD_DONE;
}

void head_gate_take_body(struct head_gate *gate, const unsigned char *data, size_t length) {
    size_t missing = gate->request.body_length - gate->body_have;
    size_t taken = length < missing ? length : missing;
    if (taken > 0) {
        memcpy(gate->body + gate->body_have, data, taken);
        gate->body_have += taken;
    }
}

bool head_gate_body_complete(const struct head_gate *gate) {
    return gate->body_have == gate->request.body_length;
}

struct span head_gate_body(const struct head_gate *gate) {
    return (struct span){gate->body != NULL ? gate->body : "", gate->body_have};
}

enum head_result head_gate_feed(struct head_gate *gate, const char *data, size_t length,
                                size_t *consumed) {
    *consumed = 0;
    if (gate->result != HEAD_MORE) {
        return gate->result;
    }
    size_t room = HEAD_GATE_MAX_BYTES - gate->length;
    struct head_refusal refusal = {0};
    size_t accepted = head_rules_scan(&gate->rules, data, length < room ? length : room, &refusal);
    if (append(gate, data, accepted)) {
        return refuse(gate, 503, "Out of memory");
    }
    parse(gate,
          &refusal); /* has seen only bytes in front of what the rules object to: its word counts */
    if (refusal.status) {
        return refuse(gate, refusal.status, refusal.reason);
    }
    *consumed = accepted;
    if (head_rules_complete(&gate->rules)) {
        return finish(gate);
    }
    if (gate->length == HEAD_GATE_MAX_BYTES) {
        return refuse(gate, 431, "Request head too large");
    }
    return HEAD_MORE;
}

const struct http_request *head_gate_request(const struct head_gate *gate) {
    return &gate->request;
}

unsigned head_gate_status(const struct head_gate *gate) {
    return gate->refusal.status;
}

const char *head_gate_reason(const struct head_gate *gate) {
    return gate->refusal.reason;
}

static int append(struct head_gate *gate, const char *data, size_t length) {
    if (length == 0) {
        return 0;
    }
    if (gate->length + length > gate->capacity) {
        size_t capacity = gate->capacity ? gate->capacity : FIRST_BUFFER_BYTES;
        while (capacity < gate->length + length) {
            capacity *= 2;
        }
        char *buffer = realloc(gate->buffer, capacity);
        if (!buffer) {
            return -ENOMEM;
        }
        gate->buffer = buffer;
        gate->capacity = capacity;
    }
    memcpy(gate->buffer + gate->length, data, length);
    gate->length += length;
    return 0;
}

static void parse(struct head_gate *gate, struct head_refusal *refusal) {
    if (!head_rules_request_line_done(&gate->rules) || gate->parsed == gate->length) {
        return;
    }
    const char *from = gate->buffer + gate->parsed;
    llhttp_errno_t error = llhttp_execute(&gate->parser, from, gate->length - gate->parsed);
    gate->parsed = gate->length;
    bool complete = head_rules_complete(&gate->rules);
    if (gate->parser_complete == complete && error == (complete ? HPE_PAUSED : HPE_OK)) {
        return;
    }
    /* Of the request line the rules have left open only whether the method exists. */
    if (error == HPE_INVALID_METHOD || error == HPE_INVALID_CONSTANT) {
        *refusal = (struct head_refusal){405, "Unknown method"};
    } else if (error == HPE_INVALID_CONTENT_LENGTH || error == HPE_UNEXPECTED_CONTENT_LENGTH) {
        *refusal = (struct head_refusal){400, HEAD_RULES_BAD_LENGTH};
    } else if (error == HPE_INVALID_TRANSFER_ENCODING) {
        *refusal = (struct head_refusal){400, HEAD_RULES_NOT_WHOLE};
    } else {
        *refusal = (struct head_refusal){400, "Malformed request"};
    }
}

static int extend(const struct head_gate *gate, struct piece *piece, const char *at,
                  size_t length) {
    uint32_t start = (uint32_t)(at - gate->buffer);
    if (piece->length == 0) {
        piece->at = start;
    }
    piece->length = start + (uint32_t)length - piece->at;
    return 0;
}

static int on_method(llhttp_t *parser, const char *at, size_t length) {
    struct head_gate *gate = parser->data;
    return extend(gate, &gate->method, at, length);
}

static int on_url(llhttp_t *parser, const char *at, size_t length) {
    struct head_gate *gate = parser->data;
    return extend(gate, &gate->target, at, length);
}

static int on_header_piece(struct head_gate *gate, struct piece *pieces, const char *at,
                           size_t length) {
    /* The rules have counted the lines too; but an array's bound is not left to another reader. */
    if (gate->header_count == HEAD_GATE_MAX_HEADERS) {
        return -1;
    }
    return extend(gate, &pieces[gate->header_count], at, length);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length) {
    struct head_gate *gate = parser->data;
    return on_header_piece(gate, gate->names, at, length);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length) {
    struct head_gate *gate = parser->data;
    return on_header_piece(gate, gate->values, at, length);
}

static int on_header_value_complete(llhttp_t *parser) {
    struct head_gate *gate = parser->data;
    gate->header_count++;
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    struct head_gate *gate = parser->data;
    gate->parser_complete = true;
    return HPE_PAUSED; /* it shall not think about a body or a next request */
}

static const llhttp_settings_t parser_settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

static struct span piece_span(const struct head_gate *gate, struct piece piece) {
    return (struct span){gate->buffer + piece.at, piece.length};
}

bool head_gate_is_head(const struct head_gate *gate) {
    return span_is(piece_span(gate, gate->method), "HEAD");
}

/* llhttp has taken the blanks in front. */
static struct span without_blanks_behind(struct span value) {
    while (value.length > 0 && strchr(" \t", value.data[value.length - 1])) {
        value.length--;
    }
    return value;
}

static void build_request(struct head_gate *gate) {
    struct http_request *request = &gate->request;
    request->method = piece_span(gate, gate->method);
    request->target = piece_span(gate, gate->target);
    request->path = request->target;
    request->query = (struct span){request->target.data + request->target.length, 0};
    const char *mark = memchr(request->target.data, '?', request->target.length);
    if (mark) {
        request->path.length = (size_t)(mark - request->target.data);
        request->query = (struct span){mark + 1, request->target.length - request->path.length - 1};
    }
    request->minor = gate->parser.http_minor;
    request->header_count = gate->header_count;
    for (unsigned i = 0; i < gate->header_count; i++) {
        request->headers[i].name = piece_span(gate, gate->names[i]);
        request->headers[i].value = without_blanks_behind(piece_span(gate, gate->values[i]));
    }
}
