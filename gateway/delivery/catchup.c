#include "gateway/delivery/catchup.h"

#include "common/clock.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup_collect.h"
#include "gateway/delivery/catchup_deliver.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/position.h"
#include "gateway/delivery/position_claim.h"
#include "gateway/delivery/snapshot.h"
#include "gateway/message/notice.h"
#include "gateway/message/reply.h"

#include <stdlib.h>

/* A turn's share, in records looked at or queued: some 0.3 ms. */
#define TURN_BUDGET 1024
/* What starting on a connection costs beside its records, in the same measure. */
#define STEP_COST 8
/* The most that waits in the queue of who is catching up: one write's worth, and half of WS_MAX_QUEUE_BYTES. */
#define FILL_BYTES 65536u
/* A host that is itself behind gets so long. */
#define WAIT_MS 2000u
/* Entries of all lists; past it no list is begun. */
#define MAX_LISTED (8u << 20)
/* Who was only held a moment gets every value of conflated routes, as if it had been live, unless that is many: then the
 * newest ones, as for who is slow. */
#define HELD_WHOLE_MOST 512u

enum phase { HELD, WAITING, READING };

struct catchup {
    uint32_t self; /* first word: the slab's link while free */
    uint32_t conn;
    uint32_t next, previous; /* in its queue */
    uint8_t phase;
    uint8_t queue;       /* index into catchups.queues */
    bool had_events;     /* on this connection, before or since */
    bool slow;           /* fell behind by itself: it is told what it was spared */
    bool spares;         /* slow, or resumes: of conflated routes it gets the newest values */
    bool owes_snapshots; /* they come after the resume */
    uint64_t conflated;  /* passed over of what it was too slow for, not told yet */
    bool told;           /* may be told a position: held by its handshake */
    uint64_t cursor;     /* all before it is queued or listed */
    uint64_t *list;      /* positions missed; NULL: none */
    uint32_t at, count;
    uint64_t until_ms; /* HELD, WAITING: the end of it; 0: none */
    struct position_claim *claim;
    char *ref;
};

/* READY has work now, IDLE is looked at each tick, NOWHERE waits for its socket. */
enum queue { NOWHERE, READY, IDLE, QUEUE_COUNT };

struct catchups {
    struct slab slab;
    struct {
        uint32_t first, last, count;
    } queues[QUEUE_COUNT];
    uint32_t listed; /* entries of all lists */
};

static struct catchup *start(struct worker *worker, struct conn *conn, enum phase phase,
                             uint64_t cursor);
static void move(struct catchups *all, struct catchup *catchup, enum queue queue);
static long step(struct worker *worker, struct catchup *catchup);
static void go_on(struct worker *worker, struct conn *conn);
static void held_step(struct worker *worker, struct catchup *catchup);
static long wait_step(struct worker *worker, struct catchup *catchup);
static long resume_from(struct worker *worker, struct catchup *catchup, uint64_t from,
                        const uint64_t *wants);
static void resumed(struct worker *worker, struct catchup *catchup, const char *reason,
                    uint32_t count, const uint64_t *wants);
static void pay_snapshots(struct worker *worker, struct conn *conn, const uint64_t *wants);
static void become_live(struct worker *worker, struct catchup *catchup);
static long read_step(struct worker *worker, struct catchup *catchup);
static long queue_listed(struct worker *worker, struct catchup *catchup);
static long collect_more(struct worker *worker, struct catchup *catchup);
static struct catchup_stretch stretch_since(const struct worker *worker,
                                            const struct catchup *catchup);
static int append_list(struct worker *worker, struct catchup *catchup,
                       const struct catchup_stretch *stretch, struct catchup_list *got);
static void give_up(struct worker *worker, struct catchup *catchup, int error);
static void drop_list(struct catchups *all, struct catchup *catchup);

static struct catchup *at(const struct catchups *all, uint32_t index) {
    return slab_at(&all->slab, index);
}

