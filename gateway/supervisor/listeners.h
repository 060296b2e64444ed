/* The listening sockets: a fixed number on one port (SO_REUSEPORT), owned by the supervisor and never
 * closed before it ends. The kernel spreads new connections over them; socket i is served by worker
 * i mod N. Because none is ever closed, no worker's death and no change of N resets a handshake or an
 * accept queue. Used by the supervisor alone. */
#ifndef MOONX_GATEWAY_SUPERVISOR_LISTENERS_H
#define MOONX_GATEWAY_SUPERVISOR_LISTENERS_H

#include "common/base.h"
#include "common/heritage.h"

#define LISTENERS_COUNT   HERITAGE_MAX_WORKERS
#define LISTENERS_BACKLOG 65535 /* the kernel caps it at net.core.somaxconn */

struct listeners {
    int fd[LISTENERS_COUNT];
    int admin_fd; /* of ADMIN_LISTEN, shared by all workers; -1 without */
};

/* -EINVAL when `host` is no numeric IPv4 or IPv6 address. */
int listeners_check_host(const char *host) MUST_CHECK;

/* Makes sure that nobody serves this port yet, then opens all sockets: non-blocking, close-on-exec,
 * TCP_NODELAY for what is accepted from them. On failure *out is untouched and `error` has one line that
 * says what is wrong and what to do. */
int listeners_open(const char *host, unsigned port, struct listeners *out, char *error,
                   size_t error_size) MUST_CHECK;
/* The same for ADMIN_LISTEN: one socket, after listeners_open(). `where` is HOST:PORT, an IPv6 host in brackets. */
int listeners_open_admin(const char *where, struct listeners *listeners, char *error,
                         size_t error_size) MUST_CHECK;
/* Whether it has that form. -EINVAL. */
int listeners_check_admin(const char *where) MUST_CHECK;
void listeners_close(struct listeners *listeners);

/* The sockets of worker `index` of `workers`, in order; returns how many. fd has room for all. */
unsigned listeners_share(const struct listeners *listeners, unsigned index, unsigned workers,
                         int32_t fd[LISTENERS_COUNT]);

#endif
