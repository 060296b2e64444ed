#include "gateway/delivery/passed_over.h"

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
