/* Writing the ring: one producer (ingest), which never waits for readers.
 *
 *   struct ring_append w;
 *   ring_append_open(&w, &segment);            recover what a killed predecessor left
 *   record = ring_append_reserve(&w, length);  room for one record; fill it in place
 *   ring_append_commit(&w);                    … several of these …
 *   ring_append_publish(&w);                   all of them become visible at once
 *   ring_append_done(&w);
 *
 * At most a quarter of the ring is committed and not published: reserve publishes what there is before it
 * would go further, so that readers always have three quarters of the ring to lag in.
 * Positions are 64-bit byte counts that never wrap in practice (2^63 is tested); byte p lies at
 * p & (capacity - 1). A record lies in one piece: the rest of the ring's end becomes a RECORD_PAD. */
#ifndef MOONX_SHM_RING_APPEND_H
#define MOONX_SHM_RING_APPEND_H

#include "shm/record.h"
#include "shm/ring_pending.h"
#include "shm/segment.h"

struct ring_append {
    struct segment *segment;
    uint64_t head;                /* end of committed records; >= published */
    uint64_t sequence;            /* of the last committed record */
    uint64_t reserved;            /* position of the record being filled in, or UINT64_MAX */
    struct ring_pending *pending; /* links of what is committed and not published */
    struct record *staging;       /* checked builds: where it is filled in; else NULL */
};

/* Continues at `published`; redoes [indexed, published): every record there begins its stretch of the time
 * index, sets its partition's `next` and heads its rooms' slots again, in ring order. Idempotent: may itself
 * be killed and done again. The caller holds segment_lock(). -EBADMSG when the segment is damaged; -ENOMEM. */
int ring_append_open(struct ring_append *writer, struct segment *segment) MUST_CHECK;
/* Does not publish: what was committed only is gone, as after a kill. */
void ring_append_done(struct ring_append *writer);

/* Longest record (record_limit). */
size_t ring_append_limit(const struct ring_append *writer);

/* Room for a record of `length` bytes (rounded up to RECORD_ALIGN). Stores intent before it returns.
 * The record's length, sequence and zero tail are set here, everything else is the caller's, who must fill
 * in every field (the memory holds what lay there before). NULL when `length` is past the limit or shorter
 * than the header. A reservation that is not committed is dropped by the next one. In checked builds the
 * memory is private and copied in by commit. */
struct record *ring_append_reserve(struct ring_append *writer, size_t length);
/* The record must pass record_valid() and name a partition that positions knows, or UINT32_MAX for none. Sets
 * each of its rooms' `slot` and `previous`. */
void ring_append_commit(struct ring_append *writer);

/* Makes the committed records visible, enters them in positions and indexes, then sets `indexed`. Returns how many
 * bytes were published (0: nothing was waiting). */
uint64_t ring_append_publish(struct ring_append *writer);

#endif
