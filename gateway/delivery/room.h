/* Plain rooms of this worker: name, and an array of the connections that listen. A connection keeps, per room,
 * its slot in that array, so that joining and leaving cost the same in a room of ten and of a million.
 * Personal rooms are no objects: see user.h. One worker owns the table. */
#ifndef MOONX_GATEWAY_DELIVERY_ROOM_H
#define MOONX_GATEWAY_DELIVERY_ROOM_H

#include "gateway/delivery/index_table.h"
#include "gateway/delivery/interest.h"
#include "gateway/delivery/slab.h"

#define MEMBER_NODE_ROOMS 3u

struct conn;

struct room {
    uint64_t hash; /* first word: the slab's link while free */
    char *name;
    uint32_t *listeners; /* indices of connections */
    uint32_t count, capacity;
    uint16_t name_length;
};

/* Rooms that one connection listens to: three a node, since three plain rooms are joined by default. */
struct member_node {
    uint32_t next;
    uint32_t room[MEMBER_NODE_ROOMS]; /* 0: unused */
    uint32_t slot[MEMBER_NODE_ROOMS]; /* in the room's listeners */
};

struct room_table {
    struct slab rooms;
    struct slab nodes;
    struct index_table by_name;
    struct interest *interest;
    const struct slab *conns; /* struct conn, to tell one whose slot moves */
};

void room_table_init(struct room_table *table, struct interest *interest, const struct slab *conns);
void room_table_done(struct room_table *table);

/* NULL when nobody on this worker listens. */
const struct room *room_find(const struct room_table *table, uint64_t hash, struct span name);

/* 1: joined; 0: was in it; -ENOMEM. */
int room_join(struct room_table *table, struct conn *conn, uint64_t hash,
              struct span name) MUST_CHECK;
/* 1: left; 0: was not in it. The room goes with its last listener. */
int room_leave(struct room_table *table, struct conn *conn, uint64_t hash, struct span name);
void room_leave_all(struct room_table *table, struct conn *conn);
bool room_has(const struct room_table *table, const struct conn *conn, uint64_t hash,
              struct span name);

typedef void room_visit(void *context, struct span name);
void room_each(const struct room_table *table, const struct conn *conn, room_visit *visit,
               void *context);

#endif
