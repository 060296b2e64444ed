/* Writing what is queued: one slice of connections through the back end, then what follows from each result
 * (all out, part out, socket full, broken). */
#ifndef MOONX_GATEWAY_DELIVERY_CONN_FLUSH_H
#define MOONX_GATEWAY_DELIVERY_CONN_FLUSH_H

#include "gateway/worker.h"

struct conn;

/* Chooses the back end: `auto`, `io_uring` or `sendmsg`. `auto` falls back to sendmsg and says so in *note
 * (static text, else NULL). -errno when a forced one is not to be had. */
int conn_flush_init(struct worker *worker, const char *choice, const char **note) MUST_CHECK;

/* For --check-config: whether a back end that is asked for by name is to be had. -errno. */
int conn_flush_check(const char *choice) MUST_CHECK;

/* Writes one slice, and some more while replies or events of few wait: a turn reads from more connections than stand in
 * a slice, and the answers to those who come all at once must not pile up in front of an event of one who has been here
 * all the time. True: there are more connections to flush. */
bool conn_flush_turn(struct worker *worker);

/* Writes this one until nothing is queued or its socket is full (CONN_BLOCKED) or gone (CONN_DEAD). */
void conn_flush_now(struct worker *worker, struct conn *conn);

/* The socket takes bytes again. */
void conn_flush_unblocked(struct worker *worker, struct conn *conn);

#endif
