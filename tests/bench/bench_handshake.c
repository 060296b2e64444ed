/* bench_handshake: WebSocket handshakes and nothing after them, and the least that a server can do about one.
 *
 *   bench_handshake --serve
 * The floor: accepts, reads the head, works out the accept key, writes the 101. Says {"port":P}; ends with its input.
 *
 *   bench_handshake --port P --count N [--in-flight C] [--tokens FILE]
 * N handshakes, C at a time, each answered by 101 and reset at once; the i-th with the i-th line of FILE as bearer token.
 * Says {"handshakes":N,"failed":F,"seconds":S}. */
#include "tests/bench/shake_client.h"

#define FLOOR_EVENTS 256

static struct shake_client client = {.in_flight = 64};
static bool asked[SHAKE_DESCRIPTORS]; /* by descriptor: the request is out */

static int serve(void);
static int shake(void);

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"serve", no_argument, NULL, 's'}, SHAKE_OPTIONS, {NULL, 0, NULL, 0}};
    int option;
    bool good = true;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 's') {
            return serve();
        }
        good = shake_option(&client, option) && good;
    }
    if (!good || client.in_flight > SHAKE_DESCRIPTORS / 2 || shake_begin(&client) != 0) {
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
    char request[SHAKE_REQUEST_BYTES + 1], answer[512], accept[WS_HANDSHAKE_ACCEPT_BYTES];
    ssize_t got = recv(fd, request, SHAKE_REQUEST_BYTES, 0);
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
    struct epoll_event events[FLOOR_EVENTS], input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = open_listener(epoll);
    if (listener < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) {
        return EXIT_FAILURE;
    }
    for (;;) {
        int ready = epoll_wait(epoll, events, FLOOR_EVENTS, -1);
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
    shake_close(fd);
    shake_count(&client, good);
}

static void open_one(void) {
    int fd = shake_socket(&client);
    asked[fd] = false;
    if (shake_connect(&client, fd) != 0) {
        end_one(fd, false);
    }
}

static void ask_one(int fd) {
    char request[SHAKE_REQUEST_BYTES];
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    long length = shake_request(&client, request);
    asked[fd] = true;
    if (length < 0 || send(fd, request, (size_t)length, MSG_NOSIGNAL) != length ||
        epoll_ctl(client.epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
        end_one(fd, false);
    }
}

static void hear_one(int fd) {
    char answer[SHAKE_REQUEST_BYTES];
    ssize_t got = recv(fd, answer, sizeof(answer), 0);
    end_one(fd, got > 0 && shake_opens(&client, (struct span){answer, (size_t)got}));
}

static int shake(void) {
    struct epoll_event events[SHAKE_EVENTS];
    while (!shake_finished(&client)) {
        while (client.open < client.in_flight && client.opened < client.count) {
            open_one();
        }
        int ready = shake_wait(&client, events);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (asked[fd]) {
                hear_one(fd);
            } else {
                ask_one(fd);
            }
        }
    }
    shake_tell(&client);
    return client.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
