/* The history refill: at a host's first start each partition is read from HISTORY_SECONDS ago on, and what lies
 * below `live_from` goes into the ring as history: for those who resume, delivered to nobody live.
 *
 * The ring may hold less than that. Reading all of it would push the history of quiet topics out again while
 * that of a loud one comes in, and whatever is pushed out was read in vain. So what is still to come is
 * projected from the sizes seen so far, partition by partition, as soon as there is a sample worth the name.
 * When it does not fit, the loudest give way: every partition gets at most the same number of bytes, and one
 * that has more goes on at an offset nearer to its live end; the ring is whole from there on (`whole_from`).
 * Looked at every 100 ms, so a bad sample is corrected by the next.
 *
 * Before the first catching-up the ring holds nothing but this refill and what came live meanwhile, so its end
 * says how much is used, also to the successor of an ingest that was killed in the middle. Ingest's main
 * thread only. */
#ifndef MOONX_INGEST_HISTORY_REFILL_H
#define MOONX_INGEST_HISTORY_REFILL_H

#include "ingest/kafka_assign.h"

struct history_refill {
    struct kafka_assign *assign;
    const struct segment *segment;
    bool told; /* that it does not fit */
};

/* One partition's remainder. */
struct history_share {
    uint64_t remaining; /* records */
    uint64_t bytes;     /* ring bytes of those read so far … */
    uint64_t records;   /* … and how many they are */
};

/* The most bytes that each partition may still put into the ring so that all stay within `room`; UINT64_MAX when
 * all fit, or when what was read so far (less than `sample` bytes) says too little. */
uint64_t history_refill_cap(const struct history_share *shares, unsigned count, uint64_t room,
                            uint64_t sample);
/* How many of a partition's remaining records that allows. average: bytes of a record, if it has shown none. */
uint64_t history_refill_keep(const struct history_share *share, uint64_t cap, uint64_t average);

void history_refill_init(struct history_refill *refill, struct kafka_assign *assign,
                         const struct segment *segment);
/* Every 100 ms or so, between batches, until caught up. */
void history_refill_tick(struct history_refill *refill);

#endif
