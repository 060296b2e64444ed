#include "shm/host_block.h"

#include "shm/region.h"

static const struct block_head head = {HOST_BLOCK_MAGIC, HOST_BLOCK_VERSION,
                                       sizeof(struct host_block)};

int host_block_create(int *fd) {
    return block_create("moonx-host", &head, fd);
}

int host_block_map(int fd, bool writable, struct host_block **out) {
    void *block;
    int result = block_map(fd, writable, &head, &block);
    if (result == 0)
        *out = block;
    return result;
}

void host_block_unmap(struct host_block *block) {
    region_unmap(block, sizeof(*block));
}
