/* The life of one child process as a pure state machine: state x event -> a tiny function that says what
 * to do. It knows no process, no clock and no memory but its own, so unit tests drive it by hand.
 * Used by the supervisor alone, one struct a child (ingest, each worker slot); it lives as long as the
 * supervisor, over all incarnations of that child.
 *
 *   WAITING   no process; due_ms: when to start the next one      -> STARTING, GONE
 *   STARTING  runs, no heartbeat yet; due_ms: when it is hung     -> RUNNING, HUNG, WAITING, STOPPING
 *   RUNNING   heartbeats come; due_ms: when it is hung            -> HUNG, WAITING, STOPPING
 *   HUNG      was sent SIGKILL; due_ms: when to send it again     -> WAITING, STOPPING
 *   STOPPING  was asked to stop; due_ms: when to send SIGKILL     -> GONE
 *   GONE      no process, none to come
 *
 * All times are milliseconds of the monotonic clock. */
#ifndef MOONX_GATEWAY_SUPERVISOR_CHILD_STATE_H
#define MOONX_GATEWAY_SUPERVISOR_CHILD_STATE_H

#include "common/backoff.h"
#include "common/base.h"

#define CHILD_FIRST_BEAT_MS    10000u /* a starting child's time until its first heartbeat */
#define CHILD_SILENCE_MS       5000u  /* a running child may be silent for so long */
#define CHILD_HEALTHY_MS       10000u /* so long without trouble forgets earlier failures */
#define CHILD_BACKOFF_FIRST_MS 100u
#define CHILD_BACKOFF_MOST_MS  10000u
#define CHILD_KILL_AGAIN_MS    1000u
#define CHILD_QUIT_MS          200u /* between SIGQUIT and SIGKILL */

enum child_state {
    CHILD_WAITING,
    CHILD_STARTING,
    CHILD_RUNNING,
    CHILD_HUNG,
    CHILD_STOPPING,
    CHILD_GONE,
    CHILD_STATE_COUNT
};

enum child_event {
    CHILD_TICK,    /* time has passed */
    CHILD_STARTED, /* answer to CHILD_DO_START: a process runs */
    CHILD_FAILED,  /* answer to CHILD_DO_START: none could be made */
    CHILD_BEAT,    /* its heartbeat has moved */
    CHILD_EXITED,  /* its process is gone, for whatever reason */
    CHILD_EXCUSE,  /* the supervisor itself was stopped for a while: silence means nothing */
    CHILD_STOP,    /* stop in good order within stop_allowance_ms */
    CHILD_QUIT,    /* stop now */
    CHILD_EVENT_COUNT
};

enum child_action {
    CHILD_DO_NOTHING,
    CHILD_DO_START,     /* make a process, then say CHILD_STARTED or CHILD_FAILED */
    CHILD_DO_TERMINATE, /* SIGTERM */
    CHILD_DO_QUIT,      /* SIGQUIT */
    CHILD_DO_KILL,      /* SIGKILL */
    CHILD_ACTION_COUNT
};

struct child_state_machine {
    enum child_state state;
    uint64_t due_ms;
    uint64_t healthy_since_ms; /* first heartbeat of this incarnation */
    uint32_t failures;         /* exits and failed starts since it was last healthy */
    uint32_t stop_allowance_ms;
    struct backoff backoff;
};

/* WAITING and due at once. */
void child_state_init(struct child_state_machine *child, uint32_t stop_allowance_ms);

/* One event at now_ms; `random` is only used to spread a restart's delay. */
enum child_action child_state_step(struct child_state_machine *child, enum child_event event,
                                   uint64_t now_ms, uint32_t random);

#endif