static struct catchup *catchup_of(const struct worker *worker, const struct conn *conn) {
    return at(worker->fanout->catchups, conn->stamp);
}

static struct conn *conn_of(const struct worker *worker, const struct catchup *catchup) {
    return conn_at(worker, catchup->conn);
}

static bool has_space(const struct worker *worker, const struct conn *conn) {
    uint64_t half = overload_queue_limit(worker) / 2;
    return conn->queue.bytes < (half < FILL_BYTES ? half : FILL_BYTES);
}

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
    struct catchup *catchup = start(worker, conn, HELD, worker->reader.cursor);
    if (catchup != NULL && grace_ms > 0) {
        catchup->told = true;
        catchup->until_ms = clock_mono_ms() + grace_ms;
        move(worker->fanout->catchups, catchup, IDLE);
    }
    return catchup != NULL;
}

void catchup_resume(struct worker *worker, struct conn *conn, struct position_claim *claim,
                    const char *ref) {
    char *kept = ref != NULL ? strdup(ref) : NULL;
    if (!catchup_hold(worker, conn, 0) || (ref != NULL && kept == NULL)) {
        free(kept);
        position_claim_free(claim);
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
        return;
    }
    struct catchup *catchup = catchup_of(worker, conn);
    catchup->told = false;
    if (catchup->had_events || catchup->claim != NULL) {
        reply_resumed(worker, conn, "UNKNOWN_POSITION", 0, kept);
        stats_add(worker->stats, STAT_RESUMES_UNKNOWN, 1);
        free(kept);
        position_claim_free(claim);
        if (catchup->claim == NULL) {
            go_on(worker, conn);
        }
        return;
    }
    catchup->claim = claim;
    catchup->ref = kept;
    catchup->spares = true;
    catchup->phase = WAITING;
    catchup->until_ms = clock_mono_ms() + WAIT_MS;
    move(worker->fanout->catchups, catchup, READY);
}

bool catchup_fall_behind(struct worker *worker, struct conn *conn, uint64_t position) {
    struct catchup *catchup = start(worker, conn, READING, position);
    if (catchup == NULL) {
        return false;
    }
    catchup->had_events = true;
    catchup->slow = catchup->spares = true;
    stats_add(worker->stats, STAT_FELL_BEHIND, 1);
    catchup_written(worker, conn); /* it may have room for a shorter one */
    return true;
}

void catchup_before_join(struct worker *worker, struct conn *conn) {
    struct catchup *catchup = catchup_of(worker, conn);
    struct catchup_stretch stretch = stretch_since(worker, catchup);
    struct catchup_list got;
    if (catchup->phase == WAITING) {
        return; /* its rooms count when it is resumed */
    }
    int error = append_list(worker, catchup, &stretch, &got);
    if (error != 0) {
        give_up(worker, catchup, error);
    }
}

bool catchup_defers(const struct worker *worker, const struct conn *conn) {
    struct catchup *catchup = catchup_of(worker, conn);
    bool waits = catchup->phase == WAITING || (catchup->phase == HELD && catchup->until_ms == 0);
    catchup->owes_snapshots |= waits;
    return waits;
}

void catchup_written(struct worker *worker, struct conn *conn) {
    struct catchup *catchup = catchup_of(worker, conn);
    if (catchup->phase == READING && catchup->queue == NOWHERE && has_space(worker, conn)) {
        move(worker->fanout->catchups, catchup, READY);
    }
}

void catchup_forget(struct worker *worker, struct conn *conn) {
    struct catchups *all = worker->fanout->catchups;
    struct catchup *catchup = catchup_of(worker, conn);
    move(all, catchup, NOWHERE);
    drop_list(all, catchup);
    position_claim_free(catchup->claim);
    free(catchup->ref);
    conn->stamp = catchup->had_events ? FANOUT_STAMP_OLD : 0;
    slab_give(&all->slab, catchup->self);
}

