/* What the server says of its own accord, beside events and replies: that a stop is planned, that events were
 * passed over. */
#ifndef MOONX_GATEWAY_MESSAGE_NOTICE_H
#define MOONX_GATEWAY_MESSAGE_NOTICE_H

#include "gateway/worker.h"

struct conn;

/* `reconnect` {afterMs, reason}: a Close 1012 follows. */
void notice_reconnect(struct worker *worker, struct conn *conn, long after_ms, const char *reason);
/* `skipped` {count, reason} to every authenticated connection; `count` is the most it can have missed. */
void notice_skipped(struct worker *worker, uint64_t count, const char *reason);

#endif
