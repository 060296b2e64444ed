#include "gateway/supervisor/child_state.h"

struct moment {
    uint64_t now_ms;
    uint32_t random;
};

typedef enum child_action transition(struct child_state_machine *child,
                                     const struct moment *moment);

static transition nothing, start_when_due, started, retry_later, first_beat, beat, hang_when_due,
    kill_when_due, excuse_start, excuse_run, stop, quit, quit_hung, finish;

/* Every pair stands here, so that a new state or event can't be forgotten: nothing is said in words. */
static transition *const transitions[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {
    [CHILD_WAITING] = {[CHILD_TICK] = start_when_due,
                       [CHILD_STARTED] = started,
                       [CHILD_FAILED] = retry_later,
                       [CHILD_BEAT] = nothing,
                       [CHILD_EXITED] = nothing,
                       [CHILD_EXCUSE] = nothing,
                       [CHILD_STOP] = finish,
                       [CHILD_QUIT] = finish},
    [CHILD_STARTING] = {[CHILD_TICK] = hang_when_due,
                        [CHILD_STARTED] = nothing,
                        [CHILD_FAILED] = nothing,
                        [CHILD_BEAT] = first_beat,
                        [CHILD_EXITED] = retry_later,
                        [CHILD_EXCUSE] = excuse_start,
                        [CHILD_STOP] = stop,
                        [CHILD_QUIT] = quit},
    [CHILD_RUNNING] = {[CHILD_TICK] = hang_when_due,
                       [CHILD_STARTED] = nothing,
                       [CHILD_FAILED] = nothing,
                       [CHILD_BEAT] = beat,
                       [CHILD_EXITED] = retry_later,
                       [CHILD_EXCUSE] = excuse_run,
                       [CHILD_STOP] = stop,
                       [CHILD_QUIT] = quit},
    [CHILD_HUNG] = {[CHILD_TICK] = kill_when_due,
                    [CHILD_STARTED] = nothing,
                    [CHILD_FAILED] = nothing,
                    [CHILD_BEAT] = nothing,
                    [CHILD_EXITED] = retry_later,
                    [CHILD_EXCUSE] = nothing,
                    [CHILD_STOP] = quit_hung,
                    [CHILD_QUIT] = quit_hung},
    [CHILD_STOPPING] = {[CHILD_TICK] = kill_when_due,
                        [CHILD_STARTED] = nothing,
                        [CHILD_FAILED] = nothing,
                        [CHILD_BEAT] = nothing,
                        [CHILD_EXITED] = finish,
                        [CHILD_EXCUSE] = nothing,
                        [CHILD_STOP] = nothing,
                        [CHILD_QUIT] = quit},
    [CHILD_GONE] = {[CHILD_TICK] = nothing,
                    [CHILD_STARTED] = nothing,
                    [CHILD_FAILED] = nothing,
                    [CHILD_BEAT] = nothing,
                    [CHILD_EXITED] = nothing,
                    [CHILD_EXCUSE] = nothing,
                    [CHILD_STOP] = nothing,
                    [CHILD_QUIT] = nothing},
};

void child_state_init(struct child_state_machine *child, uint32_t stop_allowance_ms) {
    *child = (struct child_state_machine){
        .state = CHILD_WAITING,
        .stop_allowance_ms = stop_allowance_ms,
        .backoff = {.first_ms = CHILD_BACKOFF_FIRST_MS, .most_ms = CHILD_BACKOFF_MOST_MS},
    };
}

enum child_action child_state_step(struct child_state_machine *child, enum child_event event,
                                   uint64_t now_ms, uint32_t random) {
    struct moment moment = {now_ms, random};
    return transitions[child->state][event](child, &moment);
}

static enum child_action enter(struct child_state_machine *child, enum child_state state,
                               uint64_t due_ms, enum child_action action) {
    child->state = state;
    child->due_ms = due_ms;
    return action;
}

static enum child_action nothing(struct child_state_machine *child, const struct moment *moment) {
    (void)child;
    (void)moment;
    return CHILD_DO_NOTHING;
}

static enum child_action start_when_due(struct child_state_machine *child,
                                        const struct moment *moment) {
    return moment->now_ms >= child->due_ms ? CHILD_DO_START : CHILD_DO_NOTHING;
}

static enum child_action started(struct child_state_machine *child, const struct moment *moment) {
    return enter(child, CHILD_STARTING, moment->now_ms + CHILD_FIRST_BEAT_MS, CHILD_DO_NOTHING);
}

/* The first failure after a healthy time is most likely a single accident: its clients are waiting to
 * reconnect, so the successor starts at once. Only what fails again is held back. */
static enum child_action retry_later(struct child_state_machine *child,
                                     const struct moment *moment) {
    uint64_t delay_ms = 0;
    if (child->failures > 0) {
        delay_ms = backoff_next_ms(&child->backoff, moment->random);
    }
    child->failures++;
    return enter(child, CHILD_WAITING, moment->now_ms + delay_ms, CHILD_DO_NOTHING);
}

static enum child_action first_beat(struct child_state_machine *child,
                                    const struct moment *moment) {
    child->healthy_since_ms = moment->now_ms;
    return enter(child, CHILD_RUNNING, moment->now_ms + CHILD_SILENCE_MS, CHILD_DO_NOTHING);
}

static enum child_action beat(struct child_state_machine *child, const struct moment *moment) {
    if (moment->now_ms - child->healthy_since_ms >= CHILD_HEALTHY_MS) {
        child->failures = 0;
        backoff_reset(&child->backoff);
    }
    child->due_ms = moment->now_ms + CHILD_SILENCE_MS;
    return CHILD_DO_NOTHING;
}

static enum child_action hang_when_due(struct child_state_machine *child,
                                       const struct moment *moment) {
    if (moment->now_ms < child->due_ms) {
        return CHILD_DO_NOTHING;
    }
    return enter(child, CHILD_HUNG, moment->now_ms + CHILD_KILL_AGAIN_MS, CHILD_DO_KILL);
}

static enum child_action kill_when_due(struct child_state_machine *child,
                                       const struct moment *moment) {
    if (moment->now_ms < child->due_ms) {
        return CHILD_DO_NOTHING;
    }
    child->due_ms = moment->now_ms + CHILD_KILL_AGAIN_MS;
    return CHILD_DO_KILL;
}

static enum child_action excuse_start(struct child_state_machine *child,
                                      const struct moment *moment) {
    child->due_ms = moment->now_ms + CHILD_FIRST_BEAT_MS;
    return CHILD_DO_NOTHING;
}

static enum child_action excuse_run(struct child_state_machine *child,
                                    const struct moment *moment) {
    child->due_ms = moment->now_ms + CHILD_SILENCE_MS;
    return CHILD_DO_NOTHING;
}

static enum child_action stop(struct child_state_machine *child, const struct moment *moment) {
    return enter(child, CHILD_STOPPING, moment->now_ms + child->stop_allowance_ms,
                 CHILD_DO_TERMINATE);
}

static enum child_action quit(struct child_state_machine *child, const struct moment *moment) {
    return enter(child, CHILD_STOPPING, moment->now_ms + CHILD_QUIT_MS, CHILD_DO_QUIT);
}

/* SIGKILL is on its way already; nothing gentler would be heard. */
static enum child_action quit_hung(struct child_state_machine *child, const struct moment *moment) {
    return enter(child, CHILD_STOPPING, moment->now_ms + CHILD_KILL_AGAIN_MS, CHILD_DO_NOTHING);
}

static enum child_action finish(struct child_state_machine *child, const struct moment *moment) {
    return enter(child, CHILD_GONE, moment->now_ms, CHILD_DO_NOTHING);
}
