/* What a client says behind a token that can't be judged at once: kept until the verdict is there, then handled in order,
 * as if the verdict had been there all the time. Only its messages wait, and a Close behind one of them: a ping is
 * answered, and who breaks off is gone, with what he had said.
 *
 * Kept beside the connection, whose struct has no room for it, and as it came, so that a deflated message takes no more
 * than it took on the way. A connection for which READ_BYTES of it wait, or any at all when a worker keeps DEFER_MOST,
 * is not read any further: the rest is the kernel's (CONN_UNREAD; only its end is polled). So one connection has
 * at most a message and a read's bytes here. When the verdict has come it stands in a queue, from which a turn takes
 * its share. One worker owns all of this.
 *
 *   conn_defer_begin()   CONN_DEFERS: what comes is kept
 *   conn_defer_end()     the verdict: into the queue, or at once back to normal when nothing has come
 *   conn_defer_turn()    handles; a token among it may have to wait again, and what stands behind it with it */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_DEFER_H
#define MOONX_GATEWAY_CONNECTION_CONN_DEFER_H

#include "gateway/worker.h"

#include <sys/queue.h>

#define CONN_DEFER_BYTES 4096u       /* of one connection: then it is not read */
#define CONN_DEFER_MOST  (32u << 20) /* of a worker's: then none is that waits */

struct conn;
struct conn_deferred;

struct conn_deferrals {
    struct conn_deferred *by_index;
    TAILQ_HEAD(, conn_deferred) ready;
    size_t bytes; /* that are kept */
};

/* A PENDING connection's token waits from now on. */
void conn_defer_begin(struct conn *conn);
/* The verdict is there, and has been told; nothing when none was awaited. */
void conn_defer_end(struct worker *worker, struct conn *conn);

/* CONN_DEFERS: a whole text message, its payload as it came. Without memory: 1011. */
void conn_defer_text(struct worker *worker, struct conn *conn, struct span payload, bool deflated);
/* The peer's Close with this code. False: nothing waits before it, it counts now. */
bool conn_defer_close(struct worker *worker, struct conn *conn, unsigned code) MUST_CHECK;
/* To be asked before a connection is read. True: it is not to be, and is not polled for it any more. */
bool conn_defer_pauses(struct worker *worker, struct conn *conn) MUST_CHECK;

/* A turn's share. True: there is more to do now. */
bool conn_defer_turn(struct worker *worker);
/* It is closing or dead: nothing of it will be handled, and it is read again. */
void conn_defer_forget(struct worker *worker, struct conn *conn);

#endif
