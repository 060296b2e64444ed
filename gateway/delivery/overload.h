/* What a worker does when what waits for its clients grows towards WORKER_QUEUE_BYTES: less and less, in stages, each of
 * which spares what the one before has not. Past the whole of it the worker stops reading the ring (fanout_full()), where
 * lag is seen and paced.
 *
 *   share of the limit   stage           from then on
 *   1/4                  NO_DEFLATE      nothing is deflated: who is behind must not cost CPU too
 *   1/2                  SHORT_QUEUES    a client's queue holds an eighth; more it reads on from the ring
 *   3/4                  REFUSE          no new connections (503)
 *   7/8                  SHED            the longest queues of full sockets are closed (1013), some each tick
 *
 * A stage ends at four fifths of the share at which it began, so that it does not come and go with every event. One
 * worker owns one. */
#ifndef MOONX_GATEWAY_DELIVERY_OVERLOAD_H
#define MOONX_GATEWAY_DELIVERY_OVERLOAD_H

#include "gateway/worker.h"

enum overload_stage {
    OVERLOAD_NONE,
    OVERLOAD_NO_DEFLATE,
    OVERLOAD_SHORT_QUEUES,
    OVERLOAD_REFUSE,
    OVERLOAD_SHED,
    OVERLOAD_STAGE_COUNT,
};

/* Pure: the stage for so many bytes, when `now` is the one before. */
enum overload_stage overload_next(enum overload_stage now, uint64_t bytes, uint64_t limit);

/* Frames and queue entries of all clients. */
uint64_t overload_bytes(const struct worker *worker);
/* Once a turn: moves to the stage that is due; says so in log and gauges. */
void overload_look(struct worker *worker);
/* Once a tick: closes the slowest while that stage lasts. */
void overload_shed(struct worker *worker);
/* What one client's queue may hold now. */
uint64_t overload_queue_limit(const struct worker *worker);

#endif
