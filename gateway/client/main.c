/* moonx-client: connects to a gateway, authenticates, prints what comes. For newcomers and for tests. */
#include "common/clock.h"
#include "common/code_table.h"
#include "common/secret.h"
#include "gateway/client/arguments.h"
#include "gateway/client/ws_client.h"

#include <cjson/cJSON.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000u
#define CLOSE_WAIT_MS      1000u

struct run {
    const struct arguments *arguments;
    struct ws_client *client;
    uint64_t deadline_ms; /* 0: none */
    unsigned long events;
    bool closing; /* we asked for it */
    bool failed;
};

static int run_client(const struct arguments *arguments);

int main(int argc, char **argv) {
    struct arguments arguments = {.url_text = "ws://127.0.0.1:3008/ws", .style = PRINT_SHORT};
    arguments.token = getenv("MOONX_TOKEN");
    arguments_parse(argc, argv, &arguments);
    struct secret *secret = NULL;
    if (arguments.token_file != NULL) {
        int result = secret_from_file(arguments.token_file, &secret);
        if (result != 0) {
            fprintf(stderr, "moonx-client: --token-file %s: %s\n", arguments.token_file,
                    result == -EINVAL ? "the file is empty" : strerror(-result));
            return ARGUMENTS_EXIT_USAGE;
        }
    }
    char *token =
        secret == NULL ? NULL : strndup(secret_bytes(secret).data, secret_bytes(secret).length);
    arguments.token = token == NULL ? arguments.token : token;
    if (arguments.token == NULL || arguments.token[0] == '\0') {
        fprintf(stderr, "moonx-client: no token: give --token, --token-file or MOONX_TOKEN\n");
        return ARGUMENTS_EXIT_USAGE;
    }
    int status = run_client(&arguments);
    free(token);
    secret_free(secret);
    return status;
}

static void begin_close(struct run *run, const char *reason) {
    if (!run->closing) {
        run->closing = true;
        run->deadline_ms = clock_mono_ms() + CLOSE_WAIT_MS;
        if (ws_client_close(run->client, CLOSE_NORMAL, reason) != 0) {
            run->failed = true;
        }
    }
}

static void send_authenticate(struct run *run) {
    const struct arguments *arguments = run->arguments;
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "id", "auth-1");
    cJSON_AddStringToObject(message, "type", "authenticate");
    cJSON *data = cJSON_AddObjectToObject(message, "data");
    cJSON_AddStringToObject(data, "token", arguments->token);
    if (arguments->channel_count > 0) {
        cJSON_AddItemToObject(
            data, "channels",
            cJSON_CreateStringArray(arguments->channels, (int)arguments->channel_count));
    }
    char *text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    if (text == NULL || ws_client_send_text(run->client, span_of(text)) != 0) {
        run->failed = true;
    }
    cJSON_free(text);
}

static unsigned terminal_columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void on_message(void *context, struct span text) {
    struct run *run = context;
    const struct arguments *arguments = run->arguments;
    struct print_envelope envelope = {0};
    bool readable = print_read_envelope(text, &envelope);
    if (run->closing) {
        return; /* --count has been reached: exactly so many are shown */
    }
    print_message(stdout, arguments->style, terminal_columns(), text, readable ? &envelope : NULL);
    if (!readable) {
        return;
    }
    if (span_is(envelope.type, "auth_required")) {
        send_authenticate(run);
    } else if (span_is(envelope.type, "auth_failed")) {
        fprintf(stderr, "moonx-client: authentication failed\n");
        run->failed = true;
        begin_close(run, "");
    } else if (print_is_event(&envelope) && ++run->events == arguments->count) {
        begin_close(run, "done");
    }
}

/* True when the run is over. */
static bool handle_turn(struct run *run, int result, const struct ws_client_closed *closed) {
    if (result == 0) {
        return false;
    }
    if (run->closing) {
        return true;
    }
    run->failed = result < 0 || closed->code != CLOSE_NORMAL;
    if (result == 1) {
        fprintf(stderr, "moonx-client: closed by the server: %u %s\n", closed->code,
                closed->reason);
    } else if (result == -ECONNRESET) {
        fprintf(stderr, "moonx-client: the connection was cut (close code 1006)\n");
    } else {
        fprintf(stderr, "moonx-client: %s\n",
                result == -EPROTO ? "the server broke the WebSocket protocol" : strerror(-result));
    }
    return true;
}

/* True when the run is over. */
static bool handle_deadline(struct run *run) {
    if (run->deadline_ms == 0 || clock_mono_ms() < run->deadline_ms) {
        return false;
    }
    if (run->closing) {
        return true; /* the peer did not answer our Close: gone all the same */
    }
    fprintf(stderr, "moonx-client: timeout after %lu events\n", run->events);
    run->failed = true;
    begin_close(run, "timeout");
    return false;
}

static int poll_timeout(const struct run *run) {
    uint64_t now = clock_mono_ms();
    if (run->deadline_ms == 0) {
        return -1;
    }
    return run->deadline_ms <= now ? 0 : (int)(run->deadline_ms - now);
}

static void run_loop(struct run *run, int signal_fd) {
    struct ws_client_closed closed = {0};
    while (!handle_turn(run, ws_client_turn(run->client, &closed), &closed) &&
           !handle_deadline(run)) {
        fflush(stdout);
        struct pollfd pollers[2] = {
            {.fd = ws_client_fd(run->client), .events = ws_client_wants(run->client)},
            {.fd = signal_fd, .events = POLLIN}};
        if (poll(pollers, ARRAY_LENGTH(pollers), poll_timeout(run)) > 0 &&
            pollers[1].revents != 0) {
            struct signalfd_siginfo info;
            if (read(signal_fd, &info, sizeof(info)) == sizeof(info) && run->closing) {
                return; /* a second Ctrl-C does not wait */
            }
            begin_close(run, "");
        }
    }
}

static int run_client(const struct arguments *arguments) {
    struct run run = {.arguments = arguments};
    char error[512];
    sigset_t signals;
    unsigned connect_ms = CONNECT_TIMEOUT_MS;
    if (arguments->timeout_ms > 0) {
        run.deadline_ms = clock_mono_ms() + arguments->timeout_ms;
        connect_ms =
            arguments->timeout_ms < connect_ms ? (unsigned)arguments->timeout_ms : connect_ms;
    }
    if (ws_client_open(&arguments->url, connect_ms, on_message, &run, &run.client, error,
                       sizeof(error)) != 0) {
        fprintf(stderr, "moonx-client: %s: %s\n", arguments->url_text, error);
        return EXIT_FAILURE;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    run_loop(&run, signal_fd);
    bool missed = arguments->count > 0 && run.events < arguments->count;
    bool unwritten = fflush(stdout) != 0;
    ws_client_free(run.client);
    close(signal_fd);
    return run.failed || missed || unwritten ? EXIT_FAILURE : EXIT_SUCCESS;
}
