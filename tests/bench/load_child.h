/* One process of the load generator: opens its share of the connections with a bounded number in flight,
 * authenticates each as its own user, then only reads. Reading is what bench_floor is measured against, too:
 * epoll, one recv of up to 256 KiB a ready socket, frame header, length, stamp. */
#ifndef MOONX_BENCH_LOAD_CHILD_H
#define MOONX_BENCH_LOAD_CHILD_H

#include "common/clock.h"
#include "gateway/client/ws_handshake.h"
#include "tests/bench/load_frame.h"
#include "tests/bench/load_inflate.h"
#include "tests/bench/load_share.h"
#include "tests/bench/load_token.h"
#include "tests/bench/stamp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOAD_READ_BYTES   (256 * 1024)
#define LOAD_SOURCES      16 /* 127.0.0.10 and up: 28,000 ephemeral ports each */
#define LOAD_EPOLL_EVENTS 512
#define LOAD_DEAF_BUFFER  4096
#define LOAD_RETRY_MS     1000u /* as AUTH_UNAVAILABLE asks: later */

enum load_state { LOAD_CONNECTING, LOAD_SHAKING, LOAD_AUTHENTICATING, LOAD_READY, LOAD_GONE };

struct load_connection {
    int fd;
    uint32_t state;
    uint64_t retry_ms; /* when it authenticates again */
    char *carry;       /* the beginning of a frame whose end has not come yet */
    size_t carry_length;
};

struct load_process {
    const struct load_settings *settings;
    struct load_share *share;
    struct load_child *child;
    unsigned count, first; /* its connections, and the number of the first */
    unsigned opened, in_flight;
    int epoll;
    struct load_connection *connections;
    size_t stamp_at;
    char key[WS_HANDSHAKE_KEY_BYTES];
    char request[1024];
    size_t request_length;
    char *buffer;
    struct load_inflater inflater;
    /* Those whom the gateway has told to come again, the earliest first: a ring of `count`. */
    struct load_connection **retries;
    unsigned retry_first, retry_count;
};

static void load_gone(struct load_process *process, struct load_connection *connection) {
    struct load_counts *counts = &process->child->counts;
    if (connection->state == LOAD_READY) {
        counts->ready--;
        counts->closed++;
    } else {
        counts->failed++;
        process->in_flight--;
    }
    connection->state = LOAD_GONE;
    close(connection->fd);
    free(connection->carry);
    connection->carry = NULL;
    connection->carry_length = 0;
}

static int load_authenticate(struct load_process *process, struct load_connection *connection) {
    char token[LOAD_TOKEN_BYTES];
    char message[LOAD_TOKEN_BYTES + LOAD_POSITION_BYTES + 128];
    const char *position = process->settings->position;
    unsigned number = process->first + (unsigned)(connection - process->connections);
    load_token_mint(process->settings, process->settings->first_user + number, token);
    int length =
        snprintf(message, sizeof(message),
                 "{\"id\":\"a\",\"type\":\"authenticate\",\"data\":{\"token\":\"%s\"%s%s}}", token,
                 position != NULL ? ",\"resume\":" : "", position != NULL ? position : "");
    return load_send_frame(connection->fd, 1, message, (size_t)length);
}

static void load_open_one(struct load_process *process) {
    struct load_connection *connection = &process->connections[process->opened];
    unsigned number = process->first + process->opened++;
    struct sockaddr_in source = {.sin_family = AF_INET};
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(process->settings->port)};
    source.sin_addr.s_addr = htonl(0x7f00000au + number % LOAD_SOURCES);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    process->in_flight++;
    connection->state = LOAD_CONNECTING;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1, small = LOAD_DEAF_BUFFER;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
    if (connection->fd < 0 ||
        setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0 ||
        (process->settings->deaf &&
         setsockopt(connection->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) != 0) ||
        bind(connection->fd, (struct sockaddr *)&source, sizeof(source)) != 0 ||
        (connect(connection->fd, (struct sockaddr *)&target, sizeof(target)) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(process->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        load_gone(process, connection);
    }
}

static int load_connected(struct load_process *process, struct load_connection *connection) {
    int status = 0;
    socklen_t size = sizeof(status);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &status, &size) != 0 || status != 0 ||
        epoll_ctl(process->epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0) {
        return -EIO;
    }
    connection->state = LOAD_SHAKING;
    ssize_t sent = send(connection->fd, process->request, process->request_length, MSG_NOSIGNAL);
    return sent == (ssize_t)process->request_length ? 0 : -EIO;
}

