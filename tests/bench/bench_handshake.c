/* bench_handshake: WebSocket handshakes and nothing after them, and the least that a server can do about one.
 *
 *   bench_handshake --serve
 * The floor: accepts, reads the head, works out the accept key, writes the 101. Says {"port":P}; ends with its input.
 *
 *   bench_handshake --port P --count N [--in-flight C] [--tokens FILE]
 * N handshakes, C at a time, each answered by 101 and reset at once; the i-th with the i-th line of FILE as bearer token.
 * Says {"handshakes":N,"failed":F,"seconds":S}. */
#include "common/clock.h"
#include "gateway/client/ws_handshake.h"

#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES  8192
#define EVENTS      256
#define SOURCES     16 /* 127.0.0.10 and up */
#define DESCRIPTORS 20000
#define WAIT_MS     20000

static struct {
    uint16_t port;
    unsigned count, in_flight;
    char *tokens; /* what is left of them */
    int epoll;
    char key[WS_HANDSHAKE_KEY_BYTES];
    unsigned opened, open, done, failed;
    bool asked[DESCRIPTORS]; /* by descriptor: the request is out */
} client = {.in_flight = 64};

static int serve(void);
static int shake(void);

static char *read_file(const char *path) {
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

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"serve", no_argument, NULL, 's'},        {"port", required_argument, NULL, 'p'},
        {"count", required_argument, NULL, 'n'},  {"in-flight", required_argument, NULL, 'c'},
        {"tokens", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            return serve();
        case 'p':
            client.port = (uint16_t)atoi(optarg);
            break;
        case 'n':
            client.count = (unsigned)atoi(optarg);
            break;
        case 'c':
            client.in_flight = (unsigned)atoi(optarg);
            break;
        case 't':
            client.tokens = read_file(optarg);
            break;
        default:
            client.count = 0;
        }
    }
    if (client.port == 0 || client.count == 0 || client.in_flight == 0 ||
        client.in_flight > DESCRIPTORS / 2) {
        fprintf(stderr, "bench_handshake: wrong usage, see the head of bench_handshake.c\n");
        return 2;
    }
    return shake();
}

/* ---- the floor */

static int open_listener(int epoll) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        perror("bench_handshake");
        return -1;
    }
    printf("{\"port\":%u}\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void accept_some(int epoll, int listener) {
    for (int i = 0, fd; i < 64; i++) {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0) {
            return;
        }
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void answer_one(int fd) {
    static const char header[] = "\r\nSec-WebSocket-Key: ";
    char request[HEAD_BYTES + 1], answer[512], accept[WS_HANDSHAKE_ACCEPT_BYTES];
    ssize_t got = recv(fd, request, HEAD_BYTES, 0);
    if (got <= 0) {
        close(fd);
        return;
    }
    request[got] = '\0'; /* the load generator sends a head in one piece */
    const char *key = strstr(request, header);
    if (key == NULL || strstr(request, "\r\n\r\n") == NULL) {
        close(fd);
        return;
    }
    ws_handshake_accept(key + sizeof(header) - 1, accept);
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                          accept);
    if (send(fd, answer, (size_t)length, MSG_NOSIGNAL) != length) {
        close(fd);
    }
}

static int serve(void) {
    struct epoll_event events[EVENTS], input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = open_listener(epoll);
    if (listener < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) {
        return EXIT_FAILURE;
    }
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                return EXIT_SUCCESS;
            }
            if (fd == listener) {
                accept_some(epoll, listener);
            } else {
                answer_one(fd);
            }
        }
    }
}

/* ---- the clients */

static void end_one(int fd, bool good) {
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    client.open--;
    client.done += good;
    client.failed += !good;
}

static void open_one(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(client.port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 9 + client.opened % SOURCES);
    client.opened++;
    if (fd < 0 || fd >= DESCRIPTORS) {
        perror("bench_handshake: socket");
        exit(EXIT_FAILURE);
    }
    client.open++;
    client.asked[fd] = false;
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(client.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        end_one(fd, false);
    }
}

/* The request, with the next token in front of its closing empty line. */
static void ask_one(int fd) {
    char request[HEAD_BYTES], authority[32];
    const char *token = client.tokens != NULL ? strsep(&client.tokens, "\n") : NULL;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", client.port);
    long length = ws_handshake_request(authority, "/ws", client.key, request, sizeof(request));
    if (length > 0 && token != NULL) {
        length -= 2;
        length += snprintf(request + length, sizeof(request) - (size_t)length,
                           "Authorization: Bearer %s\r\n\r\n", token);
    }
    client.asked[fd] = true;
    if (length <= 0 || length >= (long)sizeof(request) ||
        send(fd, request, (size_t)length, MSG_NOSIGNAL) != length ||
        epoll_ctl(client.epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
        end_one(fd, false);
    }
}

static void hear_one(int fd) {
    char answer[HEAD_BYTES];
    struct ws_handshake_answer seen;
    ssize_t got = recv(fd, answer, sizeof(answer), 0);
    enum ws_handshake_result result =
        got > 0 ? ws_handshake_check((struct span){answer, (size_t)got}, false, client.key, &seen)
                : WS_HANDSHAKE_BAD;
    end_one(fd, result == WS_HANDSHAKE_OPEN);
}

static int shake(void) {
    struct epoll_event events[EVENTS];
    uint64_t started_ms = clock_mono_ms();
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client.epoll < 0 || ws_handshake_key(client.key) != 0) {
        return EXIT_FAILURE;
    }
    while (client.done + client.failed < client.count) {
        while (client.open < client.in_flight && client.opened < client.count) {
            open_one();
        }
        int ready = epoll_wait(client.epoll, events, EVENTS, WAIT_MS);
        if (ready <= 0) {
            fprintf(stderr, "bench_handshake: nothing happens any more\n");
            return EXIT_FAILURE;
        }
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (client.asked[fd]) {
                hear_one(fd);
            } else {
                ask_one(fd);
            }
        }
    }
    printf("{\"handshakes\":%u,\"failed\":%u,\"seconds\":%.3f}\n", client.done, client.failed,
           (double)(clock_mono_ms() - started_ms) / 1000.0);
    return client.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
