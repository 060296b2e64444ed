#include "gateway/supervisor/start.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/supervisor/config_check.h"
#include "gateway/supervisor/configured_files.h"
#include "gateway/supervisor/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define STATUS_FAILED    1
#define STATUS_BAD       2
#define TOKEN_TIMEOUT_MS 10000u

/* Each returns an exit status; `error` may get a line. */
typedef int start_step(struct start *start, char *error, size_t size);

static start_step open_programs, check_configuration, find_users, raise_limits, open_listeners,
    open_state, read_files, prepare_dev;
static start_step *const steps[] = {open_programs,  check_configuration, find_users, raise_limits,
                                    open_listeners, open_state,          read_files, prepare_dev};

int start_open(int argc, char *const *argv, const struct options *options, bool dev,
               struct start *out) {
    char error[1024] = "";
    int status = 0;
    *out = (struct start){.argc = argc, .argv = argv, .options = options, .dev = dev};
    for (size_t i = 0; i < ARRAY_LENGTH(steps) && status == 0; i++) {
        status = steps[i](out, error, sizeof(error));
    }
    if (error[0] != '\0') {
        fprintf(stderr, "moonx-gateway: %s\n", error);
    }
    return status;
}

void start_close(struct start *start) {
    if (start->state_open) {
        shared_state_close(&start->state);
    }
    if (start->listeners_open) {
        listeners_close(&start->listeners);
    }
    if (start->programs_open) {
        spawn_close_programs(&start->programs);
    }
    if (start->dev && start->state_open) {
        dev_bootstrap_remove(start->options);
    }
    explicit_bzero(start->token, sizeof(start->token));
}

void start_greet(struct start *start, const char *broker) {
    dev_print_banner(stdout, start->options, start->argv[0], broker, start->token);
    explicit_bzero(start->token, sizeof(start->token));
}

static int open_programs(struct start *start, char *error, size_t size) {
    if (spawn_open_programs(&start->programs, error, size) < 0) {
        return STATUS_FAILED;
    }
    start->programs_open = true;
    return 0;
}

static int check_configuration(struct start *start, char *error, size_t size) {
    (void)error; /* the child has said it */
    (void)size;
    return config_check_by_child(&start->programs, start->argc, start->argv, NULL, 0);
}

static int find_users(struct start *start, char *error, size_t size) {
    if (run_as_find(start->options, &start->run_as, error, size) < 0) {
        return STATUS_BAD;
    }
    if (start->run_as.changes && run_as_shared(&start->run_as)) {
        log_warn(
            "WORKER_USER and INGEST_USER are the same: a worker taken over could write events");
    }
    return 0;
}

/* Every connection is a descriptor: what the administrator allows is what children inherit. */
static int raise_limits(struct start *start, char *error, size_t size) {
    struct rlimit limit;
    (void)start;
    (void)error;
    (void)size;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_warn("can't raise the limit of open files: %s", strerror(errno));
        }
    }
    return 0;
}

static int open_listeners(struct start *start, char *error, size_t size) {
    const struct options *options = start->options;
    if (listeners_open(options->websocket_service_host, (unsigned)options->websocket_service_port,
                       &start->listeners, error, size) < 0) {
        return STATUS_FAILED;
    }
    start->listeners_open = true;
    if (options->admin_listen[0] != '\0' &&
        listeners_open_admin(options->admin_listen, &start->listeners, error, size) < 0) {
        return STATUS_FAILED;
    }
    return 0;
}

/* Keys only: this process knows no TLS. */
static int open_tickets(struct start *start, char *error, size_t size) {
    const struct options *options = start->options;
    if (options->tls_cert_file[0] == '\0' || options->tls_ticket_rotation == 0) {
        return 0;
    }
    int result = shared_state_add_tickets(&start->state, clock_mono_ms(),
                                          (uint64_t)options->tls_ticket_rotation);
    if (result < 0) {
        snprintf(error, size, "can't make keys for TLS tickets: %s; see TLS_TICKET_ROTATION",
                 strerror(-result));
        return STATUS_FAILED;
    }
    return 0;
}

/* A memfd takes any size and memory only as it fills: without this the kernel's killer would come days later. */
static int check_memory(const struct start *start) {
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return start->state.segment.size > memory ? -ENOMEM : 0;
}

static int refuse_state(const struct options *options, int failure, char *error, size_t size) {
    if (failure == -EMFILE || failure == -ENFILE) {
        snprintf(error, size, "can't make shared memory: %s; raise the limit of open files",
                 strerror(-failure));
    } else {
        snprintf(error, size,
                 "can't make shared memory: %s; see RING_BYTES (--ring-bytes, now %lld) and "
                 "SNAPSHOT_BYTES",
                 strerror(-failure), options->ring_bytes);
    }
    return STATUS_FAILED;
}

static int open_state(struct start *start, char *error, size_t size) {
    const struct options *options = start->options;
    start->state_open = true;
    int result = shared_state_open((uint64_t)options->ring_bytes, (uint64_t)options->snapshot_bytes,
                                   (unsigned)options->workers, &start->state);
    if (result == 0) {
        result = check_memory(start);
    }
    if (result < 0) {
        return refuse_state(options, result, error, size);
    }
    result = shared_state_add_revocations(&start->state, (uint64_t)options->revocation_max);
    if (result < 0) {
        snprintf(error, size, "can't make shared memory for revocations: %s; see REVOCATION_MAX",
                 strerror(-result));
        return STATUS_FAILED;
    }
    result = shared_state_add_limits(&start->state, (uint64_t)options->ws_max_connections);
    if (result < 0) {
        snprintf(error, size, "can't make shared memory for limits: %s; see WS_MAX_CONNECTIONS",
                 strerror(-result));
        return STATUS_FAILED;
    }
    return open_tickets(start, error, size);
}

/* The demo token comes from a child, because this process loads no secret. */
static int mint_token(struct start *start) {
    static const char *const words[] = {"token", "--user", DEV_USER, "--ttl", DEV_TOKEN_TTL};
    char texts[ARRAY_LENGTH(words)][16];
    char **argv = calloc((size_t)start->argc + ARRAY_LENGTH(words) + 1, sizeof(*argv));
    if (!argv) {
        return -ENOMEM;
    }
    int count = 0;
    for (; count < start->argc; count++) {
        argv[count] = start->argv[count];
    }
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        snprintf(texts[i], sizeof(texts[i]), "%s", words[i]);
        argv[count++] = texts[i];
    }
    int result = spawn_run(start->programs.gateway_fd, argv, TOKEN_TIMEOUT_MS, false, start->token,
                           sizeof(start->token));
    free(argv);
    start->token[strcspn(start->token, "\n")] = '\0';
    return result;
}

/* Here and not when a child starts: the successor of a killed one must not find another configuration. */
static int read_files(struct start *start, char *error, size_t size) {
    int changed = configured_files_read(start->options, start->options->file, start->dev,
                                        &start->state, error, size);
    return changed < 0 ? STATUS_BAD : 0;
}

static int prepare_dev(struct start *start, char *error, size_t size) {
    if (!start->dev) {
        return 0;
    }
    if (dev_bootstrap_clear(start->options, error, size) < 0) {
        return STATUS_FAILED;
    }
    int result = mint_token(start);
    if (result != 0) {
        snprintf(error, size, "can't make the demo token: %s",
                 result < 0 ? strerror(-result) : "the token command failed");
        return STATUS_FAILED;
    }
    return 0;
}
