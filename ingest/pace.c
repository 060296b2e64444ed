#include "ingest/pace.h"

/* One worker at one step. */
struct pace_look {
    uint64_t lag, capacity, cursor, now_ms;
};

static void step_worker(struct pace_worker *worker, const struct pace_look *look);
static enum pace_state when_free(struct pace_worker *worker, const struct pace_look *look);
static enum pace_state when_waited_for(struct pace_worker *worker, const struct pace_look *look);
static enum pace_state when_excused(struct pace_worker *worker, const struct pace_look *look);

typedef enum pace_state state_step(struct pace_worker *worker, const struct pace_look *look);
static state_step *const steps[] = {
    [PACE_FREE] = when_free,
    [PACE_WAITED_FOR] = when_waited_for,
    [PACE_EXCUSED] = when_excused,
};

void pace_init(struct pace *pace) {
    *pace = (struct pace){.waiting = false};
}

bool pace_step(struct pace *pace, const struct pace_view *view, uint64_t now_ms) {
    bool waiting = false;

    for (unsigned i = 0; i < view->count && i < HERITAGE_MAX_WORKERS; i++) {
        struct pace_worker *worker = &pace->workers[i];
        uint64_t cursor = view->cursors[i];
        if (!view->serving[i]) {
            worker->state = PACE_FREE;
            continue;
        }
        /* A cursor past the head (seen later than the head was) is no lag at all. */
        step_worker(worker, &(struct pace_look){cursor < view->head ? view->head - cursor : 0,
                                                view->capacity, cursor, now_ms});
        waiting = waiting || worker->state == PACE_WAITED_FOR;
    }
    if (pace->waiting) {
        pace->waited_ms += now_ms - pace->stepped_ms;
    } else if (waiting) {
        pace->episodes++;
    }
    pace->waiting = waiting;
    pace->stepped_ms = now_ms;
    return waiting;
}

static void step_worker(struct pace_worker *worker, const struct pace_look *look) {
    worker->state = steps[worker->state](worker, look);
    worker->cursor = look->cursor;
}

static enum pace_state when_free(struct pace_worker *worker, const struct pace_look *look) {
    if (look->lag <= look->capacity / 2) {
        return PACE_FREE;
    }
    worker->since_ms = look->now_ms;
    worker->moved_ms = look->now_ms;
    return PACE_WAITED_FOR;
}

static enum pace_state when_waited_for(struct pace_worker *worker, const struct pace_look *look) {
    if (look->lag <= look->capacity / 2) {
        return PACE_FREE;
    }
    if (look->cursor != worker->cursor) {
        worker->moved_ms = look->now_ms;
    }
    if (look->now_ms - worker->moved_ms >= PACE_STILL_MS ||
        look->now_ms - worker->since_ms >= PACE_EPISODE_MS) {
        return PACE_EXCUSED;
    }
    return PACE_WAITED_FOR;
}

static enum pace_state when_excused(struct pace_worker *worker, const struct pace_look *look) {
    (void)worker;
    return look->lag < look->capacity / 4 ? PACE_FREE : PACE_EXCUSED;
}
