#include "gateway/delivery/fanout.h"

#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/conn_flush.h"
#include "gateway/delivery/overload.h"
#include "gateway/delivery/snapshot_mirror.h"

#include <stdlib.h>

/* Listeners' connections lie anywhere in memory: ask for them some steps ahead. */
#define PREFETCH_AHEAD 6u

int fanout_new(struct worker *worker, struct fanout **out) {
    struct fanout *fanout = calloc(1, sizeof *fanout);
    if (fanout == NULL) {
        return -ENOMEM;
    }
    int error = frame_arena_init(&fanout->arena);
    if (error == 0) {
        error = snapshot_mirror_new(&fanout->snapshots);
    }
    error = error != 0 ? error : samples_new(&fanout->samples);
    if (error == 0 && worker->options->ws_deflate) {
        error = frame_deflate_new(&fanout->deflater);
    }
    error = error != 0 ? error : catchups_new(&fanout->catchups);
    error = error != 0 ? error : ring_read_init(&fanout->missed, &worker->view.segment);
    if (error != 0) {
        catchups_free(fanout->catchups);
        frame_deflate_free(fanout->deflater);
        snapshot_mirror_free(fanout->snapshots);
        samples_free(fanout->samples);
        frame_arena_done(&fanout->arena);
        free(fanout);
        return error;
    }
    const struct slab *conns = &worker->conns->slab;
    interest_init(&fanout->interest, worker->block);
    room_table_init(&fanout->rooms, &fanout->interest, conns);
    user_table_init(&fanout->users, &fanout->interest, conns);
    outq_pool_init(&fanout->queues, &fanout->arena);
    flush_schedule_init(&fanout->schedule, conns);
    *out = fanout;
    return 0;
}

void fanout_free(struct fanout *fanout) {
    if (fanout == NULL) {
        return;
    }
    if (fanout->backend_calls != NULL) {
        fanout->backend_calls->destroy(fanout->backend);
    }
    snapshot_mirror_free(fanout->snapshots);
    samples_free(fanout->samples);
    sample_given_done(&fanout->given);
    room_table_done(&fanout->rooms);
    user_table_done(&fanout->users);
    outq_pool_done(&fanout->queues);
    frame_arena_done(&fanout->arena);
    frame_deflate_free(fanout->deflater);
    catchups_free(fanout->catchups);
    ring_read_done(&fanout->missed);
    free(fanout);
}

/* One record on its way to its listeners. The frame is made when the first listener is found. */
struct delivery {
    struct worker *worker;
    const struct record *record; /* NULL: `payload` goes to everyone */
    struct span payload;
    struct frame_piece piece;    /* block 0: not made yet */
    struct frame_piece deflated; /* its twin, block 0: not made, or not worth it */
    bool deflate_tried;
    bool first;        /* written before the rest */
    bool late;         /* out of its order */
    uint64_t position; /* of the record */
    bool failed;
    long count;
};

/* A single event longer than the limit still reaches a client that has read everything else. */
static bool over_limit(const struct worker *worker, const struct conn *conn, uint32_t length) {
    return conn->queue.bytes != 0 && conn->queue.bytes + length > overload_queue_limit(worker);
}

/* Made for the first listener who has negotiated it; under memory pressure the plain frame serves all. */
static const struct frame_piece *deflated_twin(struct delivery *delivery) {
    struct fanout *fanout = delivery->worker->fanout;
    if (!delivery->deflate_tried) {
        delivery->deflate_tried = true;
        if (fanout_deflate(fanout, delivery->payload, &delivery->deflated)) {
            stats_add(delivery->worker->stats, STAT_FRAMES_DEFLATED, 1);
        }
    }
    return delivery->deflated.block != 0 ? &delivery->deflated : &delivery->piece;
}

static const struct frame_piece *piece_for(struct delivery *delivery, const struct conn *conn) {
    return (conn->flags & CONN_DEFLATE) ? deflated_twin(delivery) : &delivery->piece;
}

/* It reads from the ring what lies behind its cursor; of what is late it is told. */
static void passed_by(const struct delivery *delivery, struct conn *conn) {
    const struct record *record = delivery->record;
    if (record == NULL || conn->state != CONN_CATCHING) {
        return;
    }
    if (delivery->late) {
        catchup_missed_late(delivery->worker, conn, delivery->position);
    } else if ((record->flags & RECORD_FLAG_CONFLATED) && record->sample_ms == 0 &&
               record->sender != conn->id) {
        catchup_passed_by(delivery->worker, conn);
    }
}

