#include "shm/worker_block.h"

#include "shm/region.h"

static const struct block_head head = {WORKER_BLOCK_MAGIC, WORKER_BLOCK_VERSION,
                                       sizeof(struct worker_block)};

int worker_block_create(int *fd) {
    return block_create("moonx-worker", &head, fd);
}

int worker_block_map(int fd, bool writable, struct worker_block **out) {
    void *block;
    int result = block_map(fd, writable, &head, &block);
    if (result == 0)
        *out = block;
    return result;
}

void worker_block_unmap(struct worker_block *block) {
    region_unmap(block, sizeof(*block));
}
