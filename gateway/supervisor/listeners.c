#include "gateway/supervisor/listeners.h"

#include "gateway/supervisor/port_owner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_BYTES 64
/* What a socket keeps of a client that reads nothing, beyond what is on its way: by default the kernel grows that to
 * 4 MB, and a thousand of them (1.5 GB) put the whole host's TCP under memory pressure. Enough for who is busy for a
 * moment: behind it a client counts as slow. */
#define NOT_SENT_BYTES 524288

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t length;
};

static int address_from(const char *host, unsigned port, struct address *out);
static int probe(const struct address *address);
static int open_one(const struct address *address);
static void explain(int failure, const char *host, unsigned port, char *error, size_t error_size);

int listeners_check_host(const char *host) {
    struct address address;
    return address_from(host, 1, &address);
}

int listeners_open(const char *host, unsigned port, struct listeners *out, char *error,
                   size_t error_size) {
    struct listeners made = {.admin_fd = -1};
    struct address address = {0};
    unsigned opened = 0;
    int result = address_from(host, port, &address);
    if (result == 0) {
        result = probe(&address);
    }
    while (result == 0 && opened < LISTENERS_COUNT) {
        made.fd[opened] = open_one(&address);
        if (made.fd[opened] < 0) {
            result = made.fd[opened];
            break;
        }
        opened++;
    }
    if (result == 0) {
        *out = made;
        return 0;
    }
    while (opened > 0) {
        close(made.fd[--opened]);
    }
    explain(result, host, port, error, error_size);
    return result;
}

/* Its last colon parts the two. */
static int split_admin(const char *where, char host[HOST_BYTES], unsigned *port) {
    const char *colon = strrchr(where, ':');
    size_t length = colon != NULL ? (size_t)(colon - where) : 0;
    bool bracketed = length > 2 && where[0] == '[' && where[length - 1] == ']';
    char *end = NULL;
    if (length == 0 || length >= HOST_BYTES || colon[1] < '0' || colon[1] > '9') {
        return -EINVAL;
    }
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number < 1 || number > 65535 ||
        (!bracketed && memchr(where, ':', length) != NULL)) {
        return -EINVAL;
    }
    snprintf(host, HOST_BYTES, "%.*s", (int)(bracketed ? length - 2 : length),
             bracketed ? where + 1 : where);
    *port = (unsigned)number;
    return 0;
}

int listeners_check_admin(const char *where) {
    char host[HOST_BYTES];
    unsigned port;
    int result = split_admin(where, host, &port);
    return result == 0 ? listeners_check_host(host) : result;
}

int listeners_open_admin(const char *where, struct listeners *listeners, char *error,
                         size_t error_size) {
    char host[HOST_BYTES] = "";
    unsigned port = 0;
    struct address address = {0};
    int result = split_admin(where, host, &port);
    if (result == 0) {
        result = address_from(host, port, &address);
    }
    if (result == 0) {
        result = probe(&address);
    }
    if (result == 0) {
        result = open_one(&address);
    }
    if (result < 0) {
        snprintf(error, error_size, "ADMIN_LISTEN: \"%s\": can't listen there: %s", where,
                 strerror(-result));
        return result;
    }
    listeners->admin_fd = result;
    return 0;
}

void listeners_close(struct listeners *listeners) {
    if (listeners->admin_fd >= 0) {
        close(listeners->admin_fd);
        listeners->admin_fd = -1;
    }
    for (unsigned i = 0; i < LISTENERS_COUNT; i++) {
        close(listeners->fd[i]);
        listeners->fd[i] = -1;
    }
}

unsigned listeners_share(const struct listeners *listeners, unsigned index, unsigned workers,
                         int32_t fd[LISTENERS_COUNT]) {
    unsigned count = 0;
    for (unsigned i = index; i < LISTENERS_COUNT; i += workers) {
        fd[count++] = listeners->fd[i];
    }
    return count;
}

static int address_from(const char *host, unsigned port, struct address *out) {
    struct address made = {0};
    if (inet_pton(AF_INET, host, &made.socket.v4.sin_addr) == 1) {
        made.socket.v4.sin_family = AF_INET;
        made.socket.v4.sin_port = htons((uint16_t)port);
        made.length = sizeof(made.socket.v4);
    } else if (inet_pton(AF_INET6, host, &made.socket.v6.sin6_addr) == 1) {
        made.socket.v6.sin6_family = AF_INET6;
        made.socket.v6.sin6_port = htons((uint16_t)port);
        made.length = sizeof(made.socket.v6);
    } else {
        return -EINVAL;
    }
    *out = made;
    return 0;
}

static int set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* SO_REUSEADDR: connections of a predecessor that linger in TIME_WAIT or FIN_WAIT must not forbid a
 * restart. It does not weaken the probe: a socket in LISTEN always conflicts. */
static int new_socket(const struct address *address, int *out) {
    int family = address->socket.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int result = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (result == 0 && family == AF_INET6) {
        /* `::` serves IPv4 too, whatever net.ipv6.bindv6only says */
        result = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    if (result < 0) {
        close(fd);
        return result;
    }
    *out = fd;
    return 0;
}

static int bind_to(int fd, const struct address *address) {
    return bind(fd, &address->socket.any, address->length) == 0 ? 0 : -errno;
}

/* A second process of the same user binds a SO_REUSEPORT port without an error and would silently take a
 * share of the connections; a bind without that option notices. */
static int probe(const struct address *address) {
    int fd = -1;
    int result = new_socket(address, &fd);
    if (result == 0) {
        result = bind_to(fd, address);
        close(fd);
    }
    return result;
}

static int open_one(const struct address *address) {
    int fd = -1;
    int result = new_socket(address, &fd);
    if (result < 0) {
        return result;
    }
    result = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (result == 0) {
        result =
            set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit these two */
    }
    if (result == 0) {
        result = set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT_BYTES);
    }
    if (result == 0) {
        result = bind_to(fd, address);
    }
    if (result == 0 && listen(fd, LISTENERS_BACKLOG) != 0) {
        result = -errno;
    }
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

static void explain_busy(const char *host, unsigned port, char *error, size_t error_size) {
    struct port_owner owner;
    char by[64] = "";
    if (port_owner_find(port, &owner) == 0) {
        snprintf(by, sizeof(by), " (by %d %s)", (int)owner.pid, owner.name);
    }
    snprintf(error, error_size, "port %u on %s is in use%s; stop it or choose another with --port",
             port, host, by);
}

static void explain(int failure, const char *host, unsigned port, char *error, size_t error_size) {
    if (failure == -EADDRINUSE) {
        explain_busy(host, port, error, error_size);
        return;
    }
    const char *advice = "see --host and --port";
    if (failure == -EADDRNOTAVAIL) {
        advice = "no interface of this machine has that address; choose another with --host";
    } else if (failure == -EACCES) {
        advice = "choose a port above 1023 with --port or grant CAP_NET_BIND_SERVICE";
    } else if (failure == -EMFILE || failure == -ENFILE) {
        advice = "raise the limit of open files";
    }
    snprintf(error, error_size, "can't listen on port %u of %s: %s; %s", port, host,
             strerror(-failure), advice);
}
