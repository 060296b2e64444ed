/* What both parts of the external service are told: where it is and how it is asked. Owned by `struct external`, which
 * lives longer than they. */
#ifndef MOONX_GATEWAY_EXTERNAL_EXTERNAL_SETTINGS_H
#define MOONX_GATEWAY_EXTERNAL_EXTERNAL_SETTINGS_H

#include "common/base.h"

struct http_tls;

struct external_settings {
    const char *url;            /* has passed http_url_check() */
    struct span key;            /* "": none */
    const struct http_tls *tls; /* NULL: http */
    uint32_t timeout_ms;
    unsigned retries;
};

#endif
