/* A planned stop: clients are sent away a slice at a time (`reconnect` with a spread-out delay, then Close 1012
 * behind what is queued), so that they do not all come back at once. Until the end plain HTTP is answered and
 * upgrades get 503. */
#ifndef MOONX_GATEWAY_CONNECTION_DRAIN_H
#define MOONX_GATEWAY_CONNECTION_DRAIN_H

#include "gateway/worker.h"

void drain_start(struct worker *worker);
/* With every tick of the worker. True: nobody is left, or the time is over. */
bool drain_tick(struct worker *worker);

#endif
