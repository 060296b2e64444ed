/* What the server says of its own accord, beside events and replies: that a stop is planned, that a token
 * ends soon, that events were passed over. */
#ifndef MOONX_GATEWAY_MESSAGE_NOTICE_H
#define MOONX_GATEWAY_MESSAGE_NOTICE_H

#include "gateway/worker.h"

struct conn;

/* `reconnect` {afterMs, reason}: a Close 1012 follows. */
void notice_reconnect(struct worker *worker, struct conn *conn, long after_ms, const char *reason);
/* `token_refresh_required` {expiresIn}: the client's token ends soon. */
void notice_refresh(struct worker *worker, struct conn *conn, int64_t expires_in_ms);
/* `unsubscribed` {channel, reason}: the user may no longer be in that room. */
void notice_revoked(struct worker *worker, struct conn *conn, const char *room);
/* `skipped` {count, reason CONFLATED}: it was slow, and has got the newest values instead of all. */
void notice_conflated(struct worker *worker, struct conn *conn, uint64_t count);
/* `skipped` {count, reason} to every live connection; `count` is the most it can have missed. `catching_too`: also to
 * those who catch up. False: there was no memory for it, and nobody has been told. */
bool notice_skipped(struct worker *worker, uint64_t count, const char *reason,
                    bool catching_too) MUST_CHECK;

#endif
