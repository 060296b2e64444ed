#include "gateway/supervisor/supervisor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/option_reload.h"
#include "gateway/supervisor/children.h"
#include "gateway/supervisor/config_check.h"
#include "gateway/supervisor/configured_files.h"
#include "gateway/supervisor/dev.h"
#include "gateway/supervisor/sd_notify.h"
#include "gateway/supervisor/start.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_MS       500u  /* heartbeats come every second */
#define EAGER_TICK_MS 20u   /* while something is awaited: the start, the development broker */
#define GAP_MS        1000u /* this much later than asked for: it was stopped itself */

enum phase { STARTING, SERVING, DRAINING, LAST, DONE };

struct supervisor {
    struct start *start;
    const struct options *first; /* what it was started with: what needs a restart stays so */
    struct options current;      /* after a reload start->options points here */
    struct children children;
    struct sd_notify notify;
    int signal_fd;
    enum phase phase;
    uint64_t last_turn_ms;
    uint64_t watchdog_due_ms;
    uint64_t greet_until_ms; /* --dev: the broker's address is awaited until then; 0: not now */
};

typedef void signal_handler(struct supervisor *supervisor, uint64_t now_ms);

static signal_handler on_child, on_terminate, on_interrupt, on_quit, on_reload, on_upgrade;
static const struct {
    int number;
    signal_handler *handler;
} handlers[] = {{SIGCHLD, on_child}, {SIGTERM, on_terminate}, {SIGINT, on_interrupt},
                {SIGQUIT, on_quit},  {SIGHUP, on_reload},     {SIGUSR2, on_upgrade}};

static int open_all(struct supervisor *supervisor, struct start *start);
static void close_all(struct supervisor *supervisor);
static void loop(struct supervisor *supervisor);

int supervisor_run(int argc, char *const *argv, const struct options *options, bool dev) {
    struct start start;
    struct supervisor supervisor = {.signal_fd = -1, .first = options};
    int status = start_open(argc, argv, options, dev, &start);
    if (status == 0) {
        status = open_all(&supervisor, &start) < 0 ? 1 : 0;
    }
    if (status == 0) {
        loop(&supervisor);
        log_info("stopped");
    }
    close_all(&supervisor);
    start_close(&start);
    option_done(&supervisor.current);
    return status;
}

static int open_signals(struct supervisor *supervisor) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LENGTH(handlers); i++) {
        sigaddset(&set, handlers[i].number);
    }
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -errno;
    }
    supervisor->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return supervisor->signal_fd < 0 ? -errno : 0;
}

/* A developer's Ctrl-C has all done within 2 s, the drain's default of 1 s included. */
static uint32_t worker_stop_ms(const struct start *start) {
    return (uint32_t)start->options->drain_timeout + (start->dev ? 250 : 1000);
}

static int open_all(struct supervisor *supervisor, struct start *start) {
    struct children_setup setup = {
        .programs = &start->programs,
        .run_as = &start->run_as,
        .listeners = &start->listeners,
        .state = &start->state,
        .argc = start->argc,
        .argv = start->argv,
        .worker_stop_ms = worker_stop_ms(start),
        /* its last commit takes up to 500 ms */
        .ingest_stop_ms = start->dev ? 700 : 1000,
    };
    supervisor->start = start;
    int result = sd_notify_take(&supervisor->notify);
    if (result < 0) {
        log_warn("NOTIFY_SOCKET can't be used: %s", strerror(-result));
    }
    result = open_signals(supervisor);
    if (result == 0) {
        result = children_open(&setup, &supervisor->children);
    }
    if (result < 0) {
        log_error("can't start: %s", strerror(-result));
    }
    return result;
}