bool catchup_is_fresh(const struct worker *worker, const struct conn *conn) {
    return catchup_of(worker, conn)->told;
}

bool catchup_turn(struct worker *worker) {
    struct catchups *all = worker->fanout->catchups;
    long budget = TURN_BUDGET;
    while (budget > 0 && all->queues[READY].first != 0 && !fanout_full(worker)) {
        budget -= step(worker, at(all, all->queues[READY].first)) + STEP_COST;
    }
    return all->queues[READY].first != 0 && !fanout_full(worker);
}

void catchup_tick(struct worker *worker) {
    struct catchups *all = worker->fanout->catchups;
    while (all->queues[IDLE].first != 0) {
        move(all, at(all, all->queues[IDLE].first), READY);
    }
}

static struct catchup *start(struct worker *worker, struct conn *conn, enum phase phase,
                             uint64_t cursor) {
    uint32_t index = slab_take(&worker->fanout->catchups->slab);
    if (index == 0) {
        return NULL;
    }
    struct catchup *catchup = at(worker->fanout->catchups, index);
    *catchup = (struct catchup){.self = index,
                                .conn = conn->self,
                                .phase = (uint8_t)phase,
                                .had_events = conn->stamp != 0,
                                .cursor = cursor};
    conn->stamp = index;
    conn_set_state(worker, conn, CONN_CATCHING);
    return catchup;
}

/* To the end of the queue; from whichever it is in. */
static void move(struct catchups *all, struct catchup *catchup, enum queue queue) {
    if (catchup->queue != NOWHERE) {
        uint32_t *first = &all->queues[catchup->queue].first,
                 *last = &all->queues[catchup->queue].last;
        *(catchup->previous != 0 ? &at(all, catchup->previous)->next : first) = catchup->next;
        *(catchup->next != 0 ? &at(all, catchup->next)->previous : last) = catchup->previous;
        all->queues[catchup->queue].count--;
    }
    catchup->next = catchup->previous = 0;
    catchup->queue = (uint8_t)queue;
    if (queue != NOWHERE) {
        catchup->previous = all->queues[queue].last;
        *(catchup->previous != 0 ? &at(all, catchup->previous)->next : &all->queues[queue].first) =
            catchup->self;
        all->queues[queue].last = catchup->self;
        all->queues[queue].count++;
    }
}

/* What it cost. Afterwards the connection is where it belongs: another queue, the end of this one, or live. */
static long step(struct worker *worker, struct catchup *catchup) {
    switch (catchup->phase) {
    case HELD:
        held_step(worker, catchup);
        return 0;
    case WAITING:
        return wait_step(worker, catchup);
    default:
        return read_step(worker, catchup);
    }
}

/* HELD no longer: on with the events since. */
static void go_on(struct worker *worker, struct conn *conn) {
    if (conn->state == CONN_CATCHING && catchup_of(worker, conn)->phase == HELD) {
        struct catchup *catchup = catchup_of(worker, conn);
        catchup->phase = READING;
        move(worker->fanout->catchups, catchup, READY);
        pay_snapshots(worker, conn, NULL);
    }
}

static void held_step(struct worker *worker, struct catchup *catchup) {
    if (clock_mono_ms() >= catchup->until_ms) {
        go_on(worker, conn_of(worker, catchup));
    } else {
        move(worker->fanout->catchups, catchup, IDLE);
    }
}

static void add_room(void *context, struct span room) {
    position_rooms_add(context, room);
}