/* The ring is its queue from now on. A notice is not in the ring, so that who can't take it is closed. */
static void fall_behind(const struct delivery *delivery, struct conn *conn) {
    struct worker *worker = delivery->worker;
    uint64_t from = delivery->late ? worker->reader.cursor : delivery->position;
    if (delivery->record == NULL || !catchup_fall_behind(worker, conn, from)) {
        conn_too_slow(worker, conn);
        return;
    }
    passed_by(delivery, conn);
}

static void deliver(struct delivery *delivery, struct conn *conn) {
    struct worker *worker = delivery->worker;
    struct fanout *fanout = worker->fanout;
    if (conn->state != CONN_LIVE) {
        passed_by(delivery, conn);
        return;
    }
    if (conn->stamp == fanout->stamp) {
        return;
    }
    conn->stamp = fanout->stamp;
    if (delivery->record != NULL && delivery->record->sender == conn->id) {
        return;
    }
    const struct frame_piece *piece = piece_for(delivery, conn);
    if (over_limit(worker, conn, piece->length)) {
        /* only its socket can tell whether it is slow: in a burst it may not have had its write yet */
        conn_flush_now(worker, conn);
        if (conn->state == CONN_DEAD) {
            return;
        }
    }
    if (over_limit(worker, conn, piece->length)) {
        fall_behind(delivery, conn);
        return;
    }
    if (outq_append(&fanout->queues, &conn->queue, *piece) != 0) {
        conn_too_slow(worker, conn);
        return;
    }
    flush_schedule_add(&fanout->schedule, conn, delivery->first);
    delivery->count++;
}

/* Keeps a reference until delivery_end(): a Close made meanwhile for a slow client must not reuse its bytes. */
static bool make_frame(struct delivery *delivery) {
    struct frame_arena *arena = &delivery->worker->fanout->arena;
    if (delivery->piece.block == 0 && !delivery->failed) {
        if (frame_make(arena, WSLAY_TEXT_FRAME, delivery->payload, &delivery->piece) == 0) {
            frame_ref(arena, delivery->piece.block);
        } else {
            delivery->failed = true;
        }
    }
    return !delivery->failed;
}

static void delivery_end(struct delivery *delivery) {
    struct frame_arena *arena = &delivery->worker->fanout->arena;
    const struct frame_piece *made[] = {&delivery->piece, &delivery->deflated};
    for (unsigned i = 0; i < ARRAY_LENGTH(made); i++) {
        if (made[i]->block != 0) {
            frame_unref(arena, made[i]->block);
        }
    }
    stats_add(delivery->worker->stats, STAT_MESSAGES_OUT, (uint64_t)delivery->count);
}

static void deliver_to_room(struct delivery *delivery, const struct room *room) {
    if (!make_frame(delivery)) {
        return;
    }
    const struct worker *worker = delivery->worker;
    const uint32_t *listeners = room->listeners;
    for (uint32_t i = 0; i < room->count; i++) {
        if (i + PREFETCH_AHEAD < room->count) {
            const struct conn *ahead = conn_at(worker, listeners[i + PREFETCH_AHEAD]);
            __builtin_prefetch(&ahead->user, 1);
            __builtin_prefetch(&ahead->queue.bytes, 1);
        }
        deliver(delivery, conn_at(worker, listeners[i]));
    }
}

static void deliver_to_user(struct delivery *delivery, const struct user *user,
                            enum room_kind kind) {
    const struct worker *worker = delivery->worker;
    for (uint32_t index = user->first_conn; index != 0;) {
        struct conn *conn = conn_at(worker, index);
        index = conn->user_next;
        if ((conn->personal & ROOM_KIND_BIT(kind)) && make_frame(delivery)) {
            deliver(delivery, conn);
        }
    }
}

/* The listeners of one of the record's rooms. */
struct audience {
    enum room_kind kind;
    const struct room *room;
    const struct user *user;
};

static struct audience audience_of(const struct fanout *fanout, const struct record *record,
                                   unsigned index) {
    const struct record_room *room = &record->rooms[index];
    struct span key = record_room_key(record, index);
    struct audience audience = {.kind = (enum room_kind)room->kind};
    if (room->kind == ROOM_PLAIN) {
        audience.room = room_find(&fanout->rooms, room->hash, key);
    } else {
        audience.user = user_find(&fanout->users, room->hash, key);
    }
    return audience;
}

