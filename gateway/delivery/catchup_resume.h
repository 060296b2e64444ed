/* A resume, and what comes before it: HELD and WAITING, the phases of catchup.h in which a connection gets no events yet.
 * The position that the client sent is judged, the answer given, and what it missed listed behind it. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_RESUME_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_RESUME_H

#include "gateway/delivery/catchup_queue.h"

/* Answers with `resumed`, now or when this worker has come so far; takes the claim over. What has had events on this
 * connection already can't be resumed in order: UNKNOWN_POSITION. */
void catchup_resume(struct worker *worker, struct conn *conn, struct position_claim *claim,
                    const char *ref);
/* `authenticate` has been answered: the snapshots of the rooms joined by it come now, unless a resume brings them. */
void catchup_resume_answered(struct worker *worker, struct conn *conn);
/* Another message has come: who is HELD for a moment, in case that he asks for a resume, goes on. */
void catchup_resume_not_asked(struct worker *worker, struct conn *conn);
/* A turn of who is HELD: goes on when its grace is over. */
void catchup_resume_hold_on(struct worker *worker, struct catchup *catchup);
/* A turn of who is WAITING; what it cost, in records looked at. */
long catchup_resume_wait(struct worker *worker, struct catchup *catchup);

#endif