static long wait_step(struct worker *worker, struct catchup *catchup) {
    static uint64_t wants[POSITIONS_MAX_PARTITIONS];
    struct position_view *view = worker->position;
    struct position_rooms rooms = {.view = view};
    uint64_t from;
    position_refresh(view);
    conn_each_room(worker, conn_of(worker, catchup), add_room, &rooms);
    enum claim_verdict verdict = position_claim_judge(catchup->claim, &rooms, wants, &from);
    if (verdict == CLAIM_NOT_YET && clock_mono_ms() < catchup->until_ms) {
        move(worker->fanout->catchups, catchup, IDLE);
        return 0;
    }
    if (verdict == CLAIM_GOOD) {
        return resume_from(worker, catchup, from, wants);
    }
    resumed(worker, catchup, verdict == CLAIM_TOO_OLD ? "TOO_OLD" : "UNKNOWN_POSITION", 0, NULL);
    return 0;
}

static long resume_from(struct worker *worker, struct catchup *catchup, uint64_t from,
                        const uint64_t *wants) {
    struct catchup_stretch stretch = {
        .from = from < catchup->cursor ? from : catchup->cursor,
        .to = worker->reader.cursor,
        .wants = wants,
        .live_from = catchup->cursor,
    };
    struct catchup_list got;
    int error = append_list(worker, catchup, &stretch, &got);
    switch (error) {
    case 0:
        resumed(worker, catchup, NULL, got.missed, wants);
        break;
    case -E2BIG: /* as good as gone: no client waits for so much */
    case -ESTALE:
        resumed(worker, catchup, "TOO_OLD", 0, NULL);
        break;
    case -EILSEQ:
        resumed(worker, catchup, "UNKNOWN_POSITION", 0, NULL);
        break;
    case -EAGAIN:
        move(worker->fanout->catchups, catchup, IDLE);
        break;
    default:
        give_up(worker, catchup, error);
    }
    return (long)got.cost;
}

/* The answer; the events come behind it. `reason` NULL: recovered. */
static void resumed(struct worker *worker, struct catchup *catchup, const char *reason,
                    uint32_t count, const uint64_t *wants) {
    struct conn *conn = conn_of(worker, catchup);
    enum stat_id outcome = reason == NULL                   ? STAT_RESUMES_RECOVERED
                           : strcmp(reason, "TOO_OLD") == 0 ? STAT_RESUMES_TOO_OLD
                                                            : STAT_RESUMES_UNKNOWN;
    stats_add(worker->stats, outcome, 1);
    position_claim_free(catchup->claim);
    catchup->claim = NULL;
    catchup->phase = READING;
    move(worker->fanout->catchups, catchup, READY);
    reply_resumed(worker, conn, reason, count, catchup->ref); /* may close, and so free it */
    pay_snapshots(worker, conn, wants);
}

/* Of what the resume gives the newest values come by it. wants NULL: it gives nothing. */
static void pay_snapshots(struct worker *worker, struct conn *conn, const uint64_t *wants) {
    if (conn->state == CONN_CATCHING && catchup_of(worker, conn)->owes_snapshots) {
        catchup_of(worker, conn)->owes_snapshots = false;
        snapshot_send_rooms(worker, conn, wants);
    }
}

/* Told once, at the end: how often is the network's business, not the client's. */
static void become_live(struct worker *worker, struct catchup *catchup) {
    struct conn *conn = conn_of(worker, catchup);
    uint64_t conflated = catchup->conflated;
    conn_set_state(worker, conn, CONN_LIVE); /* forgets it */
    if (conflated > 0) {
        notice_conflated(worker, conn, conflated);
    }
}

static long read_step(struct worker *worker, struct catchup *catchup) {
    struct conn *conn = conn_of(worker, catchup);
    if (!has_space(worker, conn)) {
        move(worker->fanout->catchups, catchup, NOWHERE); /* until catchup_written() */
        return 0;
    }
    if (catchup->list != NULL) {
        return queue_listed(worker, catchup);
    }
    if (catchup->cursor == worker->reader.cursor) {
        become_live(worker, catchup);
        return 0;
    }
    return collect_more(worker, catchup);
}

