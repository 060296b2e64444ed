/* Catching up: the one way in which a connection that is not live gets its events. A resume, a client too slow for its
 * queue, a storm of both. The fan-out passes such a connection over (CONN_CATCHING); it has a cursor in the ring and a
 * list of its own missed records, and reads them as its socket takes them, a budget a turn for all of them together.
 * When nothing is left between its cursor and the worker's, it is live again, with neither gap nor double.
 *
 *   HELD      right after authentication: waits for a resume, a moment (any other message ends it) or until the answers
 *             are written
 *   WAITING   a resume of a position that this worker has not reached: asked again each tick, 2 s at most; or for
 *             others' lists of missed records to become shorter
 *   READING   queues what is on the list; then lists what has come meanwhile
 *
 * While there are no places for what it needs to read (queue full) it stands on no list and costs nothing; the flush
 * that makes room brings it back. One worker owns all of this. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_H

#include "gateway/worker.h"

struct catchups;
struct conn;

/* So long a client may take after authentication to ask for a resume, and twice the way to it and back in addition. */
#define CATCHUP_GRACE_MS      200u
#define CATCHUP_GRACE_MOST_MS 1000u

int catchups_new(struct catchups **out) MUST_CHECK;
void catchups_free(struct catchups *all);

/* A live connection stops taking events: HELD, for grace_ms or, with 0, until catchup_resume(). False
 * (memory is out, or it is not live): it stays as it is. */
bool catchup_hold(struct worker *worker, struct conn *conn, uint64_t grace_ms);

/* A live connection can't take the record at `position`: it will read on from there. False: memory is out. */
bool catchup_fall_behind(struct worker *worker, struct conn *conn, uint64_t position) MUST_CHECK;
/* The event that the fan-out has in hand, a value of a conflated route, passes it by: it may be told of that. Not of a
 * sampled one, of which nobody is promised all. */
void catchup_passed_by(struct worker *worker, struct conn *conn);
/* The value that the fan-out has in hand, a late one, it has been given already. */
void catchup_has_late(struct worker *worker, struct conn *conn);
/* It has been passed by of a value that was late, of the record at `position` (fanout.h). */
void catchup_missed_late(struct worker *worker, struct conn *conn, uint64_t position);
/* It is about to be in one more room: what it misses up to here is of the rooms it has been in. */
void catchup_before_join(struct worker *worker, struct conn *conn);
/* True: it waits for a resume, after which it will get the snapshots of its rooms that it does not give. */
bool catchup_defers(const struct worker *worker, const struct conn *conn);
/* Some of its queue has been written. */
void catchup_written(struct worker *worker, struct conn *conn);
/* It is no longer catching up, for whatever reason: conn_set_state() alone calls this. */
void catchup_forget(struct worker *worker, struct conn *conn);
/* It was held for a moment, has asked for no resume and has had no event since: everything up to *cursor has been sent,
 * and nothing after it. False: no position can be told. */
bool catchup_told(const struct worker *worker, const struct conn *conn,
                  uint64_t *cursor) MUST_CHECK;

/* A turn's share. True: there is more to do now. */
bool catchup_turn(struct worker *worker);
/* Once a tick: who waits is looked at again. */
void catchup_tick(struct worker *worker);

#endif
