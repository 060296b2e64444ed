#include "gateway/client/run.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/code_table.h"
#include "gateway/client/input.h"
#include "gateway/client/session_handle.h"
#include "gateway/client/summary.h"

#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000u
#define CLOSE_WAIT_MS      1000u
#define BACKOFF_FIRST_MS   500u
#define BACKOFF_MOST_MS    15000u

enum outcome { GOES_ON, DONE, FAILED, AGAIN };

struct run {
    const struct arguments *arguments;
    struct session session;
    struct ws_client *client; /* NULL between connections */
    struct input input;
    struct backoff backoff;
    int signal_fd;
    sigset_t signals;         /* that signal_fd tells */
    uint64_t deadline_ms;     /* of --timeout; 0: none */
    uint64_t close_ms;        /* a Close was sent: how long its answer may take; 0: none was */
    enum outcome when_closed; /* what it comes to then */
};

static enum outcome connect_once(struct run *run);
static enum outcome converse(struct run *run);
static enum outcome wait_to_return(struct run *run);
static void start(struct run *run, const struct arguments *arguments);
static int finish(struct run *run, enum outcome outcome);

int run(const struct arguments *arguments, struct token *token) {
    struct run run = {.arguments = arguments};
    enum outcome outcome = AGAIN;
    if (session_init(&run.session, arguments, token) != 0) {
        fprintf(stderr, "moonx-client: out of memory\n");
        return EXIT_FAILURE;
    }
    start(&run, arguments);
    while (outcome == AGAIN) {
        outcome = connect_once(&run);
        if (outcome == GOES_ON) {
            outcome = converse(&run);
        }
        if (outcome == AGAIN) {
            outcome = wait_to_return(&run);
        }
    }
    return finish(&run, outcome);
}

/* What the command line has to say is said as soon as there is somebody to say it to. */
static void add_messages(struct run *run) {
    const struct arguments *arguments = run->arguments;
    for (unsigned i = 0; i < arguments->message_count; i++) {
        const struct arguments_message *given = &arguments->messages[i];
        struct composed message;
        char error[256] = "out of memory";
        int result = given->line != NULL
                         ? compose_line(span_of(given->line), &message, error, sizeof(error))
                         : compose_publish(given->room, given->event, given->payload, &message,
                                           error, sizeof(error));
        if (result != 0) {
            fprintf(stderr, "moonx-client: %s %s: %s\n",
                    given->line != NULL ? "--send" : "--publish",
                    given->line != NULL ? given->line : given->payload,
                    result == -ENODATA ? "is empty" : error);
            exit(ARGUMENTS_EXIT_USAGE);
        }
        session_say(&run->session, &message);
    }
}

