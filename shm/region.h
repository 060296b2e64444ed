/* A region: one memfd that processes share, of fixed size, readable by its owner alone. The segment, the
 * host block and every worker block are regions; the supervisor makes them all, and they live as long as
 * some process holds a descriptor or a mapping of them. */
#ifndef MOONX_SHM_REGION_H
#define MOONX_SHM_REGION_H

#include "common/base.h"

/* A memfd of `size` zero bytes, mode 0600, close-on-exec, sealed against shrinking, growing and further
 * seals: a mapping of it can never raise SIGBUS for a missing end. Pages cost memory once touched. */
int region_create(const char *name, size_t size, int *fd) MUST_CHECK;

/* Maps all of it. -EPROTO when it is shorter than `least` bytes or not sealed against shrinking. */
int region_map(int fd, bool writable, size_t least, void **out, size_t *size) MUST_CHECK;
void region_unmap(void *region, size_t size);

#endif
