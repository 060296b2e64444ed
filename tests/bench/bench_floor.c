/* bench_floor: what the fan-out would cost if it were nothing but send(). A server that takes the same
 * connections from the same load generator (bench_load), answers the handshake, and then, a batch at a time,
 * sends k finished WebSocket frames of a 300-byte event to each socket with one send(): no rooms, no queues,
 * no users. Its CPU time for a delivery is the measure for the gateway's.
 *
 *   bench_floor --connections N [--payload BYTES]
 *
 * Says {"port":P}, then {"ready":N} when all are in; obeys `batch K RATE SECONDS` lines on its standard
 * input and answers each with one line of JSON. */
#include "common/clock.h"
#include "gateway/client/ws_handshake.h"
#include "tests/bench/stamp.h"

#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_BATCH   64
#define MAX_PAYLOAD 4096

struct floor {
    int listener, epoll;
    unsigned wanted, accepted, ready;
    int *sockets;
    size_t payload, frame_bytes;
    size_t stamp_at; /* in a frame */
    char frames[MAX_BATCH * (MAX_PAYLOAD + 4)];
};

static struct floor server;

static int open_listener(void);
static int accept_all(void);
static void make_frames(void);
static void run_batches(unsigned k, double rate, double seconds);

int main(int argc, char **argv) {
    static const struct option known[] = {{"connections", required_argument, NULL, 'n'},
                                          {"payload", required_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    server.wanted = 1000;
    server.payload = 300;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            server.wanted = (unsigned)atoi(optarg);
            break;
        case 'p':
            server.payload = (size_t)atoi(optarg);
            break;
        default:
            server.wanted = 0;
        }
    }
    if (server.wanted == 0 || server.payload < 200 || server.payload > MAX_PAYLOAD) {
        fprintf(stderr, "bench_floor: wrong usage, see the head of bench_floor.c\n");
        return 2;
    }
    server.sockets = calloc(server.wanted, sizeof(int));
    if (server.sockets == NULL || open_listener() != 0 || accept_all() != 0) {
        perror("bench_floor");
        return EXIT_FAILURE;
    }
    make_frames();
    char line[128];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        unsigned k = 0;
        double rate = 0, seconds = 0;
        if (sscanf(line, "batch %u %lf %lf", &k, &rate, &seconds) == 3 && k > 0 && k <= MAX_BATCH &&
            rate > 0) {
            run_batches(k, rate, seconds);
        }
    }
    return EXIT_SUCCESS;
}

static int open_listener(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = server.listener};
    if (server.listener < 0 || server.epoll < 0 ||
        bind(server.listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(server.listener, 4096) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &size) != 0 ||
        epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) != 0) {
        return -errno;
    }
    printf("{\"port\":%u}\n", ntohs(address.sin_port));
    fflush(stdout);
    return 0;
}

static void accept_one(void) {
    int yes = 1;
    int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= 0 && server.accepted < server.wanted) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event);
        server.sockets[server.accepted++] = fd;
    }
}

/* The request gets its 101; what comes after it is `authenticate`, and gets what ends the greeting. */
static void answer_one(int fd) {
    static const char header[] = "\r\nSec-WebSocket-Key: ";
    static const char greeting[] = "{\"type\":\"auto_subscribed\",\"data\":{\"rooms\":[]}}";
    char request[4096];
    char answer[512];
    char accept[WS_HANDSHAKE_ACCEPT_BYTES];
    ssize_t got = recv(fd, request, sizeof(request) - 1, 0);
    if (got <= 0) {
        epoll_ctl(server.epoll, EPOLL_CTL_DEL, fd, NULL);
        return;
    }
    request[got] = '\0';
    const char *key = strstr(request, header);
    int length;
    if (key != NULL) {
        ws_handshake_accept(key + sizeof(header) - 1, accept);
        length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                          accept);
    } else {
        length =
            snprintf(answer, sizeof(answer), "%c%c%s", 0x81, (int)sizeof(greeting) - 1, greeting);
        server.ready++;
        epoll_ctl(server.epoll, EPOLL_CTL_DEL, fd, NULL);
    }
    if (send(fd, answer, (size_t)length, MSG_NOSIGNAL) != length) {
        perror("bench_floor: handshake");
    }
}

