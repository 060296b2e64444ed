#include "gateway/delivery/snapshot.h"

#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/conn_flush.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/snapshot_mirror.h"
#include "shm/positions.h"
#include "shm/snapshot_table.h"

static void send_room(struct worker *worker, struct conn *conn, struct span room,
                      const struct snapshot_choice *choice);
static bool make_space(struct worker *worker, struct conn *conn);
static bool queue_run(struct worker *worker, struct conn *conn, struct frame_piece run);
static long queue_all(struct worker *worker, struct conn *conn, struct snapshot_room *room,
                      const struct snapshot_choice *choice);

static bool is_open(const struct conn *conn) {
    return conn->state == CONN_LIVE || conn->state == CONN_CATCHING;
}

void snapshot_send(struct worker *worker, struct conn *conn, struct span room) {
    if (conn->state == CONN_LIVE ||
        (conn->state == CONN_CATCHING && !catchup_defers(worker, conn))) {
        static const struct snapshot_choice all = {0};
        send_room(worker, conn, room, &all);
    }
}

/* Passed through conn_each_room(). */
struct rooms_visit {
    struct worker *worker;
    struct conn *conn;
    const struct snapshot_choice *choice;
};

static void visit_room(void *context, struct span room) {
    const struct rooms_visit *visit = context;
    send_room(visit->worker, visit->conn, room, visit->choice);
}

void snapshot_send_rooms(struct worker *worker, struct conn *conn,
                         const struct snapshot_choice *choice) {
    struct rooms_visit visit = {worker, conn, choice};
    conn_each_room(worker, conn, visit_room, &visit);
}

static void send_room(struct worker *worker, struct conn *conn, struct span room,
                      const struct snapshot_choice *choice) {
    struct snapshots *all = worker->fanout->snapshots;
    struct span name;
    enum room_kind kind = room_name_kind(room, &name);
    if (!is_open(conn) || load_relaxed(&worker->view.segment.snapshots->changes) == 0) {
        return;
    }
    if (!snapshot_mirror_follow(worker)) {
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
        return;
    }
    uint64_t hash = room_name_hash(&worker->view.segment.header->hash_key, name);
    struct snapshot_room *found = snapshot_room_find(all, hash, kind, name);
    if (found != NULL && make_space(worker, conn)) {
        long count = queue_all(worker, conn, found, choice);
        stats_add(worker->stats, STAT_SNAPSHOT_VALUES, (uint64_t)count);
        stats_add(worker->stats, STAT_MESSAGES_OUT, (uint64_t)count);
        if (choice->to == 0) { /* a resume gives those that were not chosen */
            sample_given_room(worker, conn, hash, kind);
        }
    }
}

/* A snapshot may be longer than a queue: shared, it is a few references. But who does not read gets no second one. */
static bool make_space(struct worker *worker, struct conn *conn) {
    if (conn->queue.bytes > worker->options->ws_max_queue_bytes) {
        conn_flush_now(worker, conn);
    }
    if (conn->state != CONN_DEAD && conn->queue.bytes > worker->options->ws_max_queue_bytes) {
        conn_too_slow(worker, conn);
    }
    return is_open(conn);
}

static bool is_chosen(const struct snapshot_mirror *mirror, const struct snapshot_choice *choice) {
    const struct record *head = mirror->head;
    bool sampled = head->sample_ms != 0;
    if (choice->to != 0) {
        return sampled && mirror->position >= choice->from && mirror->position < choice->to;
    }
    if (choice->named == NULL || head->partition >= POSITIONS_MAX_PARTITIONS) {
        return true;
    }
    uint64_t want = choice->named[head->partition];
    return want == POSITION_UNKNOWN || (sampled && (uint64_t)head->offset < want);
}

/* How many values. */
static long queue_all(struct worker *worker, struct conn *conn, struct snapshot_room *room,
                      const struct snapshot_choice *choice) {
    const struct snapshot_mirror *mirrors = worker->fanout->snapshots->mirrors;
    struct frame_piece run = {0};
    long count = 0;
    snapshot_mirror_put_in_order(worker->fanout->snapshots, room);
    for (uint32_t i = 0; i < room->count; i++) {
        struct frame_piece piece = mirrors[room->slots[i]].piece;
        if (!is_chosen(&mirrors[room->slots[i]], choice)) {
            continue;
        }
        count++;
        if (run.block == piece.block && run.at + run.length == piece.at) {
            run.length += piece.length;
            continue;
        }
        if (run.block != 0) {
            room->scattered++;
            if (!queue_run(worker, conn, run)) {
                return 0;
            }
        }
        run = piece;
    }
    if (run.block == 0 || !queue_run(worker, conn, run)) {
        return 0;
    }
    flush_schedule_add(&worker->fanout->schedule, conn, false);
    return count;
}

static bool queue_run(struct worker *worker, struct conn *conn, struct frame_piece run) {
    if (outq_append(&worker->fanout->queues, &conn->queue, run) == 0) {
        return true;
    }
    conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
    return false;
}
