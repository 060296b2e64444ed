/* Pace: how long ingest waits for workers that lag. Appending never waits, so a worker that falls a whole ring
 * behind is lapped; Kafka keeps what is not yet polled, so polling waits instead, within bounds:
 *
 *   FREE ─ lag > 1/2 of the ring ─> WAITED FOR ─ lag <= 1/2 ─> FREE
 *                                        │
 *                     cursor still for 100 ms, or a second gone
 *                                        v
 *                                     EXCUSED ─ lag < 1/4 ─> FREE
 *
 * A worker that is absent or not serving is ignored. A pure state machine over {cursors, now}: no clock, no
 * shared memory. Ingest owns one. */
#ifndef MOONX_INGEST_PACE_H
#define MOONX_INGEST_PACE_H

#include "common/heritage.h"

#define PACE_STILL_MS   100u  /* a cursor that has not moved for so long is not waited for */
#define PACE_EPISODE_MS 1000u /* longest wait for one worker at a stretch */

enum pace_state { PACE_FREE, PACE_WAITED_FOR, PACE_EXCUSED };

struct pace_worker {
    enum pace_state state;
    uint64_t cursor;   /* as last seen */
    uint64_t moved_ms; /* when it was seen to move, or the episode began */
    uint64_t since_ms; /* beginning of the episode */
};

struct pace {
    struct pace_worker workers[HERITAGE_MAX_WORKERS];
    bool waiting;
    uint64_t stepped_ms;
    uint64_t episodes; /* totals since pace_init */
    uint64_t waited_ms;
};

/* What one step looks at. */
struct pace_view {
    uint64_t head;     /* ring: end of what is published */
    uint64_t capacity; /* ring: bytes */
    unsigned count;    /* workers */
    bool serving[HERITAGE_MAX_WORKERS];
    uint64_t cursors[HERITAGE_MAX_WORKERS];
};

void pace_init(struct pace *pace);
/* True: don't poll Kafka now. now_ms never goes back. */
bool pace_step(struct pace *pace, const struct pace_view *view, uint64_t now_ms);

#endif
