/* Shutting the connections that a revocation or a disconnect concerns. Every worker follows the changes that ingest
 * announces in the table of revocations; which may sign in anew is asked elsewhere (gateway/access/revocation.h). */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_REVOKE_H
#define MOONX_GATEWAY_CONNECTION_CONN_REVOKE_H

#include "gateway/worker.h"

/* From here on: what was announced before concerns nobody who is here. */
void conn_revoke_start(struct worker *worker);
/* Once a turn; costs one look at a word when nothing is new. A change that may concern anybody is followed a slice of
 * the connections a turn, as a drain is: true as long as there is more to do. */
bool conn_revoke_follow(struct worker *worker) MUST_CHECK;

#endif
