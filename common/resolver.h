/* libevent's resolver for a loop: names are looked up without blocking it. */
#ifndef MOONX_COMMON_RESOLVER_H
#define MOONX_COMMON_RESOLVER_H

struct event_base;
struct evdns_base;

/* The caller's, freed by evdns_base_free(). NULL: out of memory. */
struct evdns_base *resolver_new(struct event_base *base);

#endif
