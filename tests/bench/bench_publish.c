/* bench_publish: what a client waits for that publishes. One connection publishes to a room at an even pace, others listen.
 *
 *   bench_publish --port P --secret-file FILE [--listeners L] [--rate R] [--seconds S] [--room chat:bench]
 *
 * Each message is stamped when it is sent: its id has the time, so the answer's `ref` has it too, and so has its payload.
 * Says {"sent","published","delivered","refused","ack":{…},"delivery":{…}} in microseconds: to the answer `published`, and
 * to each listener's event. Ends when all have come, or nothing has for five seconds. */
#include "common/clock.h"
#include "gateway/client/ws_handshake.h"
#include "tests/bench/histogram.h"
#include "tests/bench/load_frame.h"
#include "tests/bench/load_share.h"
#include "tests/bench/load_token.h"
#include "tests/bench/stamp.h"

#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES  65536
#define MAX_LISTENERS 64
#define WAIT_MS       5000
#define REF_KEY       "\"ref\":\""

struct peer {
    int fd;
    size_t length;
    char buffer[BUFFER_BYTES];
};

static struct {
    struct load_settings load;
    unsigned listeners;
    double rate, seconds;
    const char *room;
} settings = {.listeners = 10, .rate = 200, .seconds = 5, .room = "chat:bench"};

static struct peer peers[1 + MAX_LISTENERS]; /* the publisher first */
static struct histogram ack, delivery;
static unsigned long sent, published, delivered, refused;

typedef void frame_taker(struct peer *peer, struct span payload);

static int parse(int argc, char **argv);
static int join(struct peer *peer, unsigned user);
static int publish_first(void);
static int publish_all(void);

int main(int argc, char **argv) {
    if (parse(argc, argv) != 0) {
        fprintf(stderr, "bench_publish: wrong usage, see the head of bench_publish.c\n");
        return 2;
    }
    for (unsigned i = 0; i <= settings.listeners; i++) {
        if (join(&peers[i], i) != 0) {
            fprintf(stderr, "bench_publish: connection %u could not join\n", i);
            return EXIT_FAILURE;
        }
    }
    int result = publish_first();
    if (result == 0) {
        result = publish_all();
    }
    printf("{\"sent\":%lu,\"published\":%lu,\"delivered\":%lu,\"refused\":%lu,\"ack\":", sent,
           published, delivered, refused);
    histogram_print(stdout, &ack);
    fputs(",\"delivery\":", stdout);
    histogram_print(stdout, &delivery);
    puts("}");
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const char *read_secret(const char *path) {
    static char secret[4096];
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(secret, sizeof(secret), file) == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    secret[strcspn(secret, "\r\n")] = '\0';
    return secret;
}

static int parse(int argc, char **argv) {
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"secret-file", required_argument, NULL, 's'},
                                          {"listeners", required_argument, NULL, 'l'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"room", required_argument, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
    int option;
    settings.load.expires_s = (long long)time(NULL) + 3600;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'p':
            settings.load.port = (uint16_t)atoi(optarg);
            break;
        case 's':
            settings.load.secret = read_secret(optarg);
            settings.load.secret_length = strlen(settings.load.secret);
            break;
        case 'l':
            settings.listeners = (unsigned)atoi(optarg);
            break;
        case 'r':
            settings.rate = atof(optarg);
            break;
        case 't':
            settings.seconds = atof(optarg);
            break;
        case 'm':
            settings.room = optarg;
            break;
        default:
            return -EINVAL;
        }
    }
    bool good = settings.load.port != 0 && settings.load.secret != NULL && settings.rate > 0 &&
                settings.seconds > 0 && settings.listeners <= MAX_LISTENERS;
    return good ? 0 : -EINVAL;
}

/* ---- reading */

/* Waits for more bytes of this one; 0 or -EIO. */
static int more(struct peer *peer) {
    ssize_t got = recv(peer->fd, peer->buffer + peer->length, BUFFER_BYTES - peer->length, 0);
    if (got <= 0) {
        return -EIO;
    }
    peer->length += (size_t)got;
    return 0;
}

static void drop_front(struct peer *peer, size_t length) {
    peer->length -= length;
    memmove(peer->buffer, peer->buffer + length, peer->length);
}

/* Gives out the payloads of all whole text frames; answers pings. */
static void take_frames(struct peer *peer, frame_taker *taker) {
    size_t header = 0, size;
    while ((size = load_frame_size((unsigned char *)peer->buffer, peer->length, &header)) > 0 &&
           size <= peer->length) {
        struct span payload = {peer->buffer + header, size - header};
        unsigned opcode = (unsigned char)peer->buffer[0] & LOAD_FRAME_OPCODE;
        if (opcode == 1) {
            taker(peer, payload);
        } else if (opcode == 9 &&
                   load_send_frame(peer->fd, 10, payload.data, payload.length) != 0) {
            refused++;
        }
        drop_front(peer, size);
    }
}

/* ---- joining, one after the other */

static bool joined;

static void await_join(struct peer *peer, struct span payload) {
    (void)peer;
    joined = joined || memmem(payload.data, payload.length, "\"subscribed\"", 12) != NULL;
}