static void load_retry_later(struct load_process *process, struct load_connection *connection) {
    unsigned at = (process->retry_first + process->retry_count++) % process->count;
    connection->retry_ms = clock_mono_ms() + LOAD_RETRY_MS;
    process->retries[at] = connection;
    process->child->counts.retries++;
}

/* How long until the next one is due; -1: there is none. */
static int load_retry_due(struct load_process *process) {
    while (process->retry_count > 0) {
        struct load_connection *connection = process->retries[process->retry_first];
        uint64_t now_ms = clock_mono_ms();
        if (connection->retry_ms > now_ms) {
            return (int)(connection->retry_ms - now_ms);
        }
        process->retry_first = (process->retry_first + 1) % process->count;
        process->retry_count--;
        if (connection->state == LOAD_AUTHENTICATING &&
            load_authenticate(process, connection) != 0) {
            load_gone(process, connection);
        }
    }
    return -1;
}

/* A deaf one reads nothing from here on. */
static void load_ready(struct load_process *process, struct load_connection *connection) {
    connection->state = LOAD_READY;
    process->in_flight--;
    process->child->counts.ready++;
    if (process->settings->deaf) {
        epoll_ctl(process->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    }
}

static int load_before_ready(struct load_process *process, struct load_connection *connection,
                             struct span payload) {
    if (memmem(payload.data, payload.length, "\"AUTH_UNAVAILABLE\"", 18) != NULL) {
        load_retry_later(process, connection);
        return 0;
    }
    if (memmem(payload.data, payload.length, "\"auth_failed\"", 13) != NULL) {
        return -EACCES;
    }
    /* with a position it is ready only when it has been recovered */
    const char *last =
        process->settings->position == NULL ? "\"auto_subscribed\"" : "\"recovered\":true";
    if (memmem(payload.data, payload.length, "\"recovered\":false", 17) != NULL) {
        return -ESTALE;
    }
    if (memmem(payload.data, payload.length, last, strlen(last)) != NULL) {
        load_ready(process, connection);
    }
    return 0;
}

static void load_deliver(struct load_process *process, struct span payload, uint64_t now_ns) {
    struct load_child *child = process->child;
    uint64_t sent_ns = 0;
    enum stamp_kind kind = stamp_find(payload.data, payload.length, &process->stamp_at, &sent_ns);
    if (kind == STAMP_NONE) {
        child->counts.others++;
        return;
    }
    child->counts.bytes += payload.length;
    uint64_t latency = now_ns > sent_ns ? now_ns - sent_ns : 0;
    if (kind == STAMP_IS_PRIVATE) {
        child->counts.privates++;
    } else {
        child->counts.deliveries++;
    }
    if (sent_ns != 0) {
        histogram_count(kind == STAMP_IS_PRIVATE ? &child->counts.private_latency
                                                 : &child->counts.public_latency,
                        latency);
    }
}

static int load_frame(struct load_process *process, struct load_connection *connection,
                      unsigned first_byte, struct span payload, uint64_t now_ns) {
    switch (first_byte & LOAD_FRAME_OPCODE) {
    case 1:
        if ((first_byte & LOAD_FRAME_DEFLATED) != 0 &&
            load_inflate(&process->inflater, &payload) != 0) {
            return -EPROTO;
        }
        if (connection->state == LOAD_READY) {
            load_deliver(process, payload, now_ns);
            return 0;
        }
        return load_before_ready(process, connection, payload);
    case 8:
        if (payload.length >= 2) {
            process->child->last_close_code =
                (unsigned)(unsigned char)payload.data[0] << 8 | (unsigned char)payload.data[1];
        }
        return -ECONNRESET;
    case 9:
        return load_send_frame(connection->fd, 10, payload.data, payload.length);
    default:
        return 0;
    }
}

/* Gives out every whole frame; *used is where the rest begins. */
static int load_frames(struct load_process *process, struct load_connection *connection,
                       size_t length, size_t *used, uint64_t now_ns) {
    const char *data = process->buffer;
    while (*used < length) {
        size_t header = 0;
        size_t size = load_frame_size((const unsigned char *)data + *used, length - *used, &header);
        if (size > LOAD_READ_BYTES) {
            return -EPROTO;
        }
        if (size == 0 || size > length - *used) {
            return 0;
        }
        struct span payload = {data + *used + header, size - header};
        int result = load_frame(process, connection, (unsigned char)data[*used], payload, now_ns);
        if (result != 0) {
            return result;
        }
        *used += size;
    }
    return 0;
}

/* The head's own check refuses an extension that it has not asked for: with deflate it is hidden from it. */
static int load_handshake(struct load_process *process, struct load_connection *connection,
                          size_t length, size_t *used) {
    static const char offer[] = "\r\nSec-WebSocket-Extensions: permessage-deflate;";
    struct ws_handshake_answer answer;
    if (process->settings->deflate) {
        char *accepted = memmem(process->buffer, length, offer, sizeof(offer) - 1);
        if (accepted == NULL) {
            return memmem(process->buffer, length, "\r\n\r\n", 4) != NULL ? -EPROTO : 0;
        }
        accepted[2] = 'X';
    }
    switch (
        ws_handshake_check((struct span){process->buffer, length}, false, process->key, &answer)) {
    case WS_HANDSHAKE_MORE:
        return 0;
    case WS_HANDSHAKE_OPEN:
        *used = answer.head_bytes;
        connection->state = LOAD_AUTHENTICATING;
        return load_authenticate(process, connection);
    default:
        fprintf(stderr, "bench_load: handshake: %u %s\n", answer.status, answer.message);
        return -EPROTO;
    }
}

static int load_keep(struct load_connection *connection, const char *rest, size_t length) {
    if (length == 0) {
        free(connection->carry);
        connection->carry = NULL;
    } else {
        char *carry = realloc(connection->carry, length);
        if (carry == NULL) {
            return -ENOMEM;
        }
        memcpy(carry, rest, length);
        connection->carry = carry;
    }
    connection->carry_length = length;
    return 0;
}

static int load_read(struct load_process *process, struct load_connection *connection) {
    size_t have = connection->carry_length;
    if (have > 0) {
        memcpy(process->buffer, connection->carry, have);
    }
    ssize_t got = recv(connection->fd, process->buffer + have, LOAD_READ_BYTES, 0);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
    }
    struct load_child *child = process->child;
    size_t length = have + (size_t)got;
    size_t used = 0, begin;
    int result = 0;
    uint64_t now_ns = clock_mono_ns();
    if (connection->state == LOAD_SHAKING) {
        result = load_handshake(process, connection, length, &used);
    }
    begin = used;
    if (result == 0 && connection->state >= LOAD_AUTHENTICATING) {
        uint64_t before = child->counts.deliveries;
        result = load_frames(process, connection, length, &used, now_ns);
        child->counts.reads++;
        child->counts.wire += used - begin;
        if (child->counts.deliveries != before) {
            child->first_ns = child->first_ns == 0 ? now_ns : child->first_ns;
            child->last_ns = now_ns;
        }
    }
    return result != 0 ? result : load_keep(connection, process->buffer + used, length - used);
}

