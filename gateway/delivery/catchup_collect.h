/* What a connection has missed: the records of its rooms in a stretch of the ring, found by the indexes of shm/ at a
 * cost in proportion to how many they are. Of conflated routes it is the newest value of each key: found by walking, too,
 * or, where fewer keys are in a room than values have come, from the mirror of the snapshot table (snapshot_mirror.h). */
#ifndef MOONX_GATEWAY_DELIVERY_CATCHUP_COLLECT_H
#define MOONX_GATEWAY_DELIVERY_CATCHUP_COLLECT_H

#include "gateway/worker.h"

struct conn;

/* Of one connection, at a time; more is too much to catch up. A list is made in one go, since it is found from its newest
 * end: as many cost some 35 ms, in which the worker does nothing else, and 4 MiB until they are read. */
#define CATCHUP_MAX_MISSED 262144u

struct catchup_stretch {
    uint64_t from, to; /* positions in the ring */
    const uint64_t
        *wants; /* a resume: first offset by partition, POSITION_UNKNOWN: not named; else NULL */
    uint64_t
        live_from; /* a resume: where it was asked for; what is not named counts from here on */
    uint64_t
        passed; /* values of conflated routes that passed it by in this stretch; 0: nobody counted */
    /* Superseded values too, if all are at most so many, else -E2BIG; 0: without them. */
    uint32_t whole_most;
};

/* One record that it has missed. */
struct catchup_missed {
    uint64_t position;
    uint32_t snapshot_slot; /* as in the record, of a value of a conflated route; else 0 */
};

struct catchup_list {
    struct catchup_missed *entries; /* oldest first, for free(); NULL: none */
    uint32_t count;
    uint32_t missed;    /* a resume: so many of them, the first, are what it was asked for */
    uint64_t cost;      /* records looked at */
    uint64_t conflated; /* passed over, since a newer value of their key is there or comes */
};

/* -E2BIG: more than CATCHUP_MAX_MISSED; -ESTALE: some are overwritten; -EILSEQ: offsets of a partition fall (its topic
 * was made anew); -EAGAIN: the index is not that far yet; -EBADMSG: the ring is damaged; -ENOMEM. */
int catchup_collect(struct worker *worker, const struct conn *conn,
                    const struct catchup_stretch *stretch, struct catchup_list *out) MUST_CHECK;

/* What says of a record which value it is. */
struct catchup_value {
    uint64_t position;
    uint32_t partition;
    uint32_t snapshot_slot;
    uint16_t flags;
    bool sampled;
};
/* True: who catches up is spared it, since a newer value of its key is there or comes. Counted for its topic, unless that is
 * sampled: nobody is promised all of it. */
bool catchup_spares(struct worker *worker, const struct catchup_value *value);
/* It is; counts it. */
void catchup_spared(struct worker *worker, uint32_t partition, bool sampled);

#endif
