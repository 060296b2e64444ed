/* The event types that routes give: with the built-in ones they are the back ends' own, and no client may publish one of
 * them. Part of the segment; writer ingest (at its start, from the routes), readers workers, for each `publish`.
 *
 * `version` is odd while it is written; a writer killed then leaves it odd, and its successor writes all of it again. 0:
 * no ingest has come so far. */
#ifndef MOONX_SHM_TYPE_TABLE_H
#define MOONX_SHM_TYPE_TABLE_H

#include "common/base.h"
#include "shm/segment.h"

#define TYPE_MAX       256u
#define TYPE_MAX_BYTES 64u

struct type_name {
    uint64_t length;
    char text[TYPE_MAX_BYTES];
};
static_assert(sizeof(struct type_name) == 72, "whole words");

struct type_table {
    shm_u64 version;
    uint64_t count;
    struct type_name names[TYPE_MAX];
};

/* Writer only. At most TYPE_MAX of at most TYPE_MAX_BYTES; one may be there twice. */
void type_table_set(struct segment *segment, const struct span *types, unsigned count);
/* Reader. True also while the table is being written: who asks then had better not do it. */
bool type_table_has(const struct segment *segment, struct span type);

#endif
