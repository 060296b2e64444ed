/* Who has been given already what still waits for its time (sample.h): who has joined in the middle of an interval has it
 * from the snapshot, who has caught up from the ring. When it is due it goes to the others.
 *
 * Noted is no value but who was given all of a stretch of the ring, of one room or of all of his, and only while anything
 * waits; looked at when a value is due, from the newest note back to its own begin. So neither a value nor a delivery
 * costs anything for it. Of more than SAMPLE_GIVEN_MOST within an interval the earliest are forgotten: they may be given
 * the value once more, marked as a snapshot.
 *
 * Memory: 40 bytes a note, 640 KiB at most, from the first one on. Part of struct fanout; one worker owns it. */
#ifndef MOONX_GATEWAY_DELIVERY_SAMPLE_GIVEN_H
#define MOONX_GATEWAY_DELIVERY_SAMPLE_GIVEN_H

#include "gateway/worker.h"
#include "shm/record.h"

#define SAMPLE_GIVEN_MOST 16384u

struct conn;
struct sample_given_note;

struct sample_given {
    struct sample_given_note *notes; /* note n stands at n % SAMPLE_GIVEN_MOST; NULL: none yet */
    uint64_t count;
};

void sample_given_done(struct sample_given *given);

/* The current values of the room, up to where this worker has read. hash: of the room's key. */
void sample_given_room(struct worker *worker, const struct conn *conn, uint64_t hash,
                       enum room_kind kind);
/* What the ring has for it from there on, up to where this worker has read. */
void sample_given_since(struct worker *worker, const struct conn *conn, uint64_t from);

/* The record at `position` is about to be queued late: who was given it counts as having it (fanout.stamp). */
void sample_given_leave_out(struct worker *worker, const struct record *record, uint64_t position);

#endif