static uint32_t audience_size(const struct audience *audience) {
    if (audience->room != NULL) {
        return audience->room->count;
    }
    return audience->user != NULL ? audience->user->conn_count : 0;
}

static void next_stamp(struct worker *worker) {
    if (++worker->fanout->stamp != FANOUT_STAMP_OLD) {
        return;
    }
    /* after four thousand million records they begin anew: no connection may hold one that comes again */
    for (uint32_t i = 1; i < worker->conns->slab.next_new; i++) {
        struct conn *conn = conn_at(worker, i);
        if (conn->state != CONN_CATCHING && conn->stamp != 0) {
            conn->stamp = FANOUT_STAMP_OLD;
        }
    }
    worker->fanout->stamp = 1;
}

static long deliver_all(struct delivery *delivery, const struct audience *audiences,
                        unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (audiences[i].room != NULL) {
            deliver_to_room(delivery, audiences[i].room);
        } else if (audiences[i].user != NULL) {
            deliver_to_user(delivery, audiences[i].user, audiences[i].kind);
        }
    }
    delivery_end(delivery);
    stats_add(delivery->worker->stats, STAT_DELIVERIES, (uint64_t)delivery->count);
    return delivery->failed && delivery->count == 0 ? -ENOMEM : delivery->count;
}

uint32_t fanout_listeners(const struct worker *worker, const struct record *record) {
    uint32_t listeners = 0;
    for (unsigned i = 0; i < record->room_count; i++) {
        struct audience audience = audience_of(worker->fanout, record, i);
        listeners += audience_size(&audience);
    }
    return listeners;
}

static long deliver_record(struct delivery *delivery) {
    struct audience audiences[RECORD_MAX_ROOMS];
    const struct record *record = delivery->record;
    uint32_t listeners = 0;
    for (unsigned i = 0; i < record->room_count; i++) {
        audiences[i] = audience_of(delivery->worker->fanout, record, i);
        listeners += audience_size(&audiences[i]);
    }
    if (listeners == 0) {
        return 0;
    }
    next_stamp(delivery->worker);
    if (delivery->late) {
        sample_given_leave_out(delivery->worker, record, delivery->position);
    }
    delivery->first = listeners <= FANOUT_FEW_LISTENERS;
    return deliver_all(delivery, audiences, record->room_count);
}

long fanout_record(struct worker *worker, const struct record *record) {
    struct delivery delivery = {.worker = worker,
                                .record = record,
                                .payload = record_envelope(record),
                                .position = worker->reader.cursor - record->length};
    return deliver_record(&delivery);
}

long fanout_late(struct worker *worker, const struct record *record, struct span text,
                 uint64_t position) {
    struct delivery delivery = {
        .worker = worker, .record = record, .payload = text, .late = true, .position = position};
    return deliver_record(&delivery);
}

bool fanout_hears(const struct worker *worker, const struct conn *conn,
                  const struct record *record) {
    for (unsigned i = 0; i < record->room_count; i++) {
        const struct record_room *room = &record->rooms[i];
        struct span key = record_room_key(record, i);
        if (room->kind == ROOM_PLAIN
                ? room_has(&worker->fanout->rooms, conn, room->hash, key)
                : (conn->personal & ROOM_KIND_BIT(room->kind)) &&
                      span_equal(key, user_id(&worker->fanout->users, conn->user))) {
            return true;
        }
    }
    return false;
}

static void deliver_visit(struct worker *worker, struct conn *conn, void *context) {
    (void)worker;
    deliver(context, conn);
}

bool fanout_everyone(struct worker *worker, struct span payload) {
    next_stamp(worker);
    struct delivery delivery = {.worker = worker, .payload = payload};
    if (make_frame(&delivery)) {
        conn_each(worker, deliver_visit, &delivery);
    }
    delivery_end(&delivery);
    return !delivery.failed;
}

bool fanout_deflate(struct fanout *fanout, struct span payload, struct frame_piece *out) {
    if (fanout->deflater == NULL || fanout->stage >= OVERLOAD_NO_DEFLATE ||
        frame_deflate_make(fanout->deflater, &fanout->arena, payload, out) != 0) {
        return false;
    }
    frame_ref(&fanout->arena, out->block);
    return true;
}

bool fanout_full(const struct worker *worker) {
    return overload_bytes(worker) > (uint64_t)worker->options->worker_queue_bytes;
}
