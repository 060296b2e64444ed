/* Whose request it is: the peer's address, or what TRUSTED_PROXIES say in `Forwarded` (RFC 7239) or
 * `X-Forwarded-For`. Pure; a worker asks for each handshake and each admin page.
 *
 * Headers are believed only when the peer is a trusted proxy. Each proxy adds the address that it was reached
 * from at the end, so the chain is read from its end: the right-most address that is no trusted proxy is the
 * client, and nothing before it counts: the client may have made it up, or come through a proxy of its own that
 * writes `unknown`. A chain of trusted ones alone: the left-most.
 *
 * Unreadable is: the right-most element that is no trusted proxy's address and no address at all (`unknown`,
 * `_hidden`, a quoted string that does not end), more than 64 trusted ones behind it, and both headers saying
 * different things: a proxy that writes one of them and passes the other on would let clients choose their
 * address. */
#ifndef MOONX_GATEWAY_ACCESS_ADDRESS_CLIENT_H
#define MOONX_GATEWAY_ACCESS_ADDRESS_CLIENT_H

#include "gateway/access/address.h"
#include "gateway/http/http_request.h"

#define ADDRESS_CLIENT_MAX_HOPS 64

struct address_client {
    struct address address; /* if known */
    bool known;
    bool forwarded;  /* the request carries one of the headers */
    bool vouched;    /* `address` is what a trusted proxy said, or nothing was forwarded */
    bool unreadable; /* a trusted proxy's headers make no sense; not known then */
};

/* `trusted` NULL: nobody is. */
void address_client_find(const struct sockaddr *peer, const struct http_request *request,
                         const struct address_list *trusted, struct address_client *out);

#endif
