/* Ingest's side of an uplink queue (shm/uplink.h): takes entries in order, writes answers in any order. What it reads
 * may have been written by anybody: nothing is used before it was copied and checked. Ingest has one for each queue. */
#ifndef MOONX_SHM_UPLINK_TAKE_H
#define MOONX_SHM_UPLINK_TAKE_H

#include "common/base.h"
#include "shm/uplink.h"

struct uplink_take {
    struct uplink_block *block;
    uint64_t taken;     /* number of the next entry */
    uint64_t inherited; /* those below were handed in before this ingest began */
    uint64_t id;        /* of that entry, once it has been looked at */
    uint64_t under_way
        [UPLINK_ENTRIES]; /* id of the entry that is to be answered in this place; 0: none */
};

/* An entry that has been checked; key and value lie in shared memory: copy them before the next call, and expect any
 * bytes. */
struct uplink_taken {
    unsigned place; /* for the answer */
    enum uplink_target target;
    struct span key, value;
    uint64_t sender;
    int64_t expiry_ms;
    uint64_t deadline_ns;
    bool ephemeral, at_once;
    bool again; /* a predecessor may have taken it, and done with it what it would */
    struct uplink_once once;
};

enum uplink_result {
    UPLINK_NOTHING, /* no new entry, or its place still waits for an answer */
    UPLINK_ENTRY,
    UPLINK_BAD, /* one that no worker writes: answered -EPROTO if it can be; count it */
};

/* Begins at the first entry without an answer; makes the worker look at what a predecessor has answered. The caller wakes
 * it after. */
void uplink_take_init(struct uplink_take *take, struct uplink_block *block);

/* The next entry; the same one again until uplink_take_next(). */
enum uplink_result uplink_take_peek(struct uplink_take *take, struct uplink_taken *out) MUST_CHECK;
/* After UPLINK_ENTRY: it is under way now and must be answered. */
void uplink_take_next(struct uplink_take *take);

/* Answers the entry in that place; without one under way there it does nothing. The caller wakes the worker after. */
void uplink_take_answer(struct uplink_take *take, unsigned place,
                        const struct uplink_answer *answer);

/* About to sleep. False: there is an entry to take, don't. `blocked`: the caller can't take any now. */
bool uplink_take_sleep(struct uplink_take *take, bool blocked) MUST_CHECK;

#endif
