#include "common/resolver.h"

#include <event2/dns.h>

/* Without a resolv.conf numeric addresses and /etc/hosts still work. */
struct evdns_base *resolver_new(struct event_base *base) {
    struct evdns_base *dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS);

    if (dns == NULL) {
        dns = evdns_base_new(base, 0);
        if (dns != NULL) {
            (void)evdns_base_load_hosts(dns, "/etc/hosts");
        }
    }
    return dns;
}
