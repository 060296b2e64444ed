/* Events that clients did not get by design, counted by topic and reason in the worker's block, for /metrics. */
#ifndef MOONX_GATEWAY_DELIVERY_PASSED_OVER_H
#define MOONX_GATEWAY_DELIVERY_PASSED_OVER_H

#include "gateway/worker.h"

/* So many more of this partition's topic. */
void passed_over_count(struct worker *worker, uint32_t partition, enum passed_over_reason reason,
                       uint64_t events);

#endif
