/* The value before the one in the snapshot table: a worker whose cursor the table has left behind finds in the ring
 * which value of a key it has read last (shm/snapshot_table.h: `former`, `settled`). */
#ifndef MOONX_SHM_SNAPSHOT_FORMER_H
#define MOONX_SHM_SNAPSHOT_FORMER_H

#include "shm/ring_read.h"
#include "shm/snapshot_table.h"

struct snapshot_former {
    uint64_t position; /* of the newest value below the cursor; SNAPSHOT_NOWHERE: there is none */
    uint64_t
        next; /* no other value of the key begins below this: the answer holds up to this cursor */
};

/* `value` is what snapshot_table_read() gave with SNAPSHOT_LATER for this cursor, its record still in the buffer.
 * Reads one record for each value at or above the cursor, and takes them off *hops. The reader is one for
 * ring_read_at() alone. -EAGAIN: *hops were too few; else what ring_read_at() says, -ESTALE for RING_LAPPED. */
int snapshot_former_find(struct ring_read *reader, const struct snapshot_value *value,
                         uint64_t cursor, unsigned *hops, struct snapshot_former *out) MUST_CHECK;

#endif
