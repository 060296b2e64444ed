#include "gateway/delivery/catchup_read.h"

#include "gateway/delivery/catchup_deliver.h"
#include "gateway/message/notice.h"

#include <stdlib.h>

/* The most that waits in the queue of who is catching up: one write's worth, and half of WS_MAX_QUEUE_BYTES. */
#define FILL_BYTES 65536u
/* Entries of all lists, 64 MiB; past it no list is begun. */
#define MAX_LISTED (4u << 20)
/* Who was only held a moment, as everybody is after authentication, gets every value of conflated routes, as if it had
 * been live: a moment of them at 20,000/s. If it is more, the newest ones, as for who is slow, and it is told. */
#define HELD_WHOLE_MOST 4096u

static void become_live(struct worker *worker, struct catchup *catchup);
static long queue_listed(struct worker *worker, struct catchup *catchup);
static long collect_more(struct worker *worker, struct catchup *catchup);

long catchup_read(struct worker *worker, struct catchup *catchup) {
    struct conn *conn = catchup_queue_conn(worker, catchup);
    if (!catchup_read_has_space(worker, conn)) {
        catchup_queue_move(worker->fanout->catchups, catchup,
                           CATCHUP_NOWHERE); /* until catchup_written() */
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

bool catchup_read_may_list(const struct worker *worker) {
    return worker->fanout->catchups->listed <= MAX_LISTED;
}

bool catchup_read_has_space(const struct worker *worker, const struct conn *conn) {
    uint64_t half = overload_queue_limit(worker) / 2;
    return conn->queue.bytes < (half < FILL_BYTES ? half : FILL_BYTES);
}

struct catchup_stretch catchup_read_stretch(const struct worker *worker,
                                            const struct catchup *catchup) {
    return (struct catchup_stretch){.from = catchup->cursor,
                                    .to = worker->reader.cursor,
                                    .passed = catchup->passed,
                                    .whole_most = catchup->spares ? 0 : HELD_WHOLE_MOST};
}

int catchup_read_list(struct worker *worker, struct catchup *catchup,
                      const struct catchup_stretch *stretch, struct catchup_list *got) {
    bool told = catchup->slow; /* who resumes expects the newest values only */
    int error = catchup_collect(worker, catchup_queue_conn(worker, catchup), stretch, got);
    if ((error == -E2BIG || error == -ESTALE) && stretch->whole_most != 0) {
        struct catchup_stretch newest = *stretch;
        newest.whole_most = 0;
        told = true;
        error = catchup_collect(worker, catchup_queue_conn(worker, catchup), &newest, got);
    }
    catchup->conflated += told ? got->conflated : 0;
    catchup->passed = error == 0 ? 0 : catchup->passed;
    uint32_t left = catchup->count - catchup->at;
    if (error != 0 || got->count == 0) {
        catchup->cursor = error != 0 ? catchup->cursor : stretch->to;
        return error;
    }
    if (left + got->count > CATCHUP_MAX_MISSED) {
        free(got->entries);
        return -E2BIG;
    }
    if (catchup->list != NULL) {
        struct catchup_missed *both = malloc((left + got->count) * sizeof *both);
        if (both == NULL) {
            free(got->entries);
            return -ENOMEM;
        }
        memcpy(both, catchup->list + catchup->at, left * sizeof *both);
        memcpy(both + left, got->entries, got->count * sizeof *both);
        free(got->entries);
        got->entries = both;
    }
    catchup_read_drop(worker->fanout->catchups, catchup);
    catchup->list = got->entries;
    catchup->count = left + got->count;
    worker->fanout->catchups->listed += catchup->count;
    catchup->cursor = stretch->to;
    return 0;
}

void catchup_read_drop(struct catchups *all, struct catchup *catchup) {
    all->listed -= catchup->list != NULL ? catchup->count : 0;
    free(catchup->list);
    catchup->list = NULL;
    catchup->at = catchup->count = 0;
}

void catchup_read_give_up(struct worker *worker, struct catchup *catchup, int error) {
    stats_add(worker->stats, error == -E2BIG ? STAT_CATCHUPS_TOO_MUCH : STAT_CATCHUPS_LAPPED, 1);
    conn_too_slow(worker, catchup_queue_conn(worker, catchup));
}

/* Told once, at the end: how often is the network's business, not the client's. */
static void become_live(struct worker *worker, struct catchup *catchup) {
    struct conn *conn = catchup_queue_conn(worker, catchup);
    uint64_t conflated = catchup->conflated;
    struct snapshot_choice late = {.from = catchup->late_at, .to = catchup->began_at};
    sample_given_since(worker, conn, late.from != 0 ? late.from : late.to);
    conn_set_state(worker, conn, CONN_LIVE); /* forgets it */
    if (late.from != 0) {
        snapshot_send_rooms(worker, conn, &late);
    }
    if (conflated > 0) {
        notice_conflated(worker, conn, conflated);
    }
}

/* As many as fit, so that another's turn comes too. */
static long queue_listed(struct worker *worker, struct catchup *catchup) {
    struct conn *conn = catchup_queue_conn(worker, catchup);
    long done = 0;
    while (catchup->at < catchup->count && catchup_read_has_space(worker, conn) &&
           done < CATCHUP_READ_MOST) {
        /* it may have stalled since the list was made; to a resume its events have been announced */
        int result = catchup_deliver(worker, conn, &catchup->list[catchup->at], catchup->slow);
        if (result == -EAGAIN) {
            catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
            return done;
        }
        if (result < 0) {
            catchup_read_give_up(worker, catchup, result);
            return done;
        }
        catchup->had_events |= result == CATCHUP_QUEUED;
        catchup->conflated += result == CATCHUP_SPARED;
        catchup->at++;
        done++;
    }
    if (catchup->at == catchup->count) {
        catchup_read_drop(worker->fanout->catchups, catchup);
    }
    catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_READY); /* behind the others */
    return done;
}

static long collect_more(struct worker *worker, struct catchup *catchup) {
    struct catchup_stretch stretch = catchup_read_stretch(worker, catchup);
    struct catchup_list got;
    if (!catchup_read_may_list(worker)) {
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
        return 0;
    }
    int error = catchup_read_list(worker, catchup, &stretch, &got);
    if (error == -EAGAIN) {
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
    } else if (error != 0) {
        catchup_read_give_up(worker, catchup, error);
    }
    return (long)got.cost;
}
