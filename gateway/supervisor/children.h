/* The supervisor's children: one row for ingest and one for each worker slot. Starts, watches, replaces and
 * stops them as their state machines (child_state.h) say, logs why one went, and keeps the host block true.
 * One per supervisor, as long as it runs. */
#ifndef MOONX_GATEWAY_SUPERVISOR_CHILDREN_H
#define MOONX_GATEWAY_SUPERVISOR_CHILDREN_H

#include "gateway/supervisor/child_state.h"
#include "gateway/supervisor/listeners.h"
#include "gateway/supervisor/run_as.h"
#include "gateway/supervisor/shared_state.h"
#include "gateway/supervisor/spawn.h"

#define CHILDREN_MAX HOST_MAX_CHILDREN

/* Borrowed: all of it outlives the children. */
struct children_setup {
    const struct spawn_programs *programs;
    const struct run_as *run_as;
    const struct listeners *listeners;
    struct shared_state *state;
    int argc;
    char *const *argv;                       /* every child gets the supervisor's own arguments */
    uint32_t worker_stop_ms, ingest_stop_ms; /* from SIGTERM to SIGKILL */
};

struct child {
    struct child_state_machine life;
    char name[24];   /* "ingest", "worker-3" */
    uint32_t slot;   /* in the host block: 0 is ingest, 1 + i worker i */
    pid_t pid;       /* 0: none runs */
    bool ran_before; /* the next start is a restart */
    bool replaced;   /* told to end, for its successor to read new files */
    shm_u64 *heartbeat;
    uint64_t last_beat;
    struct host_child *shown;
};

struct children {
    struct children_setup setup;
    char **argv; /* argv[0] is replaced by each child's title */
    unsigned count;
    struct child list[CHILDREN_MAX];
};

/* -ENOMEM. Nothing runs yet: the first children_tick() starts all. */
int children_open(const struct children_setup *setup, struct children *out) MUST_CHECK;
void children_close(struct children *children);

/* Looks at heartbeats and deadlines; starts and kills what is due. */
void children_tick(struct children *children, uint64_t now_ms);
/* Collects the processes that have ended. */
void children_reap(struct children *children, uint64_t now_ms);
/* The supervisor was stopped itself: nobody is to blame for the silence. */
void children_excuse(struct children *children, uint64_t now_ms);

/* Workers told to stop from now on have so long. */
void children_set_worker_stop(struct children *children, uint32_t worker_stop_ms);
void children_stop_workers(struct children *children, uint64_t now_ms);
/* The configured files have changed: workers are told (SIGHUP); ingest is replaced, losing nothing, since its
 * routes decide what it consumes. */
void children_reload_workers(struct children *children);
void children_replace_ingest(struct children *children);
void children_stop_ingest(struct children *children, uint64_t now_ms);
/* All at once: SIGQUIT, and SIGKILL soon after. */
void children_quit(struct children *children, uint64_t now_ms);

/* Every child beats and every worker serves. */
bool children_serving(const struct children *children);
bool children_workers_gone(const struct children *children);
bool children_gone(const struct children *children);
/* The nearest deadline of any child; UINT64_MAX when there is none. */
uint64_t children_next_due_ms(const struct children *children);

#endif
