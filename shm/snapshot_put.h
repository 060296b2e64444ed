/* Writing the snapshot table (shm/snapshot_table.h): ingest's side, and what it remembers of it in memory of its
 * own: where each key is, which cells are free, which key was changed longest ago. That gives way when there is no
 * room for a new one. All of it is found again from the slots by a successor. */
#ifndef MOONX_SHM_SNAPSHOT_PUT_H
#define MOONX_SHM_SNAPSHOT_PUT_H

#include "shm/snapshot_table.h"

struct snapshot_put {
    struct segment *segment;
    uint32_t *places;        /* hash table of slot + 1, twice as many places as slots */
    uint32_t *newer, *older; /* the slots in use in the order of their last change */
    uint32_t newest, oldest;
    uint32_t *free_slots, *free_cells;
    uint32_t free_slot_count, free_cell_count;
    uint64_t evicted; /* keys that gave way, since open */
    uint64_t refused; /* values that are too long, or their key is */
};

/* What a killed predecessor wrote and never published gives way to the value before it, if the ring still has that.
 * Before anything is appended. -ENOMEM. */
int snapshot_put_open(struct snapshot_put *put, struct segment *segment) MUST_CHECK;
void snapshot_put_done(struct snapshot_put *put);

/* The record is filled in and will lie at `position`; it is committed after this, and published later. Sets
 * its `former`. Returns its snapshot_slot, 0 when it is not kept: then the key's former value is not either. A record of history
 * does not take the place of another partition's newer value (by Kafka's time). */
uint32_t snapshot_put_value(struct snapshot_put *put, struct span key, struct record *record,
                            uint64_t position);

#endif
