/* The worker's side of an uplink queue (shm/uplink.h): hands messages in, finds the answers. Its truth (positions, ids)
 * lies here, in the worker's own memory; the shared words only tell ingest. One per worker. */
#ifndef MOONX_SHM_UPLINK_PUT_H
#define MOONX_SHM_UPLINK_PUT_H

#include "common/base.h"
#include "shm/uplink.h"

struct uplink_item {
    enum uplink_target target;
    struct span key, value;
    uint64_t sender;
    int64_t expiry_ms;
    uint64_t deadline_ns;
    uint32_t flags;
    const struct uplink_once *once;
};

struct uplink_put {
    struct uplink_block *block;
    uint64_t head, tail, data_head, data_tail;
    uint64_t
        first; /* number of the first entry of this worker; those before are its predecessor's */
    uint64_t id_base; /* an entry's id is this plus its number */
    uint64_t answers; /* as last seen */
    struct {
        uint64_t id;       /* of the entry */
        uint64_t data_end; /* what is free when it is no longer needed */
        bool answered;
    } pending[UPLINK_ENTRIES];
};

/* Goes on behind what a predecessor has left; `first_id` is random, above 0 and below
 * 2^63: ids count up from there, and a predecessor's are others. What was
 * left contradicts itself: the queue starts empty. */
void uplink_put_init(struct uplink_put *put, struct uplink_block *block, uint64_t first_id);

/* Hands one message in; *number says which it is (each is one more than the last). -EAGAIN: no space now; -EMSGSIZE;
 * -EINVAL: no key, too long a key, or no value. */
int uplink_put_add(struct uplink_put *put, const struct uplink_item *item,
                   uint64_t *number) MUST_CHECK;
/* True when ingest sleeps: the caller rings its bell. After one or several uplink_put_add(). */
bool uplink_put_must_wake(struct uplink_put *put) MUST_CHECK;

/* Cheap: has ingest answered anything since uplink_put_answers() was called last? */
bool uplink_put_answered(const struct uplink_put *put);
/* Visits each new answer to an entry of this worker once, oldest entry first; the visitor may add messages. An answer
 * that can't be true is one of -EPROTO. */
typedef void uplink_put_visit(void *context, uint64_t number, const struct uplink_answer *answer);
void uplink_put_answers(struct uplink_put *put, uplink_put_visit *visit, void *context);

#endif
