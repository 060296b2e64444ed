/* How far a worker has come, by topic-partition, and how it is told to clients: `{"epoch","topics"}`, moonx-protocol(7).
 *
 * The vector is the worker's own (what it has queued), never the producer's: a position means that everything up to
 * there has been sent. It moves with each record, and once a tick with what gave no record (a rejected message): the
 * producer's offsets are noted together with the end of the ring after them, and count when the worker has read up to
 * there. Its last POSITION_LOG moves are kept, so that who is held for a moment can be told the position of that moment.
 * A reader that takes its place in mid-stream, or was lapped, leaves the vector behind what it has passed over: until a
 * note has caught up with that, nobody is told a position, and no claim is judged by it. One worker owns one. */
#ifndef MOONX_GATEWAY_DELIVERY_POSITION_H
#define MOONX_GATEWAY_DELIVERY_POSITION_H

#include "shm/feed_table.h"
#include "shm/positions.h"
#include "shm/record.h"
#include "shm/segment.h"

struct position_topic {
    uint32_t first, count; /* in position_view.order: its partitions by number */
};

#define POSITION_LOG 16384u
#define POSITION_NOW UINT64_MAX

struct position_move {
    uint64_t cursor; /* how far the worker had read then */
    uint64_t next;   /* before the move */
    uint32_t partition;
};

struct position_view {
    const struct segment *segment;
    int64_t epoch;
    uint64_t next[POSITIONS_MAX_PARTITIONS]; /* offset wanted next; POSITION_UNKNOWN */
    bool behind;                             /* of what the reader has passed over */
    uint64_t lapped; /* records that it was lapped by, not counted by topic yet (passed_over.h) */
    uint64_t before_lap[POSITIONS_MAX_PARTITIONS]; /* `next` then */
    struct {
        uint64_t published;
        uint32_t count;
        uint64_t next[POSITIONS_MAX_PARTITIONS];
    } noted;
    uint32_t partition_count, topic_count; /* as far as `order` goes */
    uint32_t order[POSITIONS_MAX_PARTITIONS];
    struct position_topic topics[POSITIONS_MAX_TOPICS];
    struct feed_view feeds;
    uint64_t moves; /* ever made; number n lies at n % POSITION_LOG */
    struct position_move log[POSITION_LOG];
    uint64_t told[POSITIONS_MAX_PARTITIONS]; /* what is being told */
    char text[POSITIONS_MAX_PARTITIONS * 24 + POSITIONS_MAX_TOPICS * 256 + 64];
};

/* Before the worker's reader takes its place (ring_read_init): what it starts with lies below that. */
int position_view_new(const struct segment *segment, int64_t epoch,
                      struct position_view **out) MUST_CHECK;
void position_view_free(struct position_view *view);

static inline void position_move(struct position_view *view, uint32_t partition, uint64_t next,
                                 uint64_t cursor) {
    view->log[view->moves++ % POSITION_LOG] =
        (struct position_move){cursor, view->next[partition], partition};
    view->next[partition] = next;
}
/* The record has been queued; `cursor` is the ring position behind it. */
static inline void position_pass(struct position_view *view, const struct record *record,
                                 uint64_t cursor) {
    if (record->partition < POSITIONS_MAX_PARTITIONS) {
        position_move(view, record->partition, (uint64_t)record->offset + 1, cursor);
    }
}
/* Once a tick, and each turn while `behind`; `cursor` is how far the worker has read. */
void position_note(struct position_view *view, uint64_t cursor);
/* The reader stands at `cursor` now without having read what lies before. */
void position_jumped(struct position_view *view, uint64_t cursor);

/* The topics and their feeds as they are now; before the next two. */
void position_refresh(struct position_view *view);
/* A topic's index by its name; -ENOENT. */
int position_topic(const struct position_view *view, struct span name);
/* Offset wanted next of a partition; POSITION_UNKNOWN while its start is not known. What lies below its start was
 * never for those who are here now. */
uint64_t position_next(const struct position_view *view, uint32_t partition);

/* The rooms of one client, for whom a topic is told if it may feed one of them. */
struct position_rooms {
    const struct position_view *view;
    bool fed[POSITIONS_MAX_TOPICS];
};
void position_rooms_add(struct position_rooms *rooms, struct span room);
/* The position when the worker had read up to `cursor`, or POSITION_NOW, as JSON, good until the next call. False: that is
 * too long ago. */
bool position_text(struct position_view *view, const struct position_rooms *rooms, uint64_t cursor,
                   struct span *out) MUST_CHECK;

#endif
