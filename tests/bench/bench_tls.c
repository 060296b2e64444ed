/* bench_tls: WebSocket handshakes over TLS 1.3, and connections that stay.
 *
 *   bench_tls --port P --count N [--in-flight C] [--tokens FILE] [--resume] [--hold]
 * N handshakes, C at a time; the i-th with the i-th line of FILE as bearer token. Each is reset once it is answered by 101;
 * with --hold it stays open, idle, and counts when it has been told its rooms. With --resume every handshake but the first
 * resumes that one's session, else none does; one that went the other way has failed. The certificate is not verified:
 * what the server does is the same. Says {"handshakes":N,"failed":F,"seconds":S}, and with --hold ends with its input. */
#include "tests/bench/shake_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define ANSWER_BYTES 8192

struct link {
    SSL *ssl;
    char *answer; /* what has come so far */
    size_t length;
    bool asked, resumes;
};

static struct shake_client client = {.in_flight = 64};
static struct {
    bool resume, hold;
    SSL_CTX *context;
    SSL_SESSION *session;                 /* of the first connection, never used itself */
    struct link links[SHAKE_DESCRIPTORS]; /* by descriptor */
} tls;

static int parse(int argc, char **argv);
static int prepare(void);
static int keep_session(SSL *ssl, SSL_SESSION *session);
static void shake_all(void);

int main(int argc, char **argv) {
    if (parse(argc, argv) != 0 || shake_begin(&client) != 0) {
        fprintf(stderr, "bench_tls: wrong usage, see the head of bench_tls.c\n");
        return 2;
    }
    if (prepare() != 0) {
        return EXIT_FAILURE;
    }
    shake_all();
    shake_tell(&client);
    while (tls.hold && getchar() != EOF) {
    }
    return client.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int parse(int argc, char **argv) {
    static const struct option known[] = {SHAKE_OPTIONS,
                                          {"resume", no_argument, NULL, 'r'},
                                          {"hold", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    bool good = true;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        tls.resume |= option == 'r';
        tls.hold |= option == 'h';
        good = (option == 'r' || option == 'h' || shake_option(&client, option)) && good;
    }
    return good && client.in_flight + (tls.hold ? client.count : 0) < SHAKE_DESCRIPTORS - 16
               ? 0
               : -EINVAL;
}

static int prepare(void) {
    tls.context = SSL_CTX_new(TLS_client_method());
    if (tls.context == NULL || SSL_CTX_set_min_proto_version(tls.context, TLS1_3_VERSION) != 1) {
        return -ENOMEM;
    }
    SSL_CTX_set_mode(tls.context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(tls.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls.context, keep_session);
    return 0;
}

/* A copy of the first session that can be resumed: OpenSSL lets each be used once. 0: the original stays its own. */
static int keep_session(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    if (tls.resume && tls.session == NULL && SSL_SESSION_is_resumable(session)) {
        tls.session = SSL_SESSION_dup(session);
    }
    return 0;
}

static void end_one(int fd, bool good) {
    struct link *link = &tls.links[fd];
    good = good && (SSL_session_reused(link->ssl) == 1) == link->resumes;
    shake_count(&client, good);
    free(link->answer);
    link->answer = NULL;
    if (good && tls.hold) {
        epoll_ctl(client.epoll, EPOLL_CTL_DEL, fd, NULL);
        return;
    }
    SSL_free(link->ssl);
    shake_close(fd);
}

static void open_one(void) {
    int fd = shake_socket(&client);
    struct link *link = &tls.links[fd];
    *link = (struct link){.ssl = SSL_new(tls.context), .answer = malloc(ANSWER_BYTES)};
    if (link->ssl == NULL || link->answer == NULL || SSL_set_fd(link->ssl, fd) != 1) {
        exit(EXIT_FAILURE);
    }
    SSL_set_connect_state(link->ssl);
    if (tls.session != NULL) {
        SSL_SESSION *copy = SSL_SESSION_dup(tls.session);
        link->resumes = copy != NULL && SSL_set_session(link->ssl, copy) == 1;
        SSL_SESSION_free(copy);
    }
    if (shake_connect(&client, fd) != 0) {
        end_one(fd, false);
    }
}

/* 1, or what SSL_write() says. */
static int ask(struct link *link) {
    char request[SHAKE_REQUEST_BYTES];
    long length = shake_request(&client, request);
    link->asked = true; /* a fresh socket's buffer has room for all of it */
    return length > 0 && SSL_write(link->ssl, request, (int)length) == length ? 1 : -1;
}

static bool is_answered(const struct link *link) {
    return shake_opens(&client, (struct span){link->answer, link->length}) &&
           (!tls.hold || memmem(link->answer, link->length, "\"auto_subscribed\"", 17));
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
    struct link *link = &tls.links[fd];
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

/* To be resumed, a session must have come first: the first connection goes alone. */
static void shake_all(void) {
    struct epoll_event events[SHAKE_EVENTS];
    while (!shake_finished(&client)) {
        unsigned most = tls.resume && tls.session == NULL ? 1 : client.in_flight;
        while (client.open < most && client.opened < client.count) {
            open_one();
        }
        int ready = shake_wait(&client, events);
        for (int i = 0; i < ready; i++) {
            go_on(events[i].data.fd);
        }
    }
}
