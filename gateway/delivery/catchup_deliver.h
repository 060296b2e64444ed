/* One missed record to the one connection that catches up: read from its place in the ring, and queued if the connection
 * is still in one of its rooms. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_DELIVER_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_DELIVER_H

#include "gateway/worker.h"

struct catchup_missed;
struct conn;

enum catchup_outcome {
    CATCHUP_PASSED, /* not for it (any more) */
    CATCHUP_SPARED, /* a newer value of its key is there or comes */
    CATCHUP_QUEUED,
};

/* sparing: superseded values of conflated routes are not queued. enum catchup_outcome, or -ESTALE: overwritten;
 * -EAGAIN: for a moment it can't be told; -EBADMSG; -ENOMEM. */
int catchup_deliver(struct worker *worker, struct conn *conn, const struct catchup_missed *missed,
                    bool sparing) MUST_CHECK;

#endif