static void start(struct run *run, const struct arguments *arguments) {
    sigemptyset(&run->signals);
    sigaddset(&run->signals, SIGINT);
    sigaddset(&run->signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &run->signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* of a TLS socket and of stdout: both are told by their calls */
    run->signal_fd = signalfd(-1, &run->signals, SFD_NONBLOCK | SFD_CLOEXEC);
    run->backoff = (struct backoff){.first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS};
    run->input.fd = arguments->read_stdin || isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : -1;
    if (arguments->timeout_ms > 0) {
        run->deadline_ms = clock_mono_ms() + arguments->timeout_ms;
    }
    add_messages(run);
}

static int finish(struct run *run, enum outcome outcome) {
    struct session *session = &run->session;
    bool good = outcome == DONE && !session_refused(session);
    bool unwritten = fflush(stdout) != 0;
    if (run->arguments->summary) {
        summary_print(stderr, session);
    }
    if (arguments_await(run->arguments) && !session_complete(session)) {
        session_tell_missing(session);
        good = false;
    }
    session_done(session);
    input_free(&run->input);
    close(run->signal_fd);
    return good && !unwritten ? EXIT_SUCCESS : EXIT_FAILURE;
}

static unsigned time_left(const struct run *run, unsigned most_ms) {
    uint64_t now = clock_mono_ms();
    if (run->deadline_ms == 0 || run->deadline_ms > now + most_ms) {
        return most_ms;
    }
    return run->deadline_ms > now ? (unsigned)(run->deadline_ms - now) : 0;
}

/* A failure that another time may cure, and somebody who wants to wait for that. */
static bool worth_another(const struct run *run, int result) {
    bool curable = result != -EACCES && result != -EPROTO && result != -ENOMEM;
    bool wanted = run->arguments->reconnect_asked ||
                  (run->arguments->reconnect && run->session.connections > 0);
    return curable && wanted && (run->deadline_ms == 0 || clock_mono_ms() < run->deadline_ms);
}

static enum outcome connect_once(struct run *run) {
    char error[512];
    sigset_t blocked;
    /* nothing to close yet: Ctrl-C just ends it, however long an answer takes */
    sigprocmask(SIG_UNBLOCK, &run->signals, &blocked);
    int result = ws_client_open(&run->arguments->url, &run->arguments->trust,
                                time_left(run, CONNECT_TIMEOUT_MS), session_message, &run->session,
                                &run->client, error, sizeof(error));
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    if (result != 0) {
        fprintf(stderr, "moonx-client: %s: %s\n", run->arguments->url_text, error);
        return worth_another(run, result) ? AGAIN : FAILED;
    }
    run->close_ms = 0;
    session_connected(&run->session, run->client);
    return GOES_ON;
}

static void begin_close(struct run *run, const char *reason, enum outcome when_closed) {
    if (run->close_ms != 0) {
        return;
    }
    run->close_ms = clock_mono_ms() + CLOSE_WAIT_MS;
    run->when_closed = when_closed;
    if (ws_client_close(run->client, CLOSE_NORMAL, reason) != 0) {
        run->close_ms = 1; /* can't be said: gone without */
    }
}

/* Closes of a server that is going, overloaded or broken; others are meant for this client. */
static bool may_come_back(int result, unsigned code) {
    static const unsigned codes[] = {CLOSE_GOING_AWAY, CLOSE_SERVER_ERROR, CLOSE_SERVICE_RESTART,
                                     CLOSE_TRY_AGAIN_LATER};
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        if (result == 1 && code == codes[i]) {
            return true;
        }
    }
    return result < 0 && result != -EPROTO;
}

/* The connection is over: what turn() said, and what that comes to. */
static enum outcome judge_end(struct run *run, int result, const struct ws_client_closed *closed) {
    if (run->close_ms != 0) {
        return run->when_closed;
    }
    if (result == 1) {
        fprintf(stderr, "moonx-client: closed by the server: %u ", closed->code);
        print_clean(stderr, span_of(closed->reason), SIZE_MAX);
        fputc('\n', stderr);
    } else if (result == -ECONNRESET) {
        fprintf(stderr, "moonx-client: the connection was cut (close code 1006)\n");
    } else {
        fprintf(stderr, "moonx-client: %s\n",
                result == -EPROTO ? "the server broke the WebSocket protocol" : strerror(-result));
    }
    if (run->arguments->reconnect && may_come_back(result, closed->code)) {
        return AGAIN;
    }
    return result == 1 && closed->code == CLOSE_NORMAL ? DONE : FAILED;
}

/* What the session has come to. */
static void heed_verdict(struct run *run) {
    struct session *session = &run->session;
    bool sent =
        (ws_client_wants(run->client) & POLLOUT) == 0; /* a Close overtakes what is queued */
    if (session->input_ended && sent && session->verdict == SESSION_GOES_ON &&
        session_complete(session)) {
        session->verdict = SESSION_COMPLETE;
    }
    if (session->verdict == SESSION_COMPLETE) {
        begin_close(run, "done", DONE);
    } else if (session->verdict == SESSION_TURNED_OUT) {
        begin_close(run, "", FAILED);
    } else if (session->verdict == SESSION_COME_BACK) {
        begin_close(run, "", run->arguments->reconnect ? AGAIN : FAILED);
    }
}

/* GOES_ON, or what the end of the time given comes to. */
static enum outcome heed_time(struct run *run, uint64_t now) {
    if (run->close_ms != 0) {
        return now < run->close_ms ? GOES_ON : run->when_closed;
    }
    if (run->deadline_ms != 0 && now >= run->deadline_ms) {
        fprintf(stderr, "moonx-client: timeout after %lu events\n", run->session.events);
        begin_close(run, "timeout", FAILED);
    } else if (session_is_dead(&run->session, now)) {
        fprintf(stderr, "moonx-client: the server has fallen silent\n");
        return run->arguments->reconnect ? AGAIN : FAILED;
    }
    session_tick(&run->session, now);
    return GOES_ON;
}

