#include "gateway/delivery/loss.h"

#include "gateway/message/notice.h"
#include "gateway/worker.h"

static const char *const names[LOSS_REASON_COUNT] = {
    [LOSS_LAPPED] = "LAPPED", [LOSS_NO_MEMORY] = "NO_MEMORY", [LOSS_EXPIRED] = "EXPIRED"};

static uint64_t expired(const struct worker *worker) {
    return stats_get(&worker->view.segment.ingest->stats, STAT_KAFKA_GAPS);
}

/* Who catches up reads the ring by himself, which holds what a worker was lapped by or had no memory for. */
static void tell(struct worker *worker, enum loss_reason reason) {
    if (notice_skipped(worker, worker->loss.owed[reason], names[reason], reason == LOSS_EXPIRED)) {
        worker->loss.owed[reason] = 0;
    }
}

void loss_start(struct worker *worker) {
    worker->loss = (struct loss){.expired_seen = expired(worker)};
}

void loss_add(struct worker *worker, enum loss_reason reason, uint64_t count) {
    worker->loss.owed[reason] += count;
    tell(worker, reason);
}

void loss_look(struct worker *worker) {
    uint64_t gone = expired(worker);
    worker->loss.owed[LOSS_EXPIRED] += gone - worker->loss.expired_seen;
    worker->loss.expired_seen = gone;
    for (unsigned i = 0; i < LOSS_REASON_COUNT; i++) {
        if (worker->loss.owed[i] > 0) {
            tell(worker, (enum loss_reason)i);
        }
    }
}

bool loss_is_owed(const struct worker *worker) {
    return worker->loss.owed[LOSS_LAPPED] + worker->loss.owed[LOSS_NO_MEMORY] +
               worker->loss.owed[LOSS_EXPIRED] >
           0;
}
