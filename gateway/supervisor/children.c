#include "gateway/supervisor/children.h"

#include "common/clock.h"
#include "common/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>

#define INGEST 0u /* row of the list, slot of the host block */

typedef void action_taker(struct children *children, struct child *child, uint64_t now_ms);

static action_taker do_nothing, do_start, do_terminate, do_quit, do_kill;
static action_taker *const takers[CHILD_ACTION_COUNT] = {
    [CHILD_DO_NOTHING] = do_nothing,     [CHILD_DO_START] = do_start,
    [CHILD_DO_TERMINATE] = do_terminate, [CHILD_DO_QUIT] = do_quit,
    [CHILD_DO_KILL] = do_kill,
};

static void init_child(struct children *children, uint32_t slot);
static void step(struct children *children, struct child *child, enum child_event event,
                 uint64_t now_ms);
static void look_at(struct children *children, struct child *child, uint64_t now_ms);
static void ended(struct children *children, struct child *child, int status, uint64_t now_ms);
static bool worker_serves(const struct children *children, const struct child *child);

int children_open(const struct children_setup *setup, struct children *out) {
    char **argv = calloc((size_t)setup->argc + 1, sizeof(*argv));
    if (!argv) {
        return -ENOMEM;
    }
    for (int i = 1; i < setup->argc; i++) {
        argv[i] = setup->argv[i];
    }
    *out =
        (struct children){.setup = *setup, .argv = argv, .count = 1 + setup->state->worker_count};
    for (uint32_t slot = 0; slot < out->count; slot++) {
        init_child(out, slot);
    }
    return 0;
}

void children_close(struct children *children) {
    free(children->argv);
    children->argv = NULL;
    children->count = 0;
}

void children_tick(struct children *children, uint64_t now_ms) {
    for (unsigned i = 0; i < children->count; i++) {
        look_at(children, &children->list[i], now_ms);
    }
}

void children_reap(struct children *children, uint64_t now_ms) {
    int status = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < children->count; i++) {
            if (children->list[i].pid == pid) {
                ended(children, &children->list[i], status, now_ms);
            }
        }
    }
}

static void step_all(struct children *children, unsigned from, unsigned to, enum child_event event,
                     uint64_t now_ms) {
    for (unsigned i = from; i < to; i++) {
        step(children, &children->list[i], event, now_ms);
    }
}

void children_excuse(struct children *children, uint64_t now_ms) {
    step_all(children, 0, children->count, CHILD_EXCUSE, now_ms);
}

void children_set_worker_stop(struct children *children, uint32_t worker_stop_ms) {
    for (unsigned i = INGEST + 1; i < children->count; i++) {
        children->list[i].life.stop_allowance_ms = worker_stop_ms;
    }
}

void children_stop_workers(struct children *children, uint64_t now_ms) {
    step_all(children, INGEST + 1, children->count, CHILD_STOP, now_ms);
}

void children_stop_ingest(struct children *children, uint64_t now_ms) {
    step_all(children, INGEST, INGEST + 1, CHILD_STOP, now_ms);
}

void children_quit(struct children *children, uint64_t now_ms) {
    step_all(children, 0, children->count, CHILD_QUIT, now_ms);
}

static void send_signal(const struct child *child, int number);

void children_reload_workers(struct children *children) {
    for (unsigned i = INGEST + 1; i < children->count; i++) {
        send_signal(&children->list[i], SIGHUP);
    }
}

void children_replace_ingest(struct children *children) {
    children->list[INGEST].replaced = true;
    send_signal(&children->list[INGEST], SIGTERM);
}

bool children_serving(const struct children *children) {
    for (unsigned i = 0; i < children->count; i++) {
        if (children->list[i].life.state != CHILD_RUNNING ||
            !worker_serves(children, &children->list[i])) {
            return false;
        }
    }
    return true;
}

static bool all_gone(const struct children *children, unsigned from) {
    for (unsigned i = from; i < children->count; i++) {
        if (children->list[i].life.state != CHILD_GONE) {
            return false;
        }
    }
    return true;
}

bool children_workers_gone(const struct children *children) {
    return all_gone(children, INGEST + 1);
}

bool children_gone(const struct children *children) {
    return all_gone(children, INGEST);
}

uint64_t children_next_due_ms(const struct children *children) {
    uint64_t nearest = UINT64_MAX;
    for (unsigned i = 0; i < children->count; i++) {
        const struct child_state_machine *life = &children->list[i].life;
        if (life->state != CHILD_GONE && life->due_ms < nearest) {
            nearest = life->due_ms;
        }
    }
    return nearest;
}

static void init_child(struct children *children, uint32_t slot) {
    const struct children_setup *setup = &children->setup;
    struct child *child = &children->list[slot];
    child->slot = slot;
    child->shown = &setup->state->host->children[slot];
    if (slot == INGEST) {
        snprintf(child->name, sizeof(child->name), "ingest");
        child->heartbeat = &setup->state->segment.ingest->heartbeat_ns;
        child_state_init(&child->life, setup->ingest_stop_ms);
    } else {
        snprintf(child->name, sizeof(child->name), "worker-%u", slot - 1);
        child->heartbeat = &setup->state->workers[slot - 1]->heartbeat_ns;
        child_state_init(&child->life, setup->worker_stop_ms);
    }
}

