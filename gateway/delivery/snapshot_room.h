/* Which keys of the mirror (snapshot_mirror.h) each room has, in the order of keys. A key's slot enters the rooms that its
 * record names, and leaves them when it is forgotten; a room goes with its last key. Inner part of snapshots; one worker
 * owns them. */
#ifndef MOONX_GATEWAY_DELIVERY_SNAPSHOT_ROOM_H
#define MOONX_GATEWAY_DELIVERY_SNAPSHOT_ROOM_H

#include "gateway/worker.h"

struct snapshots;

struct snapshot_room {
    uint64_t hash;   /* first word: the slab's link while free */
    char *name;      /* kind, then the room's key */
    uint32_t *slots; /* in the order of keys */
    uint32_t count, capacity;
    uint32_t
        scattered; /* references queued since its frames were last moved, beyond one a joiner */
    uint16_t name_length;
};

void snapshot_room_init(struct snapshots *all);
void snapshot_room_done(struct snapshots *all);

/* NULL: it has no value. hash: room_name_hash() of its key. */
struct snapshot_room *snapshot_room_find(const struct snapshots *all, uint64_t hash, unsigned kind,
                                         struct span key);
/* The mirrored key of the slot enters one of its record's rooms. False: memory is out. */
bool snapshot_room_enter(struct snapshots *all, uint32_t slot, unsigned room);
/* All of them, those that it has not entered too. */
void snapshot_room_leave(struct snapshots *all, uint32_t slot);

#endif
