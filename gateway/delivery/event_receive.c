#include "gateway/delivery/event_receive.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/loss.h"
#include "gateway/delivery/passed_over.h"
#include "gateway/delivery/position.h"
#include "shm/room_walk.h"

/* A turn's share: some 0.3 ms of queueing at 27 ns each, so that a private event behind a flood, a socket to
 * read and a slice to write never wait longer for their turn. */
#define RECEIVE_MAX_DELIVERIES 10000
#define RECEIVE_MAX_RECORDS    512u

static void receive_one(struct worker *worker, const struct record *record, long *deliveries) {
    stats_add(worker->stats, STAT_RECORDS_READ, 1);
    position_pass(worker->position, record, worker->reader.cursor);
    if (record->kind != RECORD_EVENT) {
        return;
    }
    if (record->expiry_ms != 0 && record->expiry_ms <= clock_wall_ms()) {
        passed_over_count(worker, record->partition, PASSED_OVER_OUTDATED,
                          fanout_listeners(worker, record));
        return;
    }
    long count =
        record->snapshot_slot != 0 ? sample_record(worker, record) : fanout_record(worker, record);
    if (count < 0) {
        static struct log_rate rate = {.per_second = 1};
        if (log_rate_allow(&rate)) {
            log_error("out of memory: an event reached nobody, clients are told%s", rate.left_out);
        }
        stats_add(worker->stats, STAT_RECORDS_SKIPPED, 1);
        passed_over_count(worker, record->partition, PASSED_OVER_NO_MEMORY, 1);
        loss_add(worker, LOSS_NO_MEMORY, 1);
    } else if (count > 0) {
        stats_add(worker->stats, STAT_RECORDS_MATCHED, 1);
        stats_add(worker->stats, STAT_INGEST_LATENCY_NS, clock_mono_ns() - record->ingest_time_ns);
        *deliveries += count;
    }
}

static void tell_skipped(struct worker *worker, uint64_t skipped, const char *why) {
    stats_add(worker->stats, STAT_RECORDS_SKIPPED, skipped);
    log_error("%s: %llu events passed over; clients are told", why, (unsigned long long)skipped);
    passed_over_lapped(worker, skipped);
    position_jumped(worker->position, worker->reader.cursor);
    loss_add(worker, LOSS_LAPPED, skipped);
}

/* False: nothing more to read now. */
static bool receive_next(struct worker *worker, long *deliveries) {
    const struct record *record = NULL;
    uint64_t skipped = 0, before = worker->reader.sequence;
    switch (ring_read_next(&worker->reader, &record, &skipped)) {
    case RING_OK:
        receive_one(worker, record, deliveries);
        return true;
    case RING_LAPPED:
        tell_skipped(worker, skipped, "lapped by the ring");
        return true;
    case -EBADMSG: /* the reader goes on at the head; how far that was the sequence tells */
        tell_skipped(worker, worker->reader.sequence - before, "damaged ring");
        return false;
    default: /* empty, or no memory for a long record: tried again next turn */
        return false;
    }
}

bool event_receive(struct worker *worker) {
    long deliveries = 0;
    bool more = true;
    /* Not up to `published`: what a worker has read, the indexes know, and so can be caught up. */
    uint64_t end = room_walk_indexed(&worker->view.segment);
    loss_look(worker);
    sample_follow(worker, end);
    for (unsigned i = 0; i < RECEIVE_MAX_RECORDS && deliveries < RECEIVE_MAX_DELIVERIES && more;
         i++) {
        more = worker->reader.cursor < end && !fanout_full(worker) &&
               receive_next(worker, &deliveries);
    }
    if (worker->position->behind) {
        position_note(worker->position, worker->reader.cursor);
    }
    passed_over_turn(worker);
    store_release(&worker->block->cursor, worker->reader.cursor);
    return more;
}