/* What /health says: written at every change, by the supervisor alone. */
static void show(const struct child *child) {
    uint32_t state = child->pid > 0                       ? HOST_CHILD_RUNNING
                     : child->life.state == CHILD_WAITING ? HOST_CHILD_WAITING
                                                          : HOST_CHILD_NONE;
    store_relaxed(&child->shown->pid, (uint32_t)child->pid);
    store_relaxed(&child->shown->state, state);
}

static uint32_t random_number(void) {
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number)) {
        number = (uint32_t)(clock_mono_ns() / 1000);
    }
    return number;
}

static void step(struct children *children, struct child *child, enum child_event event,
                 uint64_t now_ms) {
    enum child_action action = child_state_step(&child->life, event, now_ms, random_number());
    show(child);
    takers[action](children, child, now_ms);
}

static void look_at(struct children *children, struct child *child, uint64_t now_ms) {
    uint64_t beat = load_relaxed(child->heartbeat);
    if (beat != child->last_beat) {
        child->last_beat = beat;
        step(children, child, CHILD_BEAT, now_ms);
    }
    step(children, child, CHILD_TICK, now_ms);
}

static void clear_shared(struct children *children, struct child *child) {
    if (child->slot == INGEST) {
        shared_state_clear_ingest(children->setup.state);
    } else {
        shared_state_clear_worker(children->setup.state, child->slot - 1);
    }
    child->last_beat = 0;
}

static int start_process(struct children *children, struct child *child, pid_t *pid) {
    const struct children_setup *setup = &children->setup;
    struct heritage heritage;
    char title[64];
    int program = setup->programs->ingest_fd;
    if (child->slot == INGEST) {
        snprintf(title, sizeof(title), "moonx-ingest");
        shared_state_ingest_heritage(setup->state, setup->run_as, &heritage);
    } else {
        snprintf(title, sizeof(title), "moonx-gateway: %s", child->name);
        program = setup->programs->gateway_fd;
        shared_state_worker_heritage(setup->state, setup->run_as, setup->listeners, child->slot - 1,
                                     &heritage);
    }
    children->argv[0] = title;
    int result = spawn_child(program, children->argv, &heritage, pid);
    children->argv[0] = NULL;
    return result;
}

static void do_start(struct children *children, struct child *child, uint64_t now_ms) {
    clear_shared(children, child);
    int result = start_process(children, child, &child->pid);
    if (result < 0) {
        step(children, child, CHILD_FAILED, now_ms);
        log_error("%s could not be started: %s; next try in %llu ms", child->name,
                  strerror(-result), (unsigned long long)(child->life.due_ms - now_ms));
        return;
    }
    if (child->ran_before) {
        store_relaxed(&child->shown->restarts, load_relaxed(&child->shown->restarts) + 1);
    }
    child->ran_before = true;
    store_relaxed(&child->shown->started_ms, (uint64_t)clock_wall_ms());
    step(children, child, CHILD_STARTED, now_ms);
    log_info("%s started, pid %d", child->name, (int)child->pid);
}

static void do_nothing(struct children *children, struct child *child, uint64_t now_ms) {
    (void)children;
    (void)child;
    (void)now_ms;
}

static void send_signal(const struct child *child, int number) {
    if (child->pid > 0 && kill(child->pid, number) != 0 && errno != ESRCH) {
        log_error("can't send SIG%s to %s (pid %d): %s", sigabbrev_np(number), child->name,
                  (int)child->pid, strerror(errno));
    }
}

static void do_terminate(struct children *children, struct child *child, uint64_t now_ms) {
    (void)children;
    (void)now_ms;
    send_signal(child, SIGTERM);
}

static void do_quit(struct children *children, struct child *child, uint64_t now_ms) {
    (void)children;
    (void)now_ms;
    send_signal(child, SIGQUIT);
}

static void do_kill(struct children *children, struct child *child, uint64_t now_ms) {
    (void)children;
    (void)now_ms;
    if (child->life.state == CHILD_HUNG) {
        log_error("%s (pid %d) hangs: %s; it is killed", child->name, (int)child->pid,
                  child->last_beat ? "no heartbeat for 5 s" : "no heartbeat since its start");
        store_relaxed(&child->shown->hung_kills, load_relaxed(&child->shown->hung_kills) + 1);
    } else {
        log_warn("%s (pid %d) did not stop in time; it is killed", child->name, (int)child->pid);
    }
    send_signal(child, SIGKILL);
}

static void reason_of(int status, char *out, size_t size) {
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(out, size, "was killed by signal %d (SIG%s)", WTERMSIG(status), name ? name : "?");
    } else {
        snprintf(out, size, "ended with exit status %d%s", WEXITSTATUS(status),
                 WEXITSTATUS(status) == SPAWN_EXEC_FAILED ? " (can't be executed)" : "");
    }
}

static void ended(struct children *children, struct child *child, int status, uint64_t now_ms) {
    char reason[64];
    pid_t pid = child->pid;
    reason_of(status, reason, sizeof(reason));
    child->pid = 0;
    clear_shared(children, child);
    step(children, child, CHILD_EXITED, now_ms);
    if (child->life.state == CHILD_GONE || child->replaced) {
        log_info("%s (pid %d) %s", child->name, (int)pid, reason);
        child->replaced = false;
    } else {
        log_error("%s (pid %d) %s; its successor starts in %llu ms", child->name, (int)pid, reason,
                  (unsigned long long)(child->life.due_ms - now_ms));
    }
}

static bool worker_serves(const struct children *children, const struct child *child) {
    return child->slot == INGEST ||
           load_relaxed(&children->setup.state->workers[child->slot - 1]->state) == WORKER_SERVING;
}
