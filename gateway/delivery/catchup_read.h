/* READING, the phase of catchup.h in which a connection gets what it has missed: its records are listed, queued as its
 * socket takes them, and what has come meanwhile is listed then, until nothing is left and it is live. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_READ_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_READ_H

#include "gateway/delivery/catchup_collect.h"
#include "gateway/delivery/catchup_queue.h"

/* The most that it looks at or queues in one turn. */
#define CATCHUP_READ_MOST 1024

/* A turn's share, READING; what it cost, in records looked at or queued. Afterwards the connection is live, gone or
 * in the queue where it belongs. */
long catchup_read(struct worker *worker, struct catchup *catchup);
/* There is memory for one more list: else who needs one waits. */
bool catchup_read_may_list(const struct worker *worker);
/* Its queue takes more now. */
bool catchup_read_has_space(const struct worker *worker, const struct conn *conn);

/* What has come since its cursor. */
struct catchup_stretch catchup_read_stretch(const struct worker *worker,
                                            const struct catchup *catchup);
/* Adds to its list what it has missed in the stretch, which begins where its cursor stands or before; its cursor is the
 * stretch's end then. *got tells how much; the list is the catch-up's. Errors as catchup_collect(). */
int catchup_read_list(struct worker *worker, struct catchup *catchup,
                      const struct catchup_stretch *stretch, struct catchup_list *got) MUST_CHECK;
void catchup_read_drop(struct catchups *all, struct catchup *catchup);
/* It can't be caught up: closed with 1013, it may come again and resume. */
void catchup_read_give_up(struct worker *worker, struct catchup *catchup, int error);

#endif
