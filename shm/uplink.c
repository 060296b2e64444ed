#include "shm/uplink.h"

#include "shm/region.h"

static const struct block_head head = {UPLINK_MAGIC, UPLINK_VERSION, sizeof(struct uplink_block)};

int uplink_create(int *fd) {
    return block_create("moonx-uplink", &head, fd);
}

int uplink_map(int fd, struct uplink_block **out) {
    void *block;
    int result = block_map(fd, true, &head, &block);
    if (result == 0)
        *out = block;
    return result;
}

void uplink_unmap(struct uplink_block *block) {
    region_unmap(block, sizeof(*block));
}
