/* From a record to the queues of its listeners: what one worker needs for delivery, in one place.
 *
 * Records are taken in ring order and queued at once to all listeners, one reference a connection; only the
 * writes are scheduled. So a connection's order is the ring's order, and no iterator lives across turns. */
#ifndef MOONX_GATEWAY_DELIVERY_FANOUT_H
#define MOONX_GATEWAY_DELIVERY_FANOUT_H

#include "gateway/delivery/flush_backend.h"
#include "gateway/delivery/flush_schedule.h"
#include "gateway/delivery/frame.h"
#include "gateway/delivery/frame_deflate.h"
#include "gateway/delivery/interest.h"
#include "gateway/delivery/outq.h"
#include "gateway/delivery/overload.h"
#include "gateway/delivery/room.h"
#include "gateway/delivery/sample.h"
#include "gateway/delivery/sample_given.h"
#include "gateway/delivery/snapshot.h"
#include "gateway/delivery/user.h"
#include "gateway/worker.h"

/* Of a connection that has had an event, but not the one being queued; 0: it has had none. */
#define FANOUT_STAMP_OLD UINT32_MAX

/* An event with at most this many listeners on the worker is written before the rest of a large fan-out. */
#define FANOUT_FEW_LISTENERS 16u

struct catchups;
struct conn;

struct fanout {
    struct interest interest;
    struct room_table rooms;
    struct user_table users;
    struct frame_arena arena;
    struct outq_pool queues;
    struct flush_schedule schedule;
    struct snapshots *snapshots;
    struct samples *samples;
    struct sample_given given;
    struct frame_deflate *deflater; /* NULL: WS_DEFLATE is off */
    struct catchups *catchups;
    enum overload_stage stage;
    struct ring_read missed; /* reads records at places that the index tells */
    const struct flush_backend_calls *backend_calls;
    struct flush_backend *backend;
    uint32_t
        stamp; /* of the record being queued; a connection's stamp tells that it has it already */
};

int fanout_new(struct worker *worker, struct fanout **out) MUST_CHECK;
void fanout_free(struct fanout *fanout);

/* How many connections listen to it, those in several of its rooms more than once. */
uint32_t fanout_listeners(const struct worker *worker, const struct record *record);
/* Queues the record to its listeners; how many there were. -ENOMEM: to none. */
long fanout_record(struct worker *worker, const struct record *record) MUST_CHECK;
/* A record read before, at `position`, with another text: it is no part of the order (sample.h). Who has been given it
 * already is left out (sample_given.h); who is catching up is to get it afterwards. */
long fanout_late(struct worker *worker, const struct record *record, struct span text,
                 uint64_t position) MUST_CHECK;
/* True: the connection is in one of the record's rooms. */
bool fanout_hears(const struct worker *worker, const struct conn *conn,
                  const struct record *record);
/* Queues one text frame to every authenticated connection (`skipped` after a lap). */
bool fanout_everyone(struct worker *worker, struct span payload) MUST_CHECK;
/* A frame's deflated twin, with a reference for the caller. False: the plain one serves everybody (nothing is deflated at
 * the moment, or it would not be shorter); *out means nothing then. */
bool fanout_deflate(struct fanout *fanout, struct span payload, struct frame_piece *out) MUST_CHECK;
/* True when queues and frames hold as much as a worker may keep: it stops reading the ring then. */
bool fanout_full(const struct worker *worker);

#endif
