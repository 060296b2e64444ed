/* bench_tls: WebSocket handshakes over TLS 1.3, and connections that stay.
 *
 *   bench_tls --port P --count N [--in-flight C] [--tokens FILE] [--resume] [--hold]
 * N handshakes, C at a time; the i-th with the i-th line of FILE as bearer token. Each is reset once it is answered by 101;
 * with --hold it stays open, idle, and counts when it has been told its rooms. With --resume every handshake but the first
 * resumes that one's session, else none does; one that went the other way has failed. The certificate is not verified:
 * what the server does is the same. Says {"handshakes":N,"failed":F,"seconds":S}, and with --hold ends with its input. */
#include "common/clock.h"
#include "gateway/client/ws_handshake.h"

#include <getopt.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES  8192
#define REQUEST_BYTES 8192
#define EVENTS        256
#define SOURCES       16 /* 127.0.0.10 and up */
#define DESCRIPTORS   20000
#define WAIT_MS       20000

struct link {
    SSL *ssl;
    char *answer; /* what has come so far */
    size_t length;
    bool asked, resumes;
};

static struct {
    uint16_t port;
    unsigned count, in_flight;
    char *tokens; /* what is left of them */
    bool resume, hold;
    SSL_CTX *context;
    SSL_SESSION *session; /* of the first connection, never used itself */
    int epoll;
    char key[WS_HANDSHAKE_KEY_BYTES];
    unsigned opened, open, done, failed;
    struct link links[DESCRIPTORS]; /* by descriptor */
} client = {.in_flight = 64};

static int parse(int argc, char **argv);
static int keep_session(SSL *ssl, SSL_SESSION *session);
static int shake_all(void);

int main(int argc, char **argv) {
    if (parse(argc, argv) != 0) {
        fprintf(stderr, "bench_tls: wrong usage, see the head of bench_tls.c\n");
        return 2;
    }
    client.context = SSL_CTX_new(TLS_client_method());
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client.context == NULL || client.epoll < 0 || ws_handshake_key(client.key) != 0 ||
        SSL_CTX_set_min_proto_version(client.context, TLS1_3_VERSION) != 1) {
        return EXIT_FAILURE;
    }
    SSL_CTX_set_mode(client.context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(client.context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client.context, keep_session);
    uint64_t started_ms = clock_mono_ms();
    if (shake_all() != 0) {
        fprintf(stderr, "bench_tls: nothing happens any more\n");
        return EXIT_FAILURE;
    }
    printf("{\"handshakes\":%u,\"failed\":%u,\"seconds\":%.3f}\n", client.done, client.failed,
           (double)(clock_mono_ms() - started_ms) / 1000.0);
    fflush(stdout);
    while (client.hold && getchar() != EOF) {
    }
    return client.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

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

static int parse(int argc, char **argv) {
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"in-flight", required_argument, NULL, 'c'},
                                          {"tokens", required_argument, NULL, 't'},
                                          {"resume", no_argument, NULL, 'r'},
                                          {"hold", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
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
        case 'r':
            client.resume = true;
            break;
        case 'h':
            client.hold = true;
            break;
        default:
            return -EINVAL;
        }
    }
    bool good = client.port != 0 && client.count > 0 && client.in_flight > 0 &&
                client.in_flight + (client.hold ? client.count : 0) < DESCRIPTORS - 16;
    return good ? 0 : -EINVAL;
}

/* A copy of the first session that can be resumed: OpenSSL lets each be used once. 0: the original stays its own. */
static int keep_session(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    if (client.resume && client.session == NULL && SSL_SESSION_is_resumable(session)) {
        client.session = SSL_SESSION_dup(session);
    }
    return 0;
}

static void end_one(int fd, bool good) {
    const struct linger reset = {.l_onoff = 1};
    struct link *link = &client.links[fd];
    good = good && (SSL_session_reused(link->ssl) == 1) == link->resumes;
    client.open--;
    client.done += good;
    client.failed += !good;
    free(link->answer);
    link->answer = NULL;
    if (good && client.hold) {
        epoll_ctl(client.epoll, EPOLL_CTL_DEL, fd, NULL);
        return;
    }
    SSL_free(link->ssl);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
}

