/* Internet addresses and lists of networks. Pure. A list is owned by whoever made it, a worker's for as long as
 * the worker lives.
 *
 * IPv4 is kept in its v4-mapped form (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that a client counts as the
 * same one whether the listening socket is IPv4 or IPv6, and so that there is one way to compare. */
#ifndef MOONX_GATEWAY_ACCESS_ADDRESS_H
#define MOONX_GATEWAY_ACCESS_ADDRESS_H

#include "common/base.h"

#include <sys/socket.h>

#define ADDRESS_LIST_MAX   1024
#define ADDRESS_TEXT_BYTES 46

struct address {
    uint8_t bytes[16];
};

struct address_list;

/* False for a socket that is no internet socket, or NULL. */
bool address_of_socket(const struct sockaddr *from, struct address *out);
/* "192.0.2.1" or "2001:db8::1", nothing around it; no zone, no leading zeros. */
bool address_of_text(struct span text, struct address *out);
/* As one writes it, IPv4 in its own form; `text` has room for ADDRESS_TEXT_BYTES. */
void address_text(const struct address *address, char *text);
bool address_is_loopback(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

/* Networks "10.0.0.0/8" and addresses, separated by commas, blanks around them allowed; "" is an empty list.
 * `option` is named in `error`, one line, when an element is wrong. A network with bits behind its prefix is
 * refused: it is a slip more often than not. */
int address_list_new(const char *option, const char *text, struct address_list **out, char *error,
                     size_t error_size) MUST_CHECK;
void address_list_free(struct address_list *list);
/* NULL is an empty list. */
bool address_list_empty(const struct address_list *list);
bool address_list_has(const struct address_list *list, const struct address *address);

#endif
