#include "shm/host_block.h"

#include "shm/region.h"

#include <unistd.h>

int host_block_create(int *fd) {
    int made = -1;
    int result = region_create("moonx-host", sizeof(struct host_block), &made);
    if (result < 0)
        return result;

    struct host_block *block;
    void *region;
    size_t size;
    result = region_map(made, true, sizeof(*block), &region, &size);
    if (result < 0) {
        close(made);
        return result;
    }
    block = region;
    block->magic = HOST_BLOCK_MAGIC;
    block->version = HOST_BLOCK_VERSION;
    block->size = sizeof(*block);
    region_unmap(region, size);
    *fd = made;
    return 0;
}

int host_block_map(int fd, bool writable, struct host_block **out) {
    void *region;
    size_t size;
    int result = region_map(fd, writable, sizeof(struct host_block), &region, &size);
    if (result < 0)
        return result;

    struct host_block *block = region;
    if (size != sizeof(*block) || block->magic != HOST_BLOCK_MAGIC ||
        block->version != HOST_BLOCK_VERSION || block->size != sizeof(*block)) {
        region_unmap(region, size);
        return -EPROTO;
    }
    *out = block;
    return 0;
}

void host_block_unmap(struct host_block *block) {
    region_unmap(block, sizeof(*block));
}