static void open_one(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(client.port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 9 + client.opened % SOURCES);
    client.opened++;
    client.open++;
    if (fd < 0 || fd >= DESCRIPTORS) {
        perror("bench_tls: socket");
        exit(EXIT_FAILURE);
    }
    struct link *link = &client.links[fd];
    *link = (struct link){.ssl = SSL_new(client.context), .answer = malloc(ANSWER_BYTES)};
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    if (link->ssl == NULL || link->answer == NULL || SSL_set_fd(link->ssl, fd) != 1) {
        exit(EXIT_FAILURE);
    }
    SSL_set_connect_state(link->ssl);
    if (client.session != NULL) {
        SSL_SESSION *copy = SSL_SESSION_dup(client.session);
        link->resumes = copy != NULL && SSL_set_session(link->ssl, copy) == 1;
        SSL_SESSION_free(copy);
    }
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(client.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        end_one(fd, false);
    }
}

/* The request, with the next token in front of its closing empty line. 1, or what SSL_write() says. */
static int ask(struct link *link) {
    char request[REQUEST_BYTES], authority[32];
    const char *token = client.tokens != NULL ? strsep(&client.tokens, "\n") : NULL;
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", client.port);
    long length = ws_handshake_request(authority, "/ws", client.key, request, sizeof(request));
    if (length > 0 && token != NULL) {
        length -= 2;
        length += snprintf(request + length, sizeof(request) - (size_t)length,
                           "Authorization: Bearer %s\r\n\r\n", token);
    }
    if (length <= 0 || length >= (long)sizeof(request)) {
        return -1;
    }
    link->asked = true; /* a fresh socket's buffer has room for all of it */
    return SSL_write(link->ssl, request, (int)length) == length ? 1 : -1;
}

static bool is_answered(const struct link *link) {
    struct ws_handshake_answer seen;
    bool open = ws_handshake_check((struct span){link->answer, link->length}, false, client.key,
                                   &seen) == WS_HANDSHAKE_OPEN;
    return open && (!client.hold || memmem(link->answer, link->length, "\"auto_subscribed\"", 17));
}

/* Reads as long as something is there: a ticket comes in a record of its own, behind the answer to nothing. */
static int hear(struct link *link) {
    while (link->length < ANSWER_BYTES) {
        int got =
            SSL_read(link->ssl, link->answer + link->length, (int)(ANSWER_BYTES - link->length));
        if (got <= 0) {
            return got;
        }
        link->length += (size_t)got;
        if (is_answered(link)) {
            return 1;
        }
    }
    return -1;
}

/* Goes as far as it can: handshake, request, answer. */
static void go_on(int fd) {
    struct link *link = &client.links[fd];
    ERR_clear_error();
    int result = link->asked ? 1 : SSL_do_handshake(link->ssl);
    if (result == 1 && !link->asked) {
        result = ask(link);
    }
    if (result == 1) {
        result = hear(link);
    }
    if (result == 1) {
        end_one(fd, true);
        return;
    }
    int wants = SSL_get_error(link->ssl, result);
    struct epoll_event event = {.events = wants == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN,
                                .data.fd = fd};
    if ((wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) ||
        epoll_ctl(client.epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
        end_one(fd, false);
    }
}

/* To be resumed, a session must have come first: the first connection goes alone. 0 or -ETIMEDOUT. */
static int shake_all(void) {
    struct epoll_event events[EVENTS];
    while (client.done + client.failed < client.count) {
        unsigned most = client.resume && client.session == NULL ? 1 : client.in_flight;
        while (client.open < most && client.opened < client.count) {
            open_one();
        }
        int ready = epoll_wait(client.epoll, events, EVENTS, WAIT_MS);
        if (ready <= 0) {
            return -ETIMEDOUT;
        }
        for (int i = 0; i < ready; i++) {
            go_on(events[i].data.fd);
        }
    }
    return 0;
}
