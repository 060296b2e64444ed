#include "gateway/delivery/catchup_resume.h"

#include "common/clock.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/catchup_read.h"
#include "gateway/delivery/position.h"
#include "gateway/delivery/position_claim.h"
#include "gateway/delivery/snapshot.h"
#include "gateway/message/reply.h"

#include <stdlib.h>

/* A host that is itself behind gets so long. */
#define WAIT_MS 2000u

static void begin_anew(struct worker *worker, struct catchup *catchup);
static void go_on(struct worker *worker, struct conn *conn);
static long resume_from(struct worker *worker, struct catchup *catchup, uint64_t from,
                        const uint64_t *wants);
static void resumed(struct worker *worker, struct catchup *catchup, const char *reason,
                    uint32_t count, const uint64_t *wants);
static void pay_snapshots(struct worker *worker, struct conn *conn, const uint64_t *wants);

void catchup_resume(struct worker *worker, struct conn *conn, struct position_claim *claim,
                    const char *ref) {
    char *kept = ref != NULL ? strdup(ref) : NULL;
    if (!catchup_hold(worker, conn, 0) || (ref != NULL && kept == NULL)) {
        free(kept);
        position_claim_free(claim);
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
        return;
    }
    struct catchup *catchup = catchup_queue_of(worker, conn);
    catchup->told = catchup->answering = false;
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
    begin_anew(worker, catchup);
    catchup->claim = claim;
    catchup->ref = kept;
    catchup->spares = true;
    catchup->phase = CATCHUP_WAITING;
    catchup->until_ms = clock_mono_ms() + WAIT_MS;
    catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_READY);
}

void catchup_resume_answered(struct worker *worker, struct conn *conn) {
    if (conn->state == CONN_CATCHING && catchup_queue_of(worker, conn)->answering) {
        catchup_queue_of(worker, conn)->answering = false;
        pay_snapshots(worker, conn, NULL);
    }
}

void catchup_resume_not_asked(struct worker *worker, struct conn *conn) {
    if (conn->state == CONN_CATCHING && catchup_queue_of(worker, conn)->until_ms != 0) {
        go_on(worker, conn);
    }
}

void catchup_resume_hold_on(struct worker *worker, struct catchup *catchup) {
    if (clock_mono_ms() >= catchup->until_ms) {
        go_on(worker, catchup_queue_conn(worker, catchup));
    } else {
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
    }
}

/* What a join has listed since it was held, of the rooms before, the resume finds itself. */
static void begin_anew(struct worker *worker, struct catchup *catchup) {
    catchup_read_drop(worker->fanout->catchups, catchup);
    catchup->conflated = 0;
    catchup->cursor = catchup->began_at;
}

static void add_room(void *context, struct span room) {
    position_rooms_add(context, room);
}

long catchup_resume_wait(struct worker *worker, struct catchup *catchup) {
    static uint64_t wants[POSITIONS_MAX_PARTITIONS];
    struct position_view *view = worker->position;
    struct position_rooms rooms = {.view = view};
    uint64_t from;
    if (!catchup_read_may_list(worker)) {
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
        return 0;
    }
    position_refresh(view);
    conn_each_room(worker, catchup_queue_conn(worker, catchup), add_room, &rooms);
    enum claim_verdict verdict = position_claim_judge(catchup->claim, &rooms, wants, &from);
    if (verdict == CLAIM_NOT_YET && clock_mono_ms() < catchup->until_ms) {
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
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
    int error = catchup_read_list(worker, catchup, &stretch, &got);
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
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_IDLE);
        break;
    default:
        catchup_read_give_up(worker, catchup, error);
    }
    return (long)got.cost;
}

/* The answer; the events come behind it. `reason` NULL: recovered. */
static void resumed(struct worker *worker, struct catchup *catchup, const char *reason,
                    uint32_t count, const uint64_t *wants) {
    struct conn *conn = catchup_queue_conn(worker, catchup);
    enum stat_id outcome = reason == NULL                   ? STAT_RESUMES_RECOVERED
                           : strcmp(reason, "TOO_OLD") == 0 ? STAT_RESUMES_TOO_OLD
                                                            : STAT_RESUMES_UNKNOWN;
    stats_add(worker->stats, outcome, 1);
    position_claim_free(catchup->claim);
    catchup->claim = NULL;
    catchup->phase = CATCHUP_READING;
    catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_READY);
    reply_resumed(worker, conn, reason, count, catchup->ref); /* may close, and so free it */
    pay_snapshots(worker, conn, wants);
}

/* HELD no longer: on with the events since. */
static void go_on(struct worker *worker, struct conn *conn) {
    if (conn->state == CONN_CATCHING && catchup_queue_of(worker, conn)->phase == CATCHUP_HELD) {
        struct catchup *catchup = catchup_queue_of(worker, conn);
        catchup->phase = CATCHUP_READING;
        catchup_queue_move(worker->fanout->catchups, catchup, CATCHUP_READY);
        pay_snapshots(worker, conn, NULL);
    }
}

/* Of what the resume gives the newest values come by it. wants NULL: it gives nothing. */
static void pay_snapshots(struct worker *worker, struct conn *conn, const uint64_t *wants) {
    if (conn->state == CONN_CATCHING && catchup_queue_of(worker, conn)->owes_snapshots) {
        catchup_queue_of(worker, conn)->owes_snapshots = false;
        snapshot_send_rooms(worker, conn, &(struct snapshot_choice){.named = wants});
    }
}
