/* Walking back through one chain of a room's records, newest first, along the room index (shm/room_index.h). A
 * worker's; the walk is a value on its stack and leaves no trace.
 *
 * Only heads are read from the index, everything else from the records: each hop copies header, rooms and
 * name out of the ring and then checks against `intent` that they were whole. Whose hash or name is another's
 * (a bucket is shared) is passed over; positions must fall with every hop. */
#ifndef MOONX_SHM_ROOM_WALK_H
#define MOONX_SHM_ROOM_WALK_H

#include "shm/record.h"
#include "shm/room_index.h"

enum room_walk_result {
    ROOM_WALK_HIT,    /* *hit is the next older record of the room */
    ROOM_WALK_END,    /* none older at or above `stop` */
    ROOM_WALK_LAPPED, /* the next one has been overwritten */
    ROOM_WALK_PAUSED, /* `most` records have been looked at */
};

struct room_walk {
    const struct segment *segment;
    uint64_t hash;
    enum room_chain chain;
    struct span key; /* the caller's, kept as long as the walk */
    unsigned kinds;  /* 1 << enum room_kind of those that count: a user's four rooms are one walk */
    uint32_t slot;   /* where the chain is: its own, then its bucket's */
    uint64_t link;   /* of the next record to look at */
    uint64_t hops;   /* records looked at: of the room, and of others in its bucket */
    uint64_t most;   /* the caller's budget of them, which he may raise */
};

struct room_hit {
    uint64_t position;
    uint32_t length; /* of the record */
    uint32_t partition;
    int64_t offset;
    int64_t expiry_ms;
    uint16_t kind; /* enum record_kind */
    uint16_t flags;
    uint16_t sample_ms;
    uint32_t snapshot_slot;
};

/* The whole of the room's records below `published` is found only if the caller has seen `indexed` there
 * (room_walk_indexed()) before. */
void room_walk_start(struct room_walk *walk, const struct segment *segment, uint64_t hash,
                     struct span key, unsigned kinds, enum room_chain chain);
/* The end of what the index accounts for. */
uint64_t room_walk_indexed(const struct segment *segment);
/* One record further; `stop` is the position below which nothing is wanted. -EBADMSG: the ring is damaged. */
int room_walk_next(struct room_walk *walk, uint64_t stop, struct room_hit *hit) MUST_CHECK;

#endif
