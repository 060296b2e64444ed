/* Writing the snapshot table (shm/snapshot_table.h): ingest's side. When there is no room for a new key, the one that
 * was changed longest ago gives way. Which cells are free is found again from the slots by a successor. */
#ifndef MOONX_SHM_SNAPSHOT_PUT_H
#define MOONX_SHM_SNAPSHOT_PUT_H

#include "shm/snapshot_places.h"

struct snapshot_put {
    struct segment *segment;
    struct snapshot_places places;
    uint32_t *free_slots, *free_cells;
    uint32_t free_slot_count, free_cell_count;
    uint64_t at;      /* position of the record that is being put, or will be next */
    uint64_t evicted; /* keys that gave way, since open */
    uint64_t refused; /* values that are too long, or their key is */
};

/* What a killed predecessor wrote and never published gives way to the value before it, if the ring still has that.
 * Before anything is appended. -ENOMEM. */
int snapshot_put_open(struct snapshot_put *put, struct segment *segment) MUST_CHECK;
void snapshot_put_done(struct snapshot_put *put);

/* Before a topic's first value: values that were kept by something else (another key, other rooms) are no one's
 * current ones any more, and go. kept_by: any number that tells them apart; 0: none are kept. */
void snapshot_put_topic(struct snapshot_put *put, uint32_t topic, uint64_t kept_by);

/* The record is filled in and will lie at `position`; it is committed after this, and published later. Sets
 * its `former`. Returns its snapshot_slot, 0 when it is not kept: then the key's former value is not either. A record of history
 * does not take the place of another partition's newer value (by Kafka's time). */
uint32_t snapshot_put_value(struct snapshot_put *put, struct span key, struct record *record,
                            uint64_t position);

#endif
