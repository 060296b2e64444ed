/* Who catches up, one object a connection, and the queues they stand in. The object is found by conn->stamp, which means
 * nothing else while the connection is not live. Inner part of catchup.h and its files; one worker owns all of this. */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_QUEUE_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_QUEUE_H

#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup_frame.h"
#include "gateway/delivery/fanout.h"

struct catchup_missed;
struct position_claim;

enum catchup_phase { CATCHUP_HELD, CATCHUP_WAITING, CATCHUP_READING }; /* catchup.h */

/* READY has work now, IDLE is looked at each tick, NOWHERE waits for its socket. */
enum catchup_queue { CATCHUP_NOWHERE, CATCHUP_READY, CATCHUP_IDLE, CATCHUP_QUEUE_COUNT };

struct catchup {
    uint32_t self; /* first word: the slab's link while free */
    uint32_t conn;
    uint32_t next, previous; /* in its queue */
    uint8_t phase;
    uint8_t queue;       /* index into catchups.queues */
    bool had_events;     /* on this connection, before or since */
    bool slow;           /* fell behind by itself: it is told what it was spared */
    bool spares;         /* slow, or resumes: of conflated routes it gets the newest values */
    bool owes_snapshots; /* they come after the resume */
    uint32_t
        passed; /* slow, held: values of conflated routes that passed it by since it was listed */
    uint32_t passed_stamp; /* of the last of them, or of a late value that it has: an event in two
                              of its rooms counts once */
    uint64_t conflated;    /* passed over while it was slow, or held too long; not told yet */
    bool told;             /* may be told the position of `began_at`: held for a moment */
    bool
        answering; /* held for a moment, and `authenticate` is being answered: snapshots come behind that */
    uint64_t cursor;             /* all before it is queued or listed */
    struct catchup_missed *list; /* NULL: none */
    uint64_t began_at;           /* its cursor then: the first record that it lacks */
    uint64_t late_at; /* slow: the oldest before that which was due since (sample.h); 0: none was */
    uint32_t at, count;
    uint64_t until_ms; /* HELD, WAITING: the end of it; 0: none */
    struct position_claim *claim;
    char *ref;
};

struct catchups {
    struct slab slab;
    struct {
        uint32_t first, last, count;
    } queues[CATCHUP_QUEUE_COUNT];
    uint32_t listed; /* entries of all lists */
    struct catchup_frames frames;
};

static inline struct catchup *catchup_queue_at(const struct catchups *all, uint32_t index) {
    return slab_at(&all->slab, index);
}

/* Of a connection that is CONN_CATCHING. */
static inline struct catchup *catchup_queue_of(const struct worker *worker,
                                               const struct conn *conn) {
    return catchup_queue_at(worker->fanout->catchups, conn->stamp);
}

static inline struct conn *catchup_queue_conn(const struct worker *worker,
                                              const struct catchup *catchup) {
    return conn_at(worker, catchup->conn);
}

/* To the end of the queue; from whichever it is in. */
void catchup_queue_move(struct catchups *all, struct catchup *catchup, enum catchup_queue queue);

#endif
