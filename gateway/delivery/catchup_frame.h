/* Frames of missed events, for those who have missed the same: in a storm of resumes an event is read from the ring and
 * made into a frame once for many, and their queues share its bytes. Who comes first is given the plain frame; from then
 * on it pays to deflate it for those who have negotiated that.
 *
 * A small table by ring position; what is newer in a place takes it. Emptied each tick, so that frames do not keep the
 * arena's blocks. Part of struct catchups; one worker owns it. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_FRAME_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_FRAME_H

#include "gateway/delivery/frame.h"
#include "gateway/worker.h"
#include "shm/record.h"

#define CATCHUP_FRAME_PLACES 512u
/* The rest of a record than its envelope: rooms and their names. A longer one is read for each. */
#define CATCHUP_FRAME_HEAD_BYTES 448u

struct catchup_missed;

struct catchup_frame {
    uint64_t position;
    const struct record *record; /* all but its envelope */
    struct frame_piece plain;    /* block 0: this place is free */
    struct frame_piece deflated; /* block 0: there is none (yet) */
    bool shared;                 /* somebody has been given it before */
    bool deflate_tried;
    _Alignas(8) unsigned char head[CATCHUP_FRAME_HEAD_BYTES];
};

struct catchup_frames {
    struct catchup_frame places[CATCHUP_FRAME_PLACES];
    struct catchup_frame once; /* of a record with too long a head */
    char *value; /* a record as it is read from the snapshot table; NULL: none has been */
    bool used;
};

/* The missed event, from the ring; a value of a conflated route that is overwritten there, from the snapshot table. *out
 * is good until the next call. -EALREADY: overwritten, but a newer value of its key is there or comes; *out has that one's
 * record, and no frame. -ESTALE: overwritten, and gone from the table too. -EAGAIN: the table is being written there;
 * -EBADMSG; -ENOMEM. */
int catchup_frame_at(struct worker *worker, const struct catchup_missed *missed,
                     struct catchup_frame **out) MUST_CHECK;
/* What is queued for one more connection. */
struct frame_piece catchup_frame_piece(struct worker *worker, struct catchup_frame *frame,
                                       bool deflate);
void catchup_frame_clear(struct worker *worker);
/* What is left of them when the worker ends; their frames go with the arena. */
void catchup_frame_done(struct catchup_frames *frames);

#endif
