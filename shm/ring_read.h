/* Reading the ring: any number of readers, who never write to it and whom the producer never waits for.
 * A reader copies a record out, then checks that the producer has not begun to overwrite it meanwhile:
 * the copy is valid if and only if position + capacity >= intent (as in Aeron's broadcast
 * buffer; tests/torture/ring.pml is checked for it). A length is bounded before it is believed. */
#ifndef MOONX_SHM_RING_READ_H
#define MOONX_SHM_RING_READ_H

#include "shm/record.h"
#include "shm/segment.h"

enum ring_result {
    RING_OK, /* *record is a valid copy that has passed record_valid(), good until the next call */
    RING_EMPTY, /* nothing new */
    RING_LAPPED, /* overtaken: the cursor now stands at the head, *skipped records were passed over */
};

struct ring_read {
    const struct segment *segment;
    uint64_t cursor;       /* position of the next record to read */
    uint64_t sequence;     /* of the last record read or skipped */
    struct record *buffer; /* grows to the longest record seen; at most an eighth of the ring */
    size_t buffer_size;
};

/* Starts at the head: what is published now is past, what comes is read. -ENOMEM; -EBADMSG when the ring's
 * words contradict each other (no producer leaves them so, killed or not). */
int ring_read_init(struct ring_read *reader, const struct segment *segment) MUST_CHECK;
void ring_read_done(struct ring_read *reader);

/* On RING_LAPPED *skipped is exact: the number of records between the last one read and the head.
 * -ENOMEM leaves the cursor where it is: try again. -EBADMSG: the ring is damaged (only a broken producer
 * can do that); the cursor then stands at the head if there is one to be found, and nothing says what was
 * missed. */
int ring_read_next(struct ring_read *reader, const struct record **record,
                   uint64_t *skipped) MUST_CHECK;
/* The record at `position`, which an index has told: RING_OK, RING_LAPPED (overwritten; nothing is said about the
 * head), -ENOMEM, -EBADMSG. The reader is one for this alone: cursor and sequence mean nothing. */
int ring_read_at(struct ring_read *reader, uint64_t position,
                 const struct record **record) MUST_CHECK;
/* Published bytes not yet read. */
uint64_t ring_read_lag(const struct ring_read *reader);
/* `published` and the sequence number of the last record before it, as they were at one moment.
 * -EBADMSG as above. */
int ring_read_head(const struct segment *segment, uint64_t *position,
                   uint64_t *sequence) MUST_CHECK;

#endif
