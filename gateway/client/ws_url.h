/* ws://HOST[:PORT][/PATH] or wss:// taken apart. Pure function, used by moonx-client. */
#ifndef MOONX_GATEWAY_CLIENT_WS_URL_H
#define MOONX_GATEWAY_CLIENT_WS_URL_H

#include "common/base.h"

struct ws_url {
    bool tls;            /* wss:// */
    char host[256];      /* without the brackets of an IPv6 address */
    char port[6];        /* decimal; "80" when the URL names none, "443" with wss */
    char authority[272]; /* as it goes into the Host header */
    char target[1024];   /* path and query, at least "/" */
};

/* -EINVAL: anything else, or with control characters, blanks, a user name or a fragment. */
int ws_url_parse(const char *text, struct ws_url *out) MUST_CHECK;

#endif
