/* A block: a region that begins with magic, version and its own size, so that nobody maps another's. The host block and
 * every worker block are such; each kind's file says who writes it. */
#ifndef MOONX_SHM_BLOCK_H
#define MOONX_SHM_BLOCK_H

#include "common/base.h"

struct block_head {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* of the whole block */
};

/* A region of head->size bytes with that head. */
int block_create(const char *name, const struct block_head *head, int *fd) MUST_CHECK;
/* Maps it; -EPROTO when its head is another. Ends with region_unmap(). */
int block_map(int fd, bool writable, const struct block_head *head, void **out) MUST_CHECK;

#endif
