#include "gateway/delivery/catchup.h"

#include "common/clock.h"
#include "gateway/delivery/catchup_queue.h"
#include "gateway/delivery/catchup_read.h"
#include "gateway/delivery/catchup_resume.h"
#include "gateway/delivery/position_claim.h"

#include <stdlib.h>

/* A turn's share, in records looked at or queued: some 0.3 ms. */
#define TURN_BUDGET CATCHUP_READ_MOST
/* What starting on a connection costs beside its records, in the same measure. */
#define STEP_COST 8

static struct catchup *start(struct worker *worker, struct conn *conn, enum catchup_phase phase,
                             uint64_t cursor);
static long step(struct worker *worker, struct catchup *catchup);

int catchups_new(struct catchups **out) {
    struct catchups *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return -ENOMEM;
    }
    slab_init(&all->slab, sizeof(struct catchup));
    *out = all;
    return 0;
}

void catchups_free(struct catchups *all) {
    if (all != NULL) {
        slab_done(&all->slab); /* every connection has been forgotten before */
        catchup_frame_done(&all->frames);
        free(all);
    }
}

bool catchup_hold(struct worker *worker, struct conn *conn, uint64_t grace_ms) {
    if (conn->state == CONN_CATCHING) {
        return true;
    }
    if (conn->state != CONN_LIVE) {
        return false;
    }
    struct catchup *catchup = start(worker, conn, CATCHUP_HELD, worker->reader.cursor);
    if (catchup != NULL && grace_ms > 0) {
        catchup->told = catchup->answering = true;
        catchup->until_ms = clock_mono_ms() + grace_ms;
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
    }
    return catchup != NULL;
}

bool catchup_fall_behind(struct worker *worker, struct conn *conn, uint64_t position) {
    struct catchup *catchup = start(worker, conn, CATCHUP_READING, position);
    if (catchup == NULL) {
        return false;
    }
    catchup->had_events = true;
    catchup->slow = catchup->spares = true;
    stats_add(worker->stats, STAT_FELL_BEHIND, 1);
    catchup_written(worker, conn); /* it may have room for a shorter one */
    return true;
}

void catchup_passed_by(struct worker *worker, struct conn *conn) {
    struct catchup *catchup = catchup_queue_of(worker, conn);
    if ((catchup->slow || !catchup->spares) && catchup->passed_stamp != worker->fanout->stamp) {
        catchup->passed_stamp = worker->fanout->stamp;
        catchup->passed++;
    }
}

void catchup_has_late(struct worker *worker, struct conn *conn) {
    catchup_queue_of(worker, conn)->passed_stamp = worker->fanout->stamp;
}

void catchup_missed_late(struct worker *worker, struct conn *conn, uint64_t position) {
    struct catchup *catchup = catchup_queue_of(worker, conn);
    /* who was held has had the snapshots of its rooms since, or gets them; what lies behind its begin it reads itself */
    if (catchup->slow && position < catchup->began_at &&
        catchup->passed_stamp != worker->fanout->stamp &&
        (catchup->late_at == 0 || position < catchup->late_at)) {
        catchup->late_at = position;
    }
}

void catchup_before_join(struct worker *worker, struct conn *conn) {
    struct catchup *catchup = catchup_queue_of(worker, conn);
    struct catchup_stretch stretch = catchup_read_stretch(worker, catchup);
    struct catchup_list got;
    if (catchup->phase == CATCHUP_WAITING) {
        return; /* its rooms count when it is resumed */
    }
    int error = catchup_read_list(worker, catchup, &stretch, &got);
    if (error != 0) {
        catchup_read_give_up(worker, catchup, error);
    }
}

bool catchup_defers(const struct worker *worker, const struct conn *conn) {
    struct catchup *catchup = catchup_queue_of(worker, conn);
    bool waits = catchup->phase == CATCHUP_WAITING ||
                 (catchup->phase == CATCHUP_HELD && (catchup->until_ms == 0 || catchup->answering));
    catchup->owes_snapshots |= waits;
    return waits;
}

void catchup_written(struct worker *worker, struct conn *conn) {
    struct catchup *catchup = catchup_queue_of(worker, conn);
    if (catchup->phase == CATCHUP_READING && catchup->queue == CATCHUP_NOWHERE &&
        catchup_read_has_space(worker, conn)) {
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_READY);
    }
}

void catchup_forget(struct worker *worker, struct conn *conn) {
    struct catchups *all = worker->fanout->catchups;
    struct catchup *catchup = catchup_queue_of(worker, conn);
    catchup_queue_move(all, catchup, CATCHUP_NOWHERE);
    catchup_read_drop(all, catchup);
    position_claim_free(catchup->claim);
    free(catchup->ref);
    conn->stamp = catchup->had_events ? FANOUT_STAMP_OLD : 0;
    slab_give(&all->slab, catchup->self);
}

bool catchup_told(const struct worker *worker, const struct conn *conn, uint64_t *cursor) {
    const struct catchup *catchup = catchup_queue_of(worker, conn);

    *cursor = catchup->began_at;
    return catchup->told && !catchup->had_events;
}

bool catchup_turn(struct worker *worker) {
    struct catchups *all = worker->fanout->catchups;
    long budget = TURN_BUDGET;
    while (budget > 0 && all->queues[CATCHUP_READY].first != 0 && !fanout_full(worker)) {
        budget -= step(worker, catchup_queue_at(all, all->queues[CATCHUP_READY].first)) + STEP_COST;
    }
    return all->queues[CATCHUP_READY].first != 0 && !fanout_full(worker);
}

void catchup_tick(struct worker *worker) {
    struct catchups *all = worker->fanout->catchups;
    catchup_frame_clear(worker);
    while (all->queues[CATCHUP_IDLE].first != 0) {
        catchup_queue_move(all, catchup_queue_at(all, all->queues[CATCHUP_IDLE].first),
                           CATCHUP_READY);
    }
}

static struct catchup *start(struct worker *worker, struct conn *conn, enum catchup_phase phase,
                             uint64_t cursor) {
    uint32_t index = slab_take(&worker->fanout->catchups->slab);
    if (index == 0) {
        return NULL;
    }
    struct catchup *catchup = catchup_queue_at(worker->fanout->catchups, index);
    *catchup = (struct catchup){.self = index,
                                .conn = conn->self,
                                .phase = (uint8_t)phase,
                                .had_events = conn->stamp != 0,
                                .began_at = cursor,
                                .cursor = cursor};
    conn->stamp = index;
    conn_set_state(worker, conn, CONN_CATCHING);
    return catchup;
}

/* What it cost. Afterwards the connection is where it belongs: another queue, the end of this one, or live. */
static long step(struct worker *worker, struct catchup *catchup) {
    switch (catchup->phase) {
    case CATCHUP_HELD:
        catchup_resume_hold_on(worker, catchup);
        return 0;
    case CATCHUP_WAITING:
        return catchup_resume_wait(worker, catchup);
    default:
        return catchup_read(worker, catchup);
    }
}
