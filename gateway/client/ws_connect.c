#include "gateway/client/ws_connect.h"
#include "common/clock.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_any(const struct ws_url *url, uint64_t deadline_ms, int *fd, char *error,
                       size_t error_size);
static int start_tls(struct ws_connect *connection, const char *host,
                     const struct ws_tls_trust *trust, uint64_t deadline_ms, char *error,
                     size_t error_size);
static int shake_hands(struct ws_connect *connection, const struct ws_url *url,
                       uint64_t deadline_ms, char *error, size_t error_size);

int ws_connect_open(const struct ws_url *url, const struct ws_tls_trust *trust, unsigned timeout_ms,
                    struct ws_connect *out, char *error, size_t error_size) {
    uint64_t deadline_ms = clock_mono_ms() + timeout_ms;
    *out = (struct ws_connect){.fd = -1};
    int result = connect_any(url, deadline_ms, &out->fd, error, error_size);
    if (result == 0 && url->tls) {
        result = start_tls(out, url->host, trust, deadline_ms, error, error_size);
    }
    if (result == 0) {
        result = shake_hands(out, url, deadline_ms, error, error_size);
    }
    if (result != 0) {
        ws_connect_close(out);
    }
    return result;
}

void ws_connect_close(struct ws_connect *connection) {
    ws_tls_free(connection->tls);
    connection->tls = NULL;
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
}

ssize_t ws_connect_read(struct ws_connect *connection, void *buffer, size_t size) {
    if (connection->tls != NULL) {
        return ws_tls_read(connection->tls, buffer, size);
    }
    ssize_t got = recv(connection->fd, buffer, size, 0);
    return got >= 0 ? got : -errno;
}

ssize_t ws_connect_write(struct ws_connect *connection, const void *data, size_t length) {
    if (connection->tls != NULL) {
        return ws_tls_write(connection->tls, data, length);
    }
    ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
    return sent >= 0 ? sent : -errno;
}

/* Waits for `events` until the deadline. 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, uint64_t deadline_ms) {
    for (;;) {
        uint64_t now = clock_mono_ms();
        if (now >= deadline_ms) {
            return -ETIMEDOUT;
        }
        struct pollfd poller = {.fd = fd, .events = events};
        int ready = poll(&poller, 1, (int)(deadline_ms - now));
        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

static int connect_one(const struct addrinfo *address, uint64_t deadline_ms, int *out) {
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int result = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : -errno;
    if (result == -EINPROGRESS) {
        int status = 0;
        socklen_t size = sizeof(status);
        result = wait_for(fd, POLLOUT, deadline_ms);
        if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &size) == 0) {
            result = -status;
        }
    }
    if (result != 0) {
        close(fd);
        return result;
    }
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    *out = fd;
    return 0;
}

static int connect_any(const struct ws_url *url, uint64_t deadline_ms, int *fd, char *error,
                       size_t error_size) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int status = getaddrinfo(url->host, url->port, &hints, &addresses);
    if (status != 0) {
        snprintf(error, error_size, "%s: %s", url->host, gai_strerror(status));
        return -EHOSTUNREACH;
    }
    int result = -EHOSTUNREACH;
    for (const struct addrinfo *at = addresses; at != NULL && result != 0; at = at->ai_next) {
        result = connect_one(at, deadline_ms, fd);
    }
    freeaddrinfo(addresses);
    if (result == -ETIMEDOUT) {
        snprintf(error, error_size, "no connection within the timeout");
    } else if (result != 0) {
        snprintf(error, error_size, "%s", strerror(-result));
    }
    return result;
}

static int start_tls(struct ws_connect *connection, const char *host,
                     const struct ws_tls_trust *trust, uint64_t deadline_ms, char *error,
                     size_t error_size) {
    int result = ws_tls_new(trust, host, connection->fd, &connection->tls, error, error_size);
    if (result != 0) {
        return result;
    }
    while ((result = ws_tls_handshake(connection->tls, error, error_size)) > 0) {
        int waited = wait_for(connection->fd, (short)result, deadline_ms);
        if (waited != 0) {
            snprintf(error, error_size, "TLS: %s", strerror(-waited));
            return waited;
        }
    }
    return result;
}

static int send_all(struct ws_connect *connection, const char *data, size_t length,
                    uint64_t deadline_ms) {
    while (length > 0) {
        ssize_t sent = ws_connect_write(connection, data, length);
        if (sent > 0) {
            data += sent;
            length -= (size_t)sent;
            continue;
        }
        int result = sent == -EAGAIN ? wait_for(connection->fd, POLLOUT, deadline_ms)
                                     : (sent == 0 ? -ECONNRESET : (int)sent);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* Reads until the answer can be judged; what came behind its head stays in `early`. */
static int read_answer(struct ws_connect *connection, const char *key, uint64_t deadline_ms,
                       enum ws_handshake_result *verdict, struct ws_handshake_answer *answer) {
    size_t have = 0;
    bool ended = false;
    while (*verdict == WS_HANDSHAKE_MORE) {
        ssize_t got =
            ws_connect_read(connection, connection->early + have, sizeof(connection->early) - have);
        if (got == -EAGAIN) {
            int result = wait_for(connection->fd, POLLIN, deadline_ms);
            if (result != 0) {
                return result;
            }
            continue;
        }
        if (got < 0 && got != -ECONNRESET) {
            return (int)got;
        }
        ended = got <= 0;
        have += got > 0 ? (size_t)got : 0;
        *verdict = ws_handshake_check((struct span){connection->early, have}, ended, key, answer);
    }
    connection->early_at = answer->head_bytes;
    connection->early_end = have;
    return 0;
}

static int shake_hands(struct ws_connect *connection, const struct ws_url *url,
                       uint64_t deadline_ms, char *error, size_t error_size) {
    char key[WS_HANDSHAKE_KEY_BYTES];
    char request[2048];
    struct ws_handshake_answer answer = {0};
    enum ws_handshake_result verdict = WS_HANDSHAKE_MORE;
    long length = -EIO;
    if (ws_handshake_key(key) == 0) {
        length = ws_handshake_request(url->authority, url->target, key, request, sizeof(request));
    }
    int result =
        length < 0 ? (int)length : send_all(connection, request, (size_t)length, deadline_ms);
    if (result == 0) {
        result = read_answer(connection, key, deadline_ms, &verdict, &answer);
    }
    if (result == -ETIMEDOUT) {
        snprintf(error, error_size, "no answer to the handshake within the timeout");
    } else if (result != 0) {
        snprintf(error, error_size, "handshake: %s", strerror(-result));
    } else if (verdict == WS_HANDSHAKE_REFUSED) {
        snprintf(error, error_size, "HTTP %u: %s", answer.status, answer.message);
        result = answer.status == 429 || answer.status >= 500 ? -EBUSY : -EACCES;
    } else if (verdict == WS_HANDSHAKE_BAD) {
        snprintf(error, error_size, "handshake: %s", answer.message);
        result = -EPROTO;
    }
    return result;
}
