#include "gateway/connection/conn_proxy.h"

#include "common/log.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/proxy_header.h"

#include <netinet/in.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM                                                                          \
    1 /* else uthash ends the process when memory is out; hh.tbl stays NULL then */
#include <uthash.h>

#define READ_BYTES 512u /* a header is seldom longer; what is, comes in more turns */

/* What one connection's proxy has said so far. */
struct conn_proxied {
    uint32_t index; /* the connection's */
    struct proxy_header header;
    UT_hash_handle hh;
};

static struct conn_proxied *find(const struct worker *worker, const struct conn *conn) {
    struct conn_proxied *found = NULL;
    HASH_FIND(hh, worker->conns->proxied, &conn->self, sizeof(conn->self), found);
    return found;
}

static bool socket_peer(const struct conn *conn, struct sockaddr_storage *peer) {
    socklen_t length = sizeof(*peer);
    *peer = (struct sockaddr_storage){0};
    return getpeername(conn->fd, (struct sockaddr *)peer, &length) == 0;
}

int conn_proxy_begin(struct worker *worker, struct conn *conn) {
    struct sockaddr_storage peer;
    if (!worker->options->proxy_protocol) {
        return 0;
    }
    if (!socket_peer(conn, &peer)) {
        return -errno;
    }
    if (!middleware_trusts(worker, (const struct sockaddr *)&peer)) {
        return 0;
    }
    struct conn_proxied *proxied = calloc(1, sizeof(*proxied));
    if (proxied == NULL) {
        return -ENOMEM;
    }
    proxied->index = conn->self;
    HASH_ADD(hh, worker->conns->proxied, index, sizeof(proxied->index), proxied);
    if (proxied->hh.tbl == NULL) {
        free(proxied);
        return -ENOMEM;
    }
    conn->flags |= CONN_PROXIED;
    conn_set_state(worker, conn, CONN_PROXY);
    return 0;
}

static void refuse(struct worker *worker, struct conn *conn, const char *fault) {
    static struct log_rate rate = {.per_second = 1};
    stats_add(worker->stats, STAT_PROXY_HEADERS_BAD, 1);
    if (log_rate_allow(&rate)) {
        struct sockaddr_storage peer;
        char text[ADDRESS_TEXT_BYTES] = "a peer that has gone";
        struct address address;
        if (socket_peer(conn, &peer) &&
            address_of_socket((const struct sockaddr *)&peer, &address)) {
            address_text(&address, text);
        }
        log_warn("connection from %s closed, PROXY_PROTOCOL is on: %s%s", text, fault,
                 rate.left_out);
    }
    conn_kill(worker, conn);
}

/* Looks first and takes afterwards, since what follows may be read by somebody else. */
void conn_proxy_readable(struct worker *worker, struct conn *conn) {
    struct conn_proxied *proxied = find(worker, conn);
    uint8_t data[READ_BYTES];
    size_t consumed = 0;
    ssize_t got = recv(conn->fd, data, sizeof(data), MSG_DONTWAIT | MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0 || proxied == NULL) {
        conn_kill(worker, conn);
        return;
    }
    enum proxy_header_result result =
        proxy_header_feed(&proxied->header, data, (size_t)got, &consumed);
    if (result == PROXY_HEADER_BAD) {
        refuse(worker, conn, proxied->header.fault);
    } else if (recv(conn->fd, data, consumed, MSG_DONTWAIT) != (ssize_t)consumed) {
        conn_kill(worker, conn); /* these bytes were there: the socket is broken */
    } else if (result == PROXY_HEADER_DONE) {
        conn_set_state(worker, conn, conn_first_state(worker));
    }
}

void conn_proxy_timeout(struct worker *worker, struct conn *conn) {
    refuse(worker, conn, "its PROXY header did not come in time");
}

static void named_peer(const struct address *source, struct sockaddr_storage *peer) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    memcpy(&six.sin6_addr, source->bytes, sizeof(source->bytes));
    *peer = (struct sockaddr_storage){0};
    memcpy(peer, &six, sizeof(six));
}

bool conn_proxy_peer(const struct worker *worker, const struct conn *conn,
                     struct sockaddr_storage *peer) {
    const struct conn_proxied *proxied = conn->flags & CONN_PROXIED ? find(worker, conn) : NULL;
    if (proxied == NULL || proxied->header.client == PROXY_HEADER_ITSELF) {
        return socket_peer(conn, peer);
    }
    if (proxied->header.client == PROXY_HEADER_NAMED) {
        named_peer(&proxied->header.source, peer);
    } else {
        *peer = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    }
    return true;
}

void conn_proxy_forget(struct worker *worker, struct conn *conn) {
    struct conn_proxied *proxied = conn->flags & CONN_PROXIED ? find(worker, conn) : NULL;
    conn->flags &= (uint16_t)~CONN_PROXIED;
    if (proxied != NULL) {
        HASH_DEL(worker->conns->proxied, proxied);
        free(proxied);
    }
}