static int shake_hands(struct peer *peer) {
    char key[WS_HANDSHAKE_KEY_BYTES], request[1024], authority[32];
    struct ws_handshake_answer answer;
    enum ws_handshake_result result = WS_HANDSHAKE_MORE;
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", settings.load.port);
    if (ws_handshake_key(key) != 0) {
        return -EIO;
    }
    long length = ws_handshake_request(authority, "/ws", key, request, sizeof(request));
    if (length <= 0 || send(peer->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        return -EIO;
    }
    while (result == WS_HANDSHAKE_MORE) {
        if (more(peer) != 0) {
            return -EIO;
        }
        result = ws_handshake_check((struct span){peer->buffer, peer->length}, false, key, &answer);
    }
    if (result != WS_HANDSHAKE_OPEN) {
        return -EPROTO;
    }
    drop_front(peer, answer.head_bytes);
    return 0;
}

static int join(struct peer *peer, unsigned user) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(settings.load.port)};
    char token[LOAD_TOKEN_BYTES], message[LOAD_TOKEN_BYTES + 256];
    int yes = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0 ||
        shake_hands(peer) != 0) {
        return -EIO;
    }
    load_token_mint(&settings.load, user, token);
    int length = snprintf(message, sizeof(message),
                          "{\"id\":\"a\",\"type\":\"authenticate\",\"data\":{\"token\":\"%s\","
                          "\"channels\":[\"%s\"]}}",
                          token, settings.room);
    if (length >= (int)sizeof(message) ||
        load_send_frame(peer->fd, 1, message, (size_t)length) != 0) {
        return -EIO;
    }
    joined = false;
    take_frames(peer, await_join);
    while (!joined) {
        if (more(peer) != 0) {
            return -EIO;
        }
        take_frames(peer, await_join);
    }
    return 0;
}

/* ---- publishing */

static void count_answer(struct span payload, uint64_t now_ns) {
    const char *ref = memmem(payload.data, payload.length, REF_KEY, sizeof(REF_KEY) - 1);
    if (ref == NULL) {
        return;
    }
    if (memmem(payload.data, payload.length, "\"published\"", 11) == NULL) {
        refused++;
        return;
    }
    published++;
    histogram_count(&ack, now_ns - strtoull(ref + sizeof(REF_KEY) - 1, NULL, 10));
}

static void count_frame(struct peer *peer, struct span payload) {
    static size_t stamp_at;
    uint64_t sent_ns = 0, now_ns = clock_mono_ns();
    bool event = stamp_find(payload.data, payload.length, &stamp_at, &sent_ns) == STAMP_IS_PUBLIC;
    if (peer == &peers[0]) {
        if (!event) {
            count_answer(payload, now_ns);
        }
    } else if (event) {
        delivered++;
        histogram_count(&delivery, now_ns - sent_ns);
    }
}

static int publish_one(void) {
    char message[512], digits[STAMP_DIGITS + 1] = "";
    stamp_write(digits, clock_mono_ns());
    int length = snprintf(message, sizeof(message),
                          "{\"id\":\"%s\",\"type\":\"publish\",\"data\":{\"room\":\"%s\","
                          "\"event\":\"bench_event\",\"payload\":{" STAMP_PUBLIC "%s\"}}}",
                          digits, settings.room, digits);
    sent++;
    return load_send_frame(peers[0].fd, 1, message, (size_t)length);
}

/* Reads whatever has come until `until_ns`. False: nothing came, or somebody was closed. */
static bool read_until(uint64_t until_ns) {
    struct pollfd polled[1 + MAX_LISTENERS];
    for (unsigned i = 0; i <= settings.listeners; i++) {
        polled[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
    }
    uint64_t now_ns = clock_mono_ns(), left = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    int ready = ppoll(polled, settings.listeners + 1, &timeout, NULL);
    for (unsigned i = 0; ready > 0 && i <= settings.listeners; i++) {
        if (polled[i].revents != 0) {
            if (more(&peers[i]) != 0) {
                return false;
            }
            take_frames(&peers[i], count_frame);
        }
    }
    return ready > 0;
}

/* One that is not counted, until everybody has it: for a moment after authentication the gateway holds events back, in
 * case a client resumes. */
static int publish_first(void) {
    uint64_t end_ns = clock_mono_ns() + WAIT_MS * 1000000ull;
    if (publish_one() != 0) {
        return -EIO;
    }
    while ((published < 1 || delivered < settings.listeners) && clock_mono_ns() < end_ns) {
        (void)read_until(end_ns);
    }
    bool good = published == 1 && delivered == settings.listeners;
    sent = published = delivered = 0;
    memset(&ack, 0, sizeof(ack));
    memset(&delivery, 0, sizeof(delivery));
    return good ? 0 : -EIO;
}

static int publish_all(void) {
    unsigned long wanted = (unsigned long)(settings.rate * settings.seconds);
    uint64_t interval_ns = (uint64_t)(1e9 / settings.rate), due_ns = clock_mono_ns();
    while (sent < wanted) {
        if (clock_mono_ns() >= due_ns) {
            due_ns += interval_ns;
            if (publish_one() != 0) {
                return -EIO;
            }
        }
        (void)read_until(due_ns);
    }
    while ((published + refused < sent || delivered < sent * settings.listeners) &&
           read_until(clock_mono_ns() + WAIT_MS * 1000000ull)) {
    }
    return published == sent && delivered == sent * settings.listeners ? 0 : -EIO;
}
