/* Taking new records from the ring, in slices that leave time for sockets. */
#ifndef MOONX_GATEWAY_DELIVERY_EVENT_RECEIVE_H
#define MOONX_GATEWAY_DELIVERY_EVENT_RECEIVE_H

#include "gateway/worker.h"

/* Reads until the ring is empty, the turn's budget of deliveries is used up, or the worker is full; stores
 * the cursor for ingest. True: there may be more to read now. */
bool event_receive(struct worker *worker);

#endif
