/* How far consumption is behind Kafka, from one entry of the positions table: the one rule behind /metrics
 * and /debug/kafka. Pure. */
#ifndef MOONX_GATEWAY_HTTP_LAG_H
#define MOONX_GATEWAY_HTTP_LAG_H

#include "shm/positions.h"

/* Messages between the position and the broker's high watermark as last heard. False while the position is
 * not resolved. A watermark that is older than the position makes 0. */
bool lag_of_partition(const struct position *position, uint64_t *lag);

#endif
