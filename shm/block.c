#include "shm/block.h"

#include "shm/region.h"

#include <unistd.h>

int block_create(const char *name, const struct block_head *head, int *fd) {
    int made = -1;
    int result = region_create(name, head->size, &made);
    if (result < 0)
        return result;

    void *region;
    size_t size;
    result = region_map(made, true, head->size, &region, &size);
    if (result < 0) {
        close(made);
        return result;
    }
    memcpy(region, head, sizeof(*head));
    region_unmap(region, size);
    *fd = made;
    return 0;
}

int block_map(int fd, bool writable, const struct block_head *head, void **out) {
    void *region;
    size_t size;
    int result = region_map(fd, writable, head->size, &region, &size);
    if (result < 0)
        return result;

    const struct block_head *found = region;
    if (size != head->size || found->magic != head->magic || found->version != head->version ||
        found->size != head->size) {
        region_unmap(region, size);
        return -EPROTO;
    }
    *out = region;
    return 0;
}
