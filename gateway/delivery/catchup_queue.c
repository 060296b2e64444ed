#include "gateway/delivery/catchup_queue.h"

void catchup_queue_move(struct catchups *all, struct catchup *catchup, enum catchup_queue queue) {
    if (catchup->queue != CATCHUP_NOWHERE) {
        uint32_t *first = &all->queues[catchup->queue].first,
                 *last = &all->queues[catchup->queue].last;
        *(catchup->previous != 0 ? &catchup_queue_at(all, catchup->previous)->next : first) =
            catchup->next;
        *(catchup->next != 0 ? &catchup_queue_at(all, catchup->next)->previous : last) =
            catchup->previous;
        all->queues[catchup->queue].count--;
    }
    catchup->next = catchup->previous = 0;
    catchup->queue = (uint8_t)queue;
    if (queue != CATCHUP_NOWHERE) {
        catchup->previous = all->queues[queue].last;
        *(catchup->previous != 0 ? &catchup_queue_at(all, catchup->previous)->next
                                 : &all->queues[queue].first) = catchup->self;
        all->queues[queue].last = catchup->self;
        all->queues[queue].count++;
    }
}
