#include "gateway/http/asset.h"

#include <stdio.h>
#include <stdlib.h>

/* Scripts, styles and connections from this origin alone; styles that scripts set on elements are no inline
 * styles to CSP. */
#define CONTENT_SECURITY_POLICY                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const struct asset *asset_find(struct span path) {
    for (size_t i = 0; i < asset_count; i++) {
        if (span_is(path, asset_table[i].path)) {
            return &asset_table[i];
        }
    }
    return NULL;
}

/* `Accept-Encoding: gzip;q=0` is a refusal, but nobody sends it: only the bare word counts as an acceptance. */
static const struct asset_form *choose(const struct asset *asset,
                                       const struct http_request *request) {
    bool gzip =
        asset->gzip.bytes != NULL && http_request_has_token(request, "accept-encoding", "gzip");
    return gzip ? &asset->gzip : &asset->plain;
}

/* Weak comparison (RFC 9110 section 13.1.2): proxies that pack by themselves mark the tag with W/. */
static bool has_it(const struct http_request *request, const char *tag) {
    struct span list, one;
    if (http_request_header(request, "if-none-match", &list) != 1) {
        return false;
    }
    while (http_request_next_token(&list, &one)) {
        if (one.length > 2 && memcmp(one.data, "W/", 2) == 0) {
            one = (struct span){one.data + 2, one.length - 2};
        }
        if (span_is(one, tag) || span_is(one, "*")) {
            return true;
        }
    }
    return false;
}

void asset_answer(const struct asset *asset, const struct http_request *request,
                  struct http_response *response) {
    const struct asset_form *form = choose(asset, request);
    response->status = has_it(request, form->tag) ? 304 : 200;
    response->content_type = asset->content_type;
    response->cache_control = "no-cache";
    snprintf(response->extra_headers, sizeof response->extra_headers,
             "ETag: %s\r\nVary: Accept-Encoding\r\n%sReferrer-Policy: no-referrer\r\n"
             "Content-Security-Policy: " CONTENT_SECURITY_POLICY "\r\n",
             form->tag, form == &asset->gzip ? "Content-Encoding: gzip\r\n" : "");
    response->body = malloc(form->length);
    if (response->body == NULL) {
        http_response_error(response, 500, "Out of memory");
        return;
    }
    memcpy(response->body, form->bytes, form->length);
    response->body_length = form->length;
}
