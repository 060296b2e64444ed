/* The deadlines of a connection, all on one entry of the worker's wheel: the end of its state, its next ping or
 * the pong's deadline, its token's expiry. What comes in only changes the fields; the entry is looked at again
 * when it fires, so a frame costs no rescheduling. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_TIMERS_H
#define MOONX_GATEWAY_CONNECTION_CONN_TIMERS_H

#include "gateway/worker.h"

struct conn;

#define CONN_HEAD_TIMEOUT_MS       10000u /* absolute, from accept: no byte puts it off */
#define CONN_REPLY_TIMEOUT_MS      10000u
#define CONN_LATER_TIMEOUT_MS      20000u /* an answer that waits for Kafka */
#define CONN_CLOSE_TIMEOUT_MS      5000u
#define CONN_SLOW_CLOSE_TIMEOUT_MS 30000u /* a slow client may yet read why it was closed */
#define CONN_MESSAGE_TIMEOUT_MS                                                                    \
    30000u /* from its first byte to its last, of a client that is somebody */
#define CONN_LINGER_TIMEOUT_MS 2000u

/* The present state ends in `in_ms`; 0: it has no end of its own. */
void conn_timers_set_deadline(struct worker *worker, struct conn *conn, uint64_t in_ms);
/* Pings begin: the first at a random moment of the interval, so that they never come all at once. */
void conn_timers_start_pings(struct worker *worker, struct conn *conn);
/* The token's end, and before it the request for a new one: AUTH_REFRESH_LEAD before, at once if less is left;
 * but half-way when the token is not the connection's first, or clients of an issuer of short tokens would
 * refresh without end. */
void conn_timers_set_expiry(struct worker *worker, struct conn *conn, int64_t expires_wall_ms);
/* Something has come from the peer, or it has read: that is a sign of life. */
void conn_timers_alive(struct worker *worker, struct conn *conn);
/* Its socket is full: it has WS_SLOW_TIMEOUT to take some of it. */
void conn_timers_blocked(struct worker *worker, struct conn *conn);
/* Fires what is due. Called with the worker's tick. */
void conn_timers_advance(struct worker *worker);

#endif