static void load_handle(struct load_process *process, struct load_connection *connection) {
    if (connection->state == LOAD_GONE) {
        return;
    }
    int result = connection->state == LOAD_CONNECTING ? load_connected(process, connection)
                                                      : load_read(process, connection);
    if (result != 0) {
        load_gone(process, connection);
    }
}

/* Runs until it is killed by its parent. */
static int load_child_main(struct load_process *process) {
    struct epoll_event events[LOAD_EPOLL_EVENTS];
    char authority[32];
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", process->settings->port);
    process->epoll = epoll_create1(EPOLL_CLOEXEC);
    process->connections = calloc(process->count, sizeof(*process->connections));
    process->buffer = malloc(2 * LOAD_READ_BYTES);
    process->retries = calloc(process->count, sizeof(struct load_connection *));
    if (process->epoll < 0 || process->connections == NULL || process->buffer == NULL ||
        process->retries == NULL || ws_handshake_key(process->key) != 0) {
        return EXIT_FAILURE;
    }
    long length = ws_handshake_request(authority, "/ws", process->key, process->request,
                                       sizeof(process->request));
    if (length > 0 && process->settings->deflate) { /* in front of the closing empty line */
        length -= 2;
        length += snprintf(process->request + length, sizeof(process->request) - (size_t)length,
                           "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    }
    process->request_length = length > 0 ? (size_t)length : 0;
    if (process->settings->nice != 0) {
        setpriority(PRIO_PROCESS, 0, process->settings->nice);
    }
    for (;;) {
        while (process->opened < process->count &&
               process->in_flight < process->settings->in_flight) {
            load_open_one(process);
        }
        int ready = epoll_wait(process->epoll, events, LOAD_EPOLL_EVENTS, load_retry_due(process));
        if (process->child->window_seen != process->share->window) {
            process->child->first_ns = process->child->last_ns = 0;
            process->child->window_seen = process->share->window;
        }
        for (int i = 0; i < ready; i++) {
            load_handle(process, events[i].data.ptr);
        }
    }
}

#endif
