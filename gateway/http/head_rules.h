/* The gate's own rules about the bytes of a request's head, one state a byte, nothing kept but the state:
 * the first of the gate's two readers (see head_gate.c), and the rules about headers that no parser can
 * know. Part of a head gate, lives in it. */
#ifndef MOONX_GATEWAY_HTTP_HEAD_RULES_H
#define MOONX_GATEWAY_HTTP_HEAD_RULES_H

#include "gateway/http/http_request.h"

#define HEAD_RULES_MAX_TARGET 8192

#define HEAD_RULES_BAD_LENGTH                                                                      \
    "Content-Length must be one number, the length of the request body in bytes, without "         \
    "Transfer-Encoding"
#define HEAD_RULES_NOT_WHOLE                                                                       \
    "The request body must come whole, with Content-Length and no Transfer-Encoding"

struct head_refusal {
    unsigned status; /* 0: none */
    const char *reason;
};

struct head_rules { /* all zero at the start */
    unsigned state;
    bool other_version; /* the version is of the right form, but none of ours */
    unsigned lines;     /* header lines begun */
    size_t seen;        /* bytes accepted */
    size_t element_at;  /* where the element of the request line being read began */
};

/* How many of the bytes are accepted: all, or up to the head's end, or up to the first that breaks a rule,
 * which is then told in *refusal. */
size_t head_rules_scan(struct head_rules *rules, const char *data, size_t length,
                       struct head_refusal *refusal);
bool head_rules_request_line_done(const struct head_rules *rules);
bool head_rules_complete(const struct head_rules *rules);

/* The method, Host, Transfer-Encoding, Content-Length (which sets body_length); *refusal stays untouched when all is well. */
void head_rules_check_request(struct http_request *request, struct head_refusal *refusal);

#endif
