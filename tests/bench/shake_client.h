/* Clients that shake hands with one gateway from many loopback addresses, so many at a time: what bench_handshake and
 * bench_tls have in common. One process, one epoll. */
#ifndef MOONX_BENCH_SHAKE_CLIENT_H
#define MOONX_BENCH_SHAKE_CLIENT_H

#include "common/clock.h"
#include "gateway/client/ws_handshake.h"

#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHAKE_REQUEST_BYTES 8192
#define SHAKE_EVENTS        256
#define SHAKE_SOURCES       16 /* 127.0.0.10 and up */
#define SHAKE_DESCRIPTORS   20000
#define SHAKE_WAIT_MS       20000

struct shake_client {
    uint16_t port;
    unsigned count, in_flight;
    char *tokens; /* what is left of them */
    int epoll;
    char key[WS_HANDSHAKE_KEY_BYTES];
    unsigned opened, open, done, failed;
    uint64_t started_ms;
};

/* Rows for getopt_long(), for shake_option(). */
#define SHAKE_OPTIONS                                                                              \
    {"port", required_argument, NULL, 'p'}, {"count", required_argument, NULL, 'n'},               \
        {"in-flight", required_argument, NULL, 'c'}, {                                             \
        "tokens", required_argument, NULL, 't'                                                     \
    }

static char *shake_read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return text;
}

/* False: it is none of SHAKE_OPTIONS. */
static bool shake_option(struct shake_client *client, int option) {
    switch (option) {
    case 'p':
        client->port = (uint16_t)atoi(optarg);
        return true;
    case 'n':
        client->count = (unsigned)atoi(optarg);
        return true;
    case 'c':
        client->in_flight = (unsigned)atoi(optarg);
        return true;
    case 't':
        client->tokens = shake_read_file(optarg);
        return true;
    default:
        return false;
    }
}

/* 0, or -EINVAL: without these there is nothing to do. */
static int shake_begin(struct shake_client *client) {
    if (client->port == 0 || client->count == 0 || client->in_flight == 0) {
        return -EINVAL;
    }
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client->epoll < 0 || ws_handshake_key(client->key) != 0) {
        perror("shake_begin");
        exit(EXIT_FAILURE);
    }
    client->started_ms = clock_mono_ms();
    return 0;
}

/* The next socket, not connected yet; its number is less than SHAKE_DESCRIPTORS. */
static int shake_socket(struct shake_client *client) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || fd >= SHAKE_DESCRIPTORS) {
        perror("shake_socket");
        exit(EXIT_FAILURE);
    }
    client->opened++;
    client->open++;
    return fd;
}

/* Connects it; epoll tells EPOLLOUT when it is. 0 or -errno. */
static int shake_connect(const struct shake_client *client, int fd) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(client->port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    int yes = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 9 + client->opened % SHAKE_SOURCES);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    bool good = bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
                (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS) &&
                epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    return good ? 0 : -errno;
}

/* The request, with the next token in front of its closing empty line. Its length, -EMSGSIZE. */
static long shake_request(struct shake_client *client, char request[SHAKE_REQUEST_BYTES]) {
    char authority[32];
    const char *token = client->tokens != NULL ? strsep(&client->tokens, "\n") : NULL;
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", client->port);
    long length = ws_handshake_request(authority, "/ws", client->key, request, SHAKE_REQUEST_BYTES);
    if (length > 0 && token != NULL) {
        length -= 2;
        length += snprintf(request + length, SHAKE_REQUEST_BYTES - (size_t)length,
                           "Authorization: Bearer %s\r\n\r\n", token);
    }
    return length > 0 && length < SHAKE_REQUEST_BYTES ? length : -EMSGSIZE;
}

/* Whether that answer opens the connection. */
static bool shake_opens(const struct shake_client *client, struct span answer) {
    struct ws_handshake_answer seen;
    return ws_handshake_check(answer, false, client->key, &seen) == WS_HANDSHAKE_OPEN;
}

static void shake_count(struct shake_client *client, bool good) {
    client->open--;
    client->done += good;
    client->failed += !good;
}

/* By a reset: 20,000 closed in order would hold their ports for a minute. */
static void shake_close(int fd) {
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
}

static bool shake_finished(const struct shake_client *client) {
    return client->done + client->failed >= client->count;
}

/* The sockets that are ready. Their number; ends the program when nothing happens any more. */
static int shake_wait(const struct shake_client *client, struct epoll_event events[SHAKE_EVENTS]) {
    int ready = epoll_wait(client->epoll, events, SHAKE_EVENTS, SHAKE_WAIT_MS);
    if (ready <= 0) {
        fprintf(stderr, "nothing happens any more: %u done, %u failed, %u open\n", client->done,
                client->failed, client->open);
        exit(EXIT_FAILURE);
    }
    return ready;
}

static void shake_tell(const struct shake_client *client) {
    printf("{\"handshakes\":%u,\"failed\":%u,\"seconds\":%.3f}\n", client->done, client->failed,
           (double)(clock_mono_ms() - client->started_ms) / 1000.0);
    fflush(stdout);
}

#endif
