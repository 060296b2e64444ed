/* The files that browsers get: the console and what it loads. They are part of the program: gateway/console/embed
 * makes the table when it is built. Used by workers; constant. */
#ifndef MOONX_GATEWAY_HTTP_ASSET_H
#define MOONX_GATEWAY_HTTP_ASSET_H

#include "gateway/http/http_request.h"
#include "gateway/http/http_response.h"

/* One form of a file; NULL: there is no such form. */
struct asset_form {
    const unsigned char *bytes;
    size_t length;
    const char
        *tag; /* entity tag with its quotes: another for other bytes (RFC 9110 section 8.8.3) */
};

struct asset {
    const char *path;
    const char *content_type;
    struct asset_form plain, gzip;
};

extern const struct asset asset_table[];
extern const size_t asset_count;

/* NULL: nothing is served at that path. */
const struct asset *asset_find(struct span path);
/* 200 with the bytes, gzipped for who accepts it; 304 for who has them (If-None-Match). Browsers ask anew each time, so
 * that a new binary's page never runs an old one's scripts. */
void asset_answer(const struct asset *asset, const struct http_request *request,
                  struct http_response *response);

#endif