static int accept_all(void) {
    struct epoll_event events[256];
    while (server.ready < server.wanted) {
        int count = epoll_wait(server.epoll, events, ARRAY_LENGTH(events), 60000);
        if (count <= 0) {
            return count == 0 ? -ETIMEDOUT : -errno;
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == server.listener) {
                accept_one();
            } else {
                answer_one(events[i].data.fd);
            }
        }
    }
    printf("{\"ready\":%u}\n", server.ready);
    fflush(stdout);
    return 0;
}

static void make_frames(void) {
    char payload[MAX_PAYLOAD + 1];
    int head = snprintf(payload, sizeof(payload),
                        "{\"id\":\"trades.floor:0:10000\",\"type\":\"trade_update\","
                        "\"timestamp\":1700000000000,\"data\":{\"tradeId\":\"1\",\"pad\":\"");
    static const char tail[] = "\"," STAMP_PUBLIC "00000000000000000000\"}}";
    size_t pad = server.payload - (size_t)head - (sizeof(tail) - 1);
    memset(payload + head, 'x', pad);
    memcpy(payload + (size_t)head + pad, tail, sizeof(tail));
    server.frame_bytes = server.payload + 4;
    server.stamp_at = 4 + server.payload - STAMP_DIGITS - 3;
    for (unsigned i = 0; i < MAX_BATCH; i++) {
        char *frame = server.frames + i * server.frame_bytes;
        frame[0] = (char)0x81;
        frame[1] = 126;
        frame[2] = (char)(server.payload >> 8);
        frame[3] = (char)(server.payload & 0xff);
        memcpy(frame + 4, payload, server.payload);
    }
}

/* A socket that is full costs a wait: it would not at the rates that are asked for, so it is counted. */
static void send_rest(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            usleep(1000);
        } else {
            return;
        }
    }
}

static double cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run_batches(unsigned k, double rate, double seconds) {
    uint64_t full = 0, late = 0;
    uint64_t batches = (uint64_t)(rate * seconds);
    size_t length = k * server.frame_bytes;
    double cpu_before = cpu_us();
    uint64_t start_ns = clock_mono_ns();
    for (uint64_t batch = 0; batch < batches; batch++) {
        uint64_t due_ns = start_ns + (uint64_t)((double)batch * 1e9 / rate);
        struct timespec due = {(time_t)(due_ns / 1000000000u), (long)(due_ns % 1000000000u)};
        late += clock_mono_ns() > due_ns && batch > 0 ? 1 : 0;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        uint64_t now_ns = clock_mono_ns();
        for (unsigned i = 0; i < k; i++) {
            stamp_write(server.frames + i * server.frame_bytes + server.stamp_at, now_ns);
        }
        for (unsigned i = 0; i < server.ready; i++) {
            ssize_t sent =
                send(server.sockets[i], server.frames, length, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent != (ssize_t)length) {
                full++;
                send_rest(server.sockets[i], server.frames + (sent > 0 ? sent : 0),
                          length - (sent > 0 ? (size_t)sent : 0));
            }
        }
    }
    double spent_us = cpu_us() - cpu_before;
    double wall_s = (double)(clock_mono_ns() - start_ns) / 1e9;
    double deliveries = (double)batches * k * server.ready;
    printf("{\"deliveries\":%.0f,\"seconds\":%.3f,\"cpu_us\":%.0f,\"cpu_us_per_delivery\":%.4f,"
           "\"late_batches\":%llu,\"full_sockets\":%llu}\n",
           deliveries, wall_s, spent_us, spent_us / deliveries, (unsigned long long)late,
           (unsigned long long)full);
    fflush(stdout);
}
