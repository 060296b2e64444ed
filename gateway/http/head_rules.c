#include "gateway/http/head_rules.h"

#define MAX_METHOD_BYTES 24
#define VERSION_BYTES    (sizeof("HTTP/1.1") - 1)

enum state {
    AT_METHOD,
    AT_TARGET,
    AT_VERSION,
    AT_REQUEST_LF,
    AT_LINE,
    AT_NAME,
    AT_VALUE,
    AT_LINE_LF,
    AT_LAST_LF,
    AT_END,
    STATES,
    REFUSED
};

/* Returns the next state, or REFUSED with *refusal set. */
typedef enum state step(struct head_rules *rules, unsigned char byte, struct head_refusal *refusal);
static step step_method, step_target, step_version, step_lf, step_line, step_name, step_value,
    step_last_lf;

static step *const steps[STATES] = {
    [AT_METHOD] = step_method, [AT_TARGET] = step_target, [AT_VERSION] = step_version,
    [AT_REQUEST_LF] = step_lf, [AT_LINE] = step_line,     [AT_NAME] = step_name,
    [AT_VALUE] = step_value,   [AT_LINE_LF] = step_lf,    [AT_LAST_LF] = step_last_lf,
};

size_t head_rules_scan(struct head_rules *rules, const char *data, size_t length,
                       struct head_refusal *refusal) {
    size_t i = 0;
    while (i < length && rules->state != AT_END) {
        enum state next = steps[rules->state](rules, (unsigned char)data[i], refusal);
        if (next == REFUSED) {
            break;
        }
        rules->state = next;
        rules->seen++;
        i++;
    }
    return i;
}

bool head_rules_request_line_done(const struct head_rules *rules) {
    return rules->state >= AT_LINE;
}

bool head_rules_complete(const struct head_rules *rules) {
    return rules->state == AT_END;
}

static enum state refuse(struct head_refusal *refusal, unsigned status, const char *reason) {
    *refusal = (struct head_refusal){status, reason};
    return REFUSED;
}

/* The next element of the request line begins behind this byte. */
static enum state next_element(struct head_rules *rules, enum state next) {
    rules->element_at = rules->seen + 1;
    return next;
}

static bool is_digit(unsigned char byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_capital(unsigned char byte) {
    return byte >= 'A' && byte <= 'Z';
}

static bool is_one_of(const char *set, unsigned char byte) {
    return byte != '\0' && strchr(set, byte) != NULL;
}

/* RFC 9110 section 5.6.2. */
static bool is_token_byte(unsigned char byte) {
    return is_digit(byte) || is_capital(byte) || (byte >= 'a' && byte <= 'z') ||
           is_one_of("!#$%&'*+-.^_`|~", byte);
}

static enum state step_method(struct head_rules *rules, unsigned char byte,
                              struct head_refusal *refusal) {
    if (byte == ' ' && rules->seen > 0) {
        return next_element(rules, AT_TARGET);
    }
    /* Every registered method consists of capitals and `-`. */
    if ((is_capital(byte) || byte == '-') && rules->seen < MAX_METHOD_BYTES) {
        return AT_METHOD;
    }
    return refuse(refusal, 400, "Not an HTTP request");
}

static enum state step_target(struct head_rules *rules, unsigned char byte,
                              struct head_refusal *refusal) {
    size_t length = rules->seen - rules->element_at;
    if (length == 0) {
        return byte == '/' ? AT_TARGET
                           : refuse(refusal, 400, "The request target must start with a slash");
    }
    if (byte == ' ') {
        return next_element(rules, AT_VERSION);
    }
    if (byte < 0x21 || byte > 0x7e || byte == '#') {
        return refuse(refusal, 400, "Invalid byte in the request target");
    }
    return length < HEAD_RULES_MAX_TARGET ? AT_TARGET
                                          : refuse(refusal, 414, "Request target too long");
}

/* Which digits they are is decided at the line's end, when it has proved to be a request line. */
static enum state step_version(struct head_rules *rules, unsigned char byte,
                               struct head_refusal *refusal) {
    static const char shape[] = "HTTP/1.1";
    size_t index = rules->seen - rules->element_at;
    if (index < VERSION_BYTES) {
        bool digit = is_digit((unsigned char)shape[index]);
        if (digit ? !is_digit(byte) : byte != (unsigned char)shape[index]) {
            return refuse(refusal, 400, "Malformed HTTP version");
        }
        bool minor = index == VERSION_BYTES - 1;
        rules->other_version |= digit && byte != '1' && !(minor && byte == '0');
        return AT_VERSION;
    }
    if (byte != '\r') {
        return refuse(refusal, 400, "Malformed HTTP version");
    }
    return rules->other_version ? refuse(refusal, 505, "HTTP/1.0 or HTTP/1.1 is required")
                                : AT_REQUEST_LF;
}

static enum state step_lf(struct head_rules *rules, unsigned char byte,
                          struct head_refusal *refusal) {
    (void)rules;
    return byte == '\n' ? AT_LINE : refuse(refusal, 400, "Bare CR in the request head");
}

static enum state step_line(struct head_rules *rules, unsigned char byte,
                            struct head_refusal *refusal) {
    if (byte == '\r') {
        return AT_LAST_LF;
    }
    if (byte == ' ' || byte == '\t') {
        return refuse(refusal, 400, "Folded header line");
    }
    if (!is_token_byte(byte)) {
        return refuse(refusal, 400, "Invalid byte in a header name");
    }
    if (rules->lines == HTTP_REQUEST_MAX_HEADERS) {
        return refuse(refusal, 431, "Too many headers");
    }
    rules->lines++;
    return AT_NAME;
}

static enum state step_name(struct head_rules *rules, unsigned char byte,
                            struct head_refusal *refusal) {
    (void)rules;
    if (byte == ':') {
        return AT_VALUE;
    }
    return is_token_byte(byte) ? AT_NAME : refuse(refusal, 400, "Invalid byte in a header name");
}

static enum state step_value(struct head_rules *rules, unsigned char byte,
                             struct head_refusal *refusal) {
    (void)rules;
    if (byte == '\r') {
        return AT_LINE_LF;
    }
    /* Bytes above 0x7f are obs-text: opaque, but found in cookies and agents' names. */
    if (byte == '\t' || (byte >= ' ' && byte != 0x7f)) {
        return AT_VALUE;
    }
    return refuse(refusal, 400, "Invalid byte in a header value");
}

static enum state step_last_lf(struct head_rules *rules, unsigned char byte,
                               struct head_refusal *refusal) {
    (void)rules;
    return byte == '\n' ? AT_END : refuse(refusal, 400, "Bare CR in the request head");
}

/* A name or an address, with or without a port; what RFC 3986 section 3.2.2 allows there. */
static bool host_is_valid(struct span value) {
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        bool allowed = is_token_byte(byte) ? !is_one_of("#^`|", byte) : is_one_of(":[]();=,", byte);
        if (!allowed) {
            return false;
        }
    }
    return value.length > 0;
}

