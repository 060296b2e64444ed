/* Where Redis is and who we are to it, as REDIS_URL or REDIS_HOST, REDIS_PORT and REDIS_PASSWORD say. Pure but for
 * the password's file. Owned by `struct redis`.
 *
 *   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]    HOST: a name, an IPv4 address or an [IPv6 address]
 *   unix://[[USER]:PASSWORD@]/PATH
 *
 * USER, PASSWORD and PATH may have %XX in them. The password stands in a struct secret and nowhere else. */
#ifndef MOONX_GATEWAY_REDIS_REDIS_ADDRESS_H
#define MOONX_GATEWAY_REDIS_REDIS_ADDRESS_H

#include "common/option.h"
#include "common/secret.h"

struct redis_address {
    char host[256]; /* begins with / : a Unix socket */
    uint16_t port;
    unsigned database;
    char user[128];          /* "": the default user */
    struct secret *password; /* NULL: none */
};

/* 1: *out is where; 0: none is configured; -EINVAL: `error` has one line that names the option and never shows a
 * password. -errno of the file. */
int redis_address_read(const struct options *options, struct redis_address *out, char *error,
                       size_t error_size) MUST_CHECK;
bool redis_address_same(const struct redis_address *a, const struct redis_address *b);
void redis_address_done(struct redis_address *address);

#endif
