#include "gateway/delivery/catchup_deliver.h"

#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup_collect.h"
#include "gateway/delivery/catchup_frame.h"
#include "gateway/delivery/fanout.h"

int catchup_deliver(struct worker *worker, struct conn *conn, const struct catchup_missed *missed,
                    bool sparing) {
    struct fanout *fanout = worker->fanout;
    struct catchup_frame *frame;
    int error = catchup_frame_at(worker, missed, &frame);
    if (error != 0 && error != -EALREADY) {
        return error;
    }
    const struct record *record = frame->record;
    if (record->sender == conn->id || !fanout_hears(worker, conn, record)) {
        return CATCHUP_PASSED; /* it may have left since the record was listed */
    }
    if (error == -EALREADY) {
        catchup_spared(worker, record->partition, record->sample_ms != 0);
        return record->sample_ms != 0 ? CATCHUP_PASSED : CATCHUP_SPARED;
    }
    struct catchup_value value = {missed->position, record->partition, record->snapshot_slot,
                                  record->flags, record->sample_ms != 0};
    if (sparing && catchup_spares(worker, &value)) {
        return value.sampled ? CATCHUP_PASSED : CATCHUP_SPARED;
    }
    struct frame_piece piece =
        catchup_frame_piece(worker, frame, (conn->flags & CONN_DEFLATE) != 0);
    if (outq_append(&fanout->queues, &conn->queue, piece) != 0) {
        return -ENOMEM;
    }
    flush_schedule_add(&fanout->schedule, conn, false);
    stats_add(worker->stats, STAT_CAUGHT_UP, 1);
    stats_add(worker->stats, STAT_MESSAGES_OUT, 1);
    return CATCHUP_QUEUED;
}
