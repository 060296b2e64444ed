/* Which certificate answers to a server name (SNI): the names of all certificates, sorted. Built when certificates are
 * read, then only looked at; lookups compare, they allocate nothing. */
#ifndef MOONX_GATEWAY_TLS_TLS_NAMES_H
#define MOONX_GATEWAY_TLS_TLS_NAMES_H

#include "common/base.h"

#define TLS_NAME_MAX_BYTES 253u /* of a host name (RFC 1035) */

struct tls_name {
    char text[TLS_NAME_MAX_BYTES + 1]; /* lower case, without a last dot; may begin with "*." */
    unsigned certificate;
};

struct tls_names {
    struct tls_name *list;
    size_t count, capacity;
};

/* Adds a name as it stands in a certificate. What can't be a host's name is passed over: an address, a wildcard that is
 * not the whole first label, foreign bytes. -ENOMEM. */
int tls_names_add(struct tls_names *names, struct span text, unsigned certificate) MUST_CHECK;
/* After the last one. Of two certificates with the same name the first has it. */
void tls_names_sort(struct tls_names *names);
void tls_names_done(struct tls_names *names);

/* The certificate for this name: by the very name, else by a wildcard for its first label (RFC 6125 section 6.4.3);
 * -1: none. */
int tls_names_find(const struct tls_names *names, struct span server_name);

#endif
