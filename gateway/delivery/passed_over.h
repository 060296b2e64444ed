/* Events that clients did not get and will not get, counted by topic and reason in the worker's block, for /metrics. */
#ifndef MOONX_GATEWAY_DELIVERY_PASSED_OVER_H
#define MOONX_GATEWAY_DELIVERY_PASSED_OVER_H

#include "gateway/worker.h"

/* So many more of this partition's topic. */
void passed_over_count(struct worker *worker, uint32_t partition, enum passed_over_reason reason,
                       uint64_t events);
/* The reader was lapped by so many: counted as soon as the position vector tells of which topics they were. Before it
 * jumps (position.h). */
void passed_over_lapped(struct worker *worker, uint64_t events);
/* Once a turn. */
void passed_over_turn(struct worker *worker);

#endif
