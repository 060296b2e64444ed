#include "gateway/delivery/passed_over.h"

#include "gateway/delivery/position.h"
#include "shm/positions.h"

void passed_over_count(struct worker *worker, uint32_t partition, enum passed_over_reason reason,
                       uint64_t events) {
    const struct positions *positions = worker->view.segment.positions;
    uint32_t topic = partition < POSITIONS_MAX_PARTITIONS ? positions->partitions[partition].topic
                                                          : POSITIONS_MAX_TOPICS;
    if (topic < POSITIONS_MAX_TOPICS) {
        shm_u64 *count = &worker->block->passed_over[reason][topic];
        store_relaxed(count, load_relaxed(count) + events);
    }
}

void passed_over_lapped(struct worker *worker, uint64_t events) {
    struct position_view *view = worker->position;
    if (view->lapped == 0) {
        memcpy(view->before_lap, view->next, sizeof view->before_lap);
    }
    view->lapped += events;
}

/* What has been read since is in the difference, too: no more than there were. */
void passed_over_turn(struct worker *worker) {
    struct position_view *view = worker->position;
    uint64_t left = view->lapped;
    if (left == 0 || view->behind) {
        return;
    }
    for (uint32_t i = 0; i < POSITIONS_MAX_PARTITIONS && left > 0; i++) {
        uint64_t before = view->before_lap[i], next = view->next[i];
        uint64_t gone = before != POSITION_UNKNOWN && next != POSITION_UNKNOWN && next > before
                            ? next - before
                            : 0;
        gone = gone < left ? gone : left;
        passed_over_count(worker, i, PASSED_OVER_LAPPED, gone);
        left -= gone;
    }
    view->lapped = 0;
}
