/* The header that a proxy puts before everything else on a connection: HAProxy's PROXY protocol, version 1 (a line of
 * text) and 2 (binary). Pure: fed byte by byte or in any pieces with the same result; keeps at most one line of
 * version 1, 107 bytes. Used by workers for connections from TRUSTED_PROXIES (conn_proxy.h).
 *
 * Version 1:  "PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\r\n", TCP6 likewise, or "PROXY UNKNOWN …\r\n"
 * Version 2:  signature (12 bytes) · version and command · family · length of the rest, big-endian · addresses ·
 *             further fields (TLVs), which are passed over
 *
 * Strict about what names the client: one blank between elements, addresses of the family told, ports without leading
 * zeros. The destination is checked and forgotten. */
#ifndef MOONX_GATEWAY_CONNECTION_PROXY_HEADER_H
#define MOONX_GATEWAY_CONNECTION_PROXY_HEADER_H

#include "gateway/access/address.h"

#define PROXY_HEADER_TEXT_MAX 107u  /* version 1, its end of line included */
#define PROXY_HEADER_REST_MAX 4096u /* version 2, what may follow the first 16 bytes */

enum proxy_header_result { PROXY_HEADER_MORE, PROXY_HEADER_DONE, PROXY_HEADER_BAD };

enum proxy_header_client {
    PROXY_HEADER_ITSELF, /* the proxy speaks for itself (LOCAL): its health check */
    PROXY_HEADER_NAMED,  /* for the client in `source` */
    PROXY_HEADER_NOBODY, /* for somebody whose internet address it does not tell (UNKNOWN) */
};

struct proxy_header { /* all zero at the start */
    enum proxy_header_result result;
    enum proxy_header_client client; /* after PROXY_HEADER_DONE */
    struct address source;           /* for PROXY_HEADER_NAMED */
    const char *fault;               /* after PROXY_HEADER_BAD: what is wrong, for the log */
    uint16_t length;                 /* bytes kept */
    uint16_t rest; /* version 2: bytes still to come, once the first 16 are there */
    uint8_t bytes[PROXY_HEADER_TEXT_MAX];
};

/* *consumed: how many of the bytes are the header's, all of them for PROXY_HEADER_MORE; what stands behind belongs to
 * whoever comes next. PROXY_HEADER_DONE and PROXY_HEADER_BAD are final: feeding more consumes nothing. */
enum proxy_header_result proxy_header_feed(struct proxy_header *header, const uint8_t *data,
                                           size_t length, size_t *consumed);

#endif
