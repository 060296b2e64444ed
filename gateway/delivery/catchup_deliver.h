/* One missed record to the one connection that catches up: read from its place in the ring, and queued if the connection
 * is still in one of its rooms. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_DELIVER_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_DELIVER_H

#include "gateway/worker.h"

struct conn;

/* 1: queued; 0: not for it (any more); -ESTALE: overwritten; -EBADMSG; -ENOMEM. */
int catchup_deliver(struct worker *worker, struct conn *conn, uint64_t position) MUST_CHECK;

#endif