/* Digits alone, no zero in front: one text for each length. False: none of that. */
static bool read_length(struct span value, size_t *out) {
    size_t length = 0;
    if (value.length == 0 || (value.length > 1 && value.data[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        if (!is_digit((unsigned char)value.data[i])) {
            return false;
        }
        length =
            length > HTTP_REQUEST_MAX_BODY ? length : length * 10 + (size_t)(value.data[i] - '0');
    }
    *out = length;
    return true;
}

/* Whether these are pages at all that take a body is not known here; below this path they are. */
static bool may_have_body(const struct http_request *request) {
    static const struct span below = SPAN_LITERAL("/admin/");
    return span_is(request->method, "POST") && request->path.length > below.length &&
           memcmp(request->path.data, below.data, below.length) == 0;
}

static void check_body(struct http_request *request, struct head_refusal *refusal) {
    struct span value = {0};
    bool chunked = http_request_header(request, "transfer-encoding", &value) != 0;
    int found = http_request_header(request, "content-length", &value);
    size_t length = 0;
    if (chunked && may_have_body(request)) {
        *refusal = (struct head_refusal){411, HEAD_RULES_NOT_WHOLE};
    } else if (!chunked && found != 0 && (found != 1 || !read_length(value, &length))) {
        *refusal = (struct head_refusal){400, HEAD_RULES_BAD_LENGTH};
    } else if (chunked || (length > 0 && !may_have_body(request))) {
        *refusal = (struct head_refusal){400, "A request body is not accepted"};
    } else if (length > HTTP_REQUEST_MAX_BODY) {
        *refusal = (struct head_refusal){413, "The request body is too long"};
    } else {
        request->body_length = length;
    }
}

void head_rules_check_request(struct http_request *request, struct head_refusal *refusal) {
    /* Behind the head of a CONNECT some readers expect a tunnel, whatever its target was. */
    if (span_is(request->method, "CONNECT")) {
        *refusal = (struct head_refusal){405, "There is no tunnel here"};
        return;
    }
    struct span host = {0};
    if (http_request_header(request, "host", &host) != 1 || !host_is_valid(host)) {
        *refusal = (struct head_refusal){400, "Exactly one valid Host header is required"};
        return;
    }
    check_body(request, refusal);
}