/* As many as fit, so that another's turn comes too. */
static long queue_listed(struct worker *worker, struct catchup *catchup) {
    struct conn *conn = conn_of(worker, catchup);
    long done = 0;
    while (catchup->at < catchup->count && has_space(worker, conn) && done < TURN_BUDGET) {
        /* it may have stalled since the list was made; to a resume its events have been announced */
        int result = catchup_deliver(worker, conn, catchup->list[catchup->at], catchup->slow);
        if (result < 0) {
            give_up(worker, catchup, result);
            return done;
        }
        catchup->had_events |= result == CATCHUP_QUEUED;
        catchup->conflated += result == CATCHUP_SPARED;
        catchup->at++;
        done++;
    }
    if (catchup->at == catchup->count) {
        drop_list(worker->fanout->catchups, catchup);
    }
    move(worker->fanout->catchups, catchup, READY); /* behind the others */
    return done;
}

static long collect_more(struct worker *worker, struct catchup *catchup) {
    struct catchup_stretch stretch = stretch_since(worker, catchup);
    struct catchup_list got;
    if (worker->fanout->catchups->listed > MAX_LISTED) {
        move(worker->fanout->catchups, catchup, IDLE);
        return 0;
    }
    int error = append_list(worker, catchup, &stretch, &got);
    if (error == -EAGAIN) {
        move(worker->fanout->catchups, catchup, IDLE);
    } else if (error != 0) {
        give_up(worker, catchup, error);
    }
    return (long)got.cost;
}

static struct catchup_stretch stretch_since(const struct worker *worker,
                                            const struct catchup *catchup) {
    return (struct catchup_stretch){.from = catchup->cursor,
                                    .to = worker->reader.cursor,
                                    .whole_most = catchup->spares ? 0 : HELD_WHOLE_MOST};
}

/* Adds to its list what it has missed in the stretch; its cursor is the stretch's end then. */
static int append_list(struct worker *worker, struct catchup *catchup,
                       const struct catchup_stretch *stretch, struct catchup_list *got) {
    int error = catchup_collect(worker, conn_of(worker, catchup), stretch, got);
    if (error == -E2BIG && stretch->whole_most != 0) {
        struct catchup_stretch newest = *stretch;
        newest.whole_most = 0;
        error = catchup_collect(worker, conn_of(worker, catchup), &newest, got);
    }
    catchup->conflated += catchup->slow ? got->conflated : 0;
    uint32_t left = catchup->count - catchup->at;
    if (error != 0 || got->count == 0) {
        catchup->cursor = error != 0 ? catchup->cursor : stretch->to;
        return error;
    }
    if (left + got->count > CATCHUP_MAX_MISSED) {
        free(got->positions);
        return -E2BIG;
    }
    if (left > 0) {
        uint64_t *both = malloc((left + got->count) * sizeof *both);
        if (both == NULL) {
            free(got->positions);
            return -ENOMEM;
        }
        memcpy(both, catchup->list + catchup->at, left * sizeof *both);
        memcpy(both + left, got->positions, got->count * sizeof *both);
        free(got->positions);
        got->positions = both;
    }
    drop_list(worker->fanout->catchups, catchup);
    catchup->list = got->positions;
    catchup->count = left + got->count;
    worker->fanout->catchups->listed += catchup->count;
    catchup->cursor = stretch->to;
    return 0;
}

/* It can't be caught up: it may come again and resume. */
static void give_up(struct worker *worker, struct catchup *catchup, int error) {
    stats_add(worker->stats, error == -E2BIG ? STAT_CATCHUPS_TOO_MUCH : STAT_CATCHUPS_LAPPED, 1);
    conn_too_slow(worker, conn_of(worker, catchup));
}

static void drop_list(struct catchups *all, struct catchup *catchup) {
    all->listed -= catchup->list != NULL ? catchup->count : 0;
    free(catchup->list);
    catchup->list = NULL;
    catchup->at = catchup->count = 0;
}
