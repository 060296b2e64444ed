/* A worker's mirror of the snapshot table of shared memory (shm/snapshot_table.h), up to where it has read the ring: of
 * each key its rooms and one finished frame, marked as a snapshot. Nothing until somebody asks for the first time. */
#ifndef MOONX_GATEWAY_DELIVERY_SNAPSHOT_MIRROR_H
#define MOONX_GATEWAY_DELIVERY_SNAPSHOT_MIRROR_H

#include "gateway/delivery/frame.h"
#include "gateway/delivery/index_table.h"
#include "gateway/delivery/slab.h"
#include "gateway/delivery/snapshot_room.h"
#include "gateway/worker.h"

/* What the envelope of a current value ends in, instead of its last brace. */
#define SNAPSHOT_MARK        ",\"snapshot\":true}"
#define SNAPSHOT_MARK_LENGTH (sizeof(SNAPSHOT_MARK) - 1)

/* The envelope with the mark over its last brace, in place: there is room for it behind. */
static inline struct span snapshot_marked(char *envelope, size_t length) {
    memcpy(envelope + length - 1, SNAPSHOT_MARK, SNAPSHOT_MARK_LENGTH);
    return (struct span){envelope, length - 1 + SNAPSHOT_MARK_LENGTH};
}

/* One key, by its slot in the table. */
struct snapshot_mirror {
    uint64_t position; /* 0 with no piece: not mirrored */
    char *key;
    struct record *head; /* its record without the envelope */
    struct frame_piece piece;
    uint64_t next; /* what stands here is right up to this cursor */
    uint16_t key_length;
    bool later; /* on that list */
};

struct snapshots {
    struct worker *worker;
    struct snapshot_mirror
        *mirrors;    /* one for each slot of the table; NULL: nobody has asked yet */
    uint32_t *later; /* slots to look at again */
    uint32_t later_count;
    uint64_t seen;         /* of the table's changes */
    uint64_t needed, made; /* bytes of frames */
    struct slab rooms;
    struct index_table by_name;
    char *buffer;  /* for a value as it is read */
    unsigned hops; /* left of this join */
    bool failed;   /* memory ran out: what is mirrored is not all */
};

/* Small until somebody asks. */
int snapshot_mirror_new(struct snapshots **out) MUST_CHECK;
void snapshot_mirror_free(struct snapshots *all);

/* Up to where this worker has read the ring. False: memory is out, and what is mirrored is not all. */
bool snapshot_mirror_follow(struct worker *worker) MUST_CHECK;
/* Before a room's frames are queued. Keys are made and change in any order, and then neighbours in the room are none in
 * memory: each joiner costs a reference a key. When joiners have cost as many as there are keys, it has paid to move its
 * frames. */
void snapshot_mirror_put_in_order(struct snapshots *all, struct snapshot_room *room);

#endif