/* Lines go as far as there is room for what is not answered yet. */
static void take_lines(struct run *run) {
    struct session *session = &run->session;
    struct span line;
    while (run->close_ms == 0 && !requests_full(&session->requests) &&
           input_next(&run->input, &line)) {
        struct composed message;
        char error[256] = "out of memory";
        int result = compose_line(line, &message, error, sizeof(error));
        if (result == 0) {
            session_say(session, &message);
        } else if (result != -ENODATA) {
            session->requests.errors++;
            fprintf(stderr, "moonx-client: not sent: %s\n", error);
        }
    }
    session->input_ended =
        run->input.ended && run->input.at == run->input.have && run->input.fd >= 0;
}

static void read_input(struct run *run) {
    int result = input_read(&run->input);
    if (result != 0) {
        run->session.requests.errors++;
        fprintf(stderr, "moonx-client: not sent: %s\n",
                result == -E2BIG ? "the line is longer than 1 MiB" : strerror(-result));
    }
}

static int poll_timeout(const struct run *run, uint64_t now) {
    uint64_t next = run->close_ms != 0 ? run->close_ms : session_next_ms(&run->session);
    if (run->close_ms == 0 && run->deadline_ms != 0 && run->deadline_ms < next) {
        next = run->deadline_ms;
    }
    if (next == SESSION_LATER) {
        return -1;
    }
    return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}

static bool wants_input(const struct run *run) {
    return run->input.fd >= 0 && !run->input.ended && run->close_ms == 0 &&
           !requests_full(&run->session.requests);
}

/* Waits for something to happen. False: a second Ctrl-C, which does not wait. */
static bool wait_for_more(struct run *run) {
    struct pollfd pollers[] = {
        {.fd = ws_client_fd(run->client), .events = ws_client_wants(run->client)},
        {.fd = run->signal_fd, .events = POLLIN},
        {.fd = wants_input(run) ? run->input.fd : -1, .events = POLLIN}};
    if (fflush(stdout) != 0) {
        begin_close(run, "", FAILED); /* nobody reads any more: | head */
    }
    if (poll(pollers, ARRAY_LENGTH(pollers), poll_timeout(run, clock_mono_ms())) <= 0) {
        return true;
    }
    if (pollers[2].revents != 0) {
        read_input(run);
    }
    struct signalfd_siginfo info;
    if (pollers[1].revents != 0 && read(run->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (run->close_ms != 0) {
            return false;
        }
        begin_close(run, "", DONE);
    }
    return true;
}

/* One connection, until its end. */
static enum outcome converse(struct run *run) {
    struct ws_client_closed closed = {0};
    enum outcome outcome = GOES_ON;
    while (outcome == GOES_ON) {
        int result = ws_client_turn(run->client, &closed);
        if (result != 0) {
            outcome = judge_end(run, result, &closed);
            break;
        }
        take_lines(run);
        heed_verdict(run);
        outcome = heed_time(run, clock_mono_ms());
        if (outcome == GOES_ON && !wait_for_more(run)) {
            outcome = run->when_closed;
        }
    }
    if (run->session.signed_in) {
        backoff_reset(&run->backoff);
    }
    session_lost(&run->session);
    ws_client_free(run->client);
    run->client = NULL;
    return outcome;
}

static uint64_t delay_ms(struct run *run) {
    struct session *session = &run->session;
    uint64_t now = clock_mono_ms(), back_at = session->back_at_ms;
    uint32_t random = 0;
    session->back_at_ms = 0;
    if (back_at != 0) {
        return back_at > now ? back_at - now : 0;
    }
    if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1) {
        random = 0; /* in step with others, but no less often */
    }
    return backoff_next_ms(&run->backoff, random);
}

/* Between two connections. AGAIN, or DONE by Ctrl-C, FAILED when --timeout ends first. */
static enum outcome wait_to_return(struct run *run) {
    uint64_t delay = delay_ms(run);
    run->session.verdict = SESSION_GOES_ON;
    session_note(&run->session, "again in %.1f s", (double)delay / 1000);
    struct pollfd poller = {.fd = run->signal_fd, .events = POLLIN};
    uint64_t end = clock_mono_ms() + delay;
    for (uint64_t now = clock_mono_ms(); now < end; now = clock_mono_ms()) {
        if (run->deadline_ms != 0 && now >= run->deadline_ms) {
            return FAILED;
        }
        unsigned left = time_left(run, (unsigned)(end - now));
        if (poll(&poller, 1, (int)left) > 0) {
            return DONE;
        }
    }
    return AGAIN;
}
