/* From a worker to Kafka: what clients publish goes into this worker's queue in shared memory (shm/uplink.h), ingest
 * hands it to Kafka and writes the outcome back, and the worker's loop tells whoever asked. Each worker has one uplink,
 * from its start to its end.
 *
 *   handler ── uplink_send() ──> queue ──> ingest ──> Kafka (acks=all)
 *   handler <── done() ── loop <── outcome in the entry <──┘
 *
 * An outcome without an error is never false: the record is in Kafka, at that offset. One with an error says nothing
 * about Kafka: a message that failed may be there all the same, and arrive. Whoever sends it again with the same `once`
 * has it counted once. Messages with the same key keep their order among each other, from one worker. */
#ifndef MOONX_GATEWAY_UPLINK_H
#define MOONX_GATEWAY_UPLINK_H

#include "gateway/worker.h"
#include "shm/uplink.h"

/* After so long whoever waits is told -ETIMEDOUT, whatever becomes of the message. */
#define UPLINK_TIMEOUT_MS 15000

struct uplink;

struct uplink_message {
    enum uplink_target target;
    struct span key;   /* what decides the order: a room, a user id; 1..UPLINK_KEY_MAX_BYTES */
    struct span value; /* the record's value, at least one byte */
    uint64_t sender;   /* connection that does not get the event, on no host; 0: none */
    int64_t expiry_ms; /* wall time after which it is no longer delivered; 0: never */
    bool ephemeral;    /* live only: neither history nor resume brings it again */
    bool at_once;      /* this host's clients get it without Kafka, which may be away */
    const struct uplink_once
        *once; /* the same for messages that count once; NULL: like no other message */
};

struct uplink_outcome {
    int error; /* 0: in Kafka, or on its way at once; else -errno, and the rest means nothing */
    struct span topic; /* lives as long as the process */
    int32_t partition;
    int64_t offset;
};

/* From the worker's loop, exactly once, never from within uplink_send(). The connection that asked may have gone:
 * remember it by conn_index() and conn_id(). */
typedef void uplink_done(struct worker *worker, void *context,
                         const struct uplink_outcome *outcome);

/* 0: `done` (may be NULL) will be called; the bytes are copied. Else it never will be: -ENOTCONN: ingest says that
 * Kafka is away; -EAGAIN: the queue is full; -EMSGSIZE: longer than UPLINK_MAX_BYTES, or than
 * an event may be in this host's ring; -EINVAL: no key, no value. */
int uplink_send(struct worker *worker, const struct uplink_message *message, uplink_done *done,
                void *context) MUST_CHECK;

/* What makes two messages the same one: a digest of the parts, whose borders count. -ENOMEM. */
int uplink_once_of(const struct span *parts, unsigned count, struct uplink_once *out) MUST_CHECK;

/* After the shared memory is mapped, before the first connection. -ENOMEM; -EIO: no random number. */
int uplink_start(struct worker *worker) MUST_CHECK;
/* Who still waits is told -ECANCELED, while there are connections; then there is no uplink any more. */
void uplink_stop(struct worker *worker);

/* Once a turn: tells whom answers have come for, and whose time is up. */
void uplink_receive(struct worker *worker);
/* After wake_prepare_sleep(): whether answers wait, so that the worker must not sleep. */
bool uplink_answered(const struct worker *worker);

#endif
