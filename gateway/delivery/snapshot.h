/* Snapshots: who joins a room of a conflated route gets the current value of each of its keys at once, in the order of
 * keys, each marked `"snapshot":true`.
 *
 * A worker mirrors the snapshot table of shared memory (shm/snapshot_table.h), from its first joiner on: at each join it
 * follows what has changed since the last one, and keeps of each key its rooms and one finished frame. So many joiners
 * share the same frames, neighbours in memory, and each costs one reference for a run of them; what changes between
 * two joiners is made once. A value whose record this worker has not read yet is left for later: it comes live, and
 * until then the newest one that this worker has read is still the current one; it is found in the ring.
 *
 * Memory: the table's size at most, three times with what replaced frames still occupy; then all are moved together. A
 * room's frames are put next to each other again when its joiners have cost as many references as it has keys. One worker
 * owns one. */
#ifndef MOONX_GATEWAY_DELIVERY_SNAPSHOT_H
#define MOONX_GATEWAY_DELIVERY_SNAPSHOT_H

#include "gateway/worker.h"

struct conn;

/* The connection has just joined the room and had no event of it yet: queues the room's current values. Nothing for a
 * room that has none. Who is about to resume gets them after the answer to that (catchup.h). Closes the connection when it can't be
 * told (1011: memory is out; 1013: its queue is full). */
void snapshot_send(struct worker *worker, struct conn *conn, struct span room);
/* Which values. */
struct snapshot_choice {
    /* After a resume, which gives the newest ones itself: for which this is POSITION_UNKNOWN, by partition, and those
     * below it that sampling may have kept from the client. NULL: all. */
    const uint64_t *named;
    uint64_t from, to; /* to not 0: those of sampled routes alone, from here to there in the ring */
};
/* The same for all its rooms, of these values. */
void snapshot_send_rooms(struct worker *worker, struct conn *conn,
                         const struct snapshot_choice *choice);

#endif