static void close_all(struct supervisor *supervisor) {
    if (!supervisor->start) {
        return;
    }
    children_close(&supervisor->children);
    sd_notify_close(&supervisor->notify);
    if (supervisor->signal_fd >= 0) {
        close(supervisor->signal_fd);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static unsigned wait_ms(const struct supervisor *supervisor, uint64_t now_ms) {
    bool eager = supervisor->phase == STARTING || supervisor->greet_until_ms > 0;
    uint64_t due = now_ms + (eager ? EAGER_TICK_MS : TICK_MS);
    due = earlier(due, children_next_due_ms(&supervisor->children));
    if (supervisor->notify.watchdog_ms > 0) {
        due = earlier(due, supervisor->watchdog_due_ms);
    }
    return due > now_ms ? (unsigned)(due - now_ms) : 0;
}

static void take_signals(struct supervisor *supervisor, uint64_t now_ms) {
    struct signalfd_siginfo info;
    while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        for (size_t i = 0; i < ARRAY_LENGTH(handlers); i++) {
            if (handlers[i].number == (int)info.ssi_signo) {
                handlers[i].handler(supervisor, now_ms);
            }
        }
    }
}

static void say_ready(struct supervisor *supervisor, uint64_t now_ms) {
    const struct start *start = supervisor->start;
    char lines[256];
    unsigned workers = start->state.worker_count;
    const char *plural = workers == 1 ? "" : "s";
    snprintf(lines, sizeof(lines), "READY=1\nMAINPID=%d\nSTATUS=port %lld, %u worker%s",
             (int)getpid(), start->options->websocket_service_port, workers, plural);
    sd_notify_send(&supervisor->notify, lines);
    log_info("all started: port %lld on %s, %u worker%s", start->options->websocket_service_port,
             start->options->websocket_service_host, workers, plural);
    supervisor->phase = SERVING;
    supervisor->greet_until_ms = start->dev ? now_ms + DEV_BROKER_WAIT_MS : 0;
}

static void greet(struct supervisor *supervisor, uint64_t now_ms) {
    char broker[DEV_BROKER_MAX_BYTES] = "";
    int known = dev_bootstrap_read(supervisor->start->options, broker);
    if (!known && now_ms < supervisor->greet_until_ms) {
        return;
    }
    if (!known) {
        log_error("the development broker has not written its address into %s/bootstrap",
                  supervisor->start->options->dev_directory);
    }
    start_greet(supervisor->start, broker);
    supervisor->greet_until_ms = 0;
}

/* What a phase waits for, and what comes next. */
static void advance(struct supervisor *supervisor, uint64_t now_ms) {
    if (supervisor->phase == STARTING && children_serving(&supervisor->children)) {
        say_ready(supervisor, now_ms);
    }
    if (supervisor->phase == SERVING && supervisor->greet_until_ms > 0) {
        greet(supervisor, now_ms);
    }
    if (supervisor->phase == DRAINING && children_workers_gone(&supervisor->children)) {
        supervisor->phase = LAST;
        children_stop_ingest(&supervisor->children, now_ms);
    }
    if (supervisor->phase == LAST && children_gone(&supervisor->children)) {
        supervisor->phase = DONE;
    }
}

static void feed_watchdog(struct supervisor *supervisor, uint64_t now_ms) {
    if (supervisor->notify.watchdog_ms > 0 && now_ms >= supervisor->watchdog_due_ms) {
        sd_notify_send(&supervisor->notify, "WATCHDOG=1");
        supervisor->watchdog_due_ms = now_ms + supervisor->notify.watchdog_ms;
    }
}

/* What operators have asked workers for (POST /admin/...), which can't do it themselves. */
static void take_wishes(struct supervisor *supervisor, uint64_t now_ms) {
    struct shared_state *state = &supervisor->start->state;
    for (unsigned i = 0; i < state->worker_count; i++) {
        uint32_t level = exchange_full(&state->workers[i]->asked_log_level, 0);
        if (level > 0 && level <= LOG_LEVEL_DEBUG + 1) {
            store_relaxed(&state->host->log_level, level);
            log_set_level((enum log_level)(level - 1));
        }
        if (load_acquire(&state->workers[i]->asked_drain) != 0) {
            on_terminate(supervisor, now_ms);
            store_release(&state->workers[i]->asked_drain, 0); /* `draining` stands in for it now */
        }
    }
}

static void rotate_tickets(struct supervisor *supervisor, uint64_t now_ms) {
    static struct log_rate rate = {.per_second = 1};
    uint64_t period_ms = (uint64_t)supervisor->start->options->tls_ticket_rotation;
    int result = shared_state_rotate_tickets(&supervisor->start->state, now_ms, period_ms);
    if (result < 0 && log_rate_allow(&rate)) {
        log_error("no new key for TLS tickets: %s; the old one stays%s", strerror(-result),
                  rate.left_out);
    }
}

static void turn(struct supervisor *supervisor) {
    struct pollfd wait = {.fd = supervisor->signal_fd, .events = POLLIN};
    unsigned allowed_ms = wait_ms(supervisor, clock_mono_ms());
    poll(&wait, 1, (int)allowed_ms);
    uint64_t now_ms = clock_mono_ms();
    if (now_ms - supervisor->last_turn_ms > allowed_ms + GAP_MS) {
        log_warn("was stopped itself for %llu ms; children are excused",
                 (unsigned long long)(now_ms - supervisor->last_turn_ms));
        children_excuse(&supervisor->children, now_ms);
    }
    supervisor->last_turn_ms = now_ms;
    take_signals(supervisor, now_ms);
    take_wishes(supervisor, now_ms);
    children_tick(&supervisor->children, now_ms);
    advance(supervisor, now_ms);
    feed_watchdog(supervisor, now_ms);
    rotate_tickets(supervisor, now_ms);
}

static void loop(struct supervisor *supervisor) {
    supervisor->last_turn_ms = clock_mono_ms();
    while (supervisor->phase != DONE) {
        turn(supervisor);
    }
}

static void on_child(struct supervisor *supervisor, uint64_t now_ms) {
    children_reap(&supervisor->children, now_ms);
}

static void begin_stop(struct supervisor *supervisor, enum phase phase, const char *how) {
    sd_notify_send(&supervisor->notify, "STOPPING=1");
    store_release(&supervisor->start->state.host->draining, 1);
    supervisor->greet_until_ms = 0;
    supervisor->phase = phase;
    log_info("%s", how);
}

static void on_terminate(struct supervisor *supervisor, uint64_t now_ms) {
    if (supervisor->phase < DRAINING) {
        begin_stop(supervisor, DRAINING, "told to stop: clients are sent away first");
        children_stop_workers(&supervisor->children, now_ms);
    }
}

static void on_interrupt(struct supervisor *supervisor, uint64_t now_ms) {
    if (supervisor->phase < DRAINING) {
        on_terminate(supervisor, now_ms);
    } else {
        on_quit(supervisor, now_ms);
    }
}

static void on_quit(struct supervisor *supervisor, uint64_t now_ms) {
    begin_stop(supervisor, LAST, "told to stop now");
    children_quit(&supervisor->children, now_ms);
}

/* CONFIG_FILE and the files that the options name, as they are now. Which roles are concerned (CONFIGURED_ bits), or
 * -errno with a line in `error`. */
static int take_options(struct supervisor *supervisor, char *error, size_t size) {
    struct start *start = supervisor->start;
    struct options fresh;
    struct option_command command;
    char left[512];
    int result = option_parse(start->argc, start->argv, &fresh, &command, error, size);
    if (result < 0) {
        return result;
    }
    option_reload_keep(supervisor->first, &fresh, left, sizeof(left));
    int changed = configured_files_read(&fresh, supervisor->first->file, start->dev, &start->state,
                                        error, size);
    if (changed < 0) {
        option_done(&fresh);
        return changed;
    }
    option_done(&supervisor->current);
    supervisor->current = fresh;
    start->options = &supervisor->current;
    children_set_worker_stop(&supervisor->children, worker_stop_ms(start));
    log_set_words(fresh.log_level, fresh.log_format);
    if (left[0] != '\0') {
        log_warn("reload: needs a restart to take effect: %s", left);
    }
    return changed;
}

/* New files for everybody, or the old for everybody: a child checks them first. */
static void reload(struct supervisor *supervisor) {
    struct start *start = supervisor->start;
    char error[1024] = "";
    int changed =
        config_check_by_child(&start->programs, start->argc, start->argv, error, sizeof(error)) == 0
            ? take_options(supervisor, error, sizeof(error))
            : -EINVAL;
    if (changed < 0) {
        log_error("reload refused, the old configuration stays: %s", error);
        return;
    }
    log_info("reload: %s", changed == 0                   ? "nothing has changed"
                           : changed == CONFIGURED_INGEST ? "ingest is replaced"
                           : changed == CONFIGURED_WORKERS
                               ? "workers take the new configuration"
                               : "workers take the new configuration, ingest is replaced");
    if (changed & CONFIGURED_WORKERS) {
        children_reload_workers(&supervisor->children);
    }
    if (changed & CONFIGURED_INGEST) {
        children_replace_ingest(&supervisor->children);
    }
}

static void on_reload(struct supervisor *supervisor, uint64_t now_ms) {
    char line[64];
    (void)now_ms;
    if (supervisor->phase != SERVING) {
        log_warn("SIGHUP: not while starting or stopping; nothing has changed");
        return;
    }
    /* systemd 252 has no notify-reload, but shows the state (sd_notify(3)) */
    snprintf(line, sizeof(line), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(clock_mono_ns() / 1000));
    sd_notify_send(&supervisor->notify, line);
    reload(supervisor);
    sd_notify_send(&supervisor->notify, "READY=1");
    /* The check took its time here. Nobody is excused for that: who lives has beaten meanwhile, and who hangs must be found
     * even where reloads follow each other closely. */
    supervisor->last_turn_ms = clock_mono_ms();
}

static void on_upgrade(struct supervisor *supervisor, uint64_t now_ms) {
    (void)supervisor;
    (void)now_ms;
    log_warn("SIGUSR2: this version can't replace itself while it runs; nothing has changed");
}
