#include "shm/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fix_size(int fd, size_t size);

int region_create(const char *name, size_t size, int *fd) {
    int made = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (made < 0)
        return -errno;

    int result = fix_size(made, size);
    if (result < 0) {
        close(made);
        return result;
    }
    *fd = made;
    return 0;
}

static int fix_size(int fd, size_t size) {
    if (fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    return 0;
}

int region_map(int fd, bool writable, size_t least, void **out, size_t *size) {
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if ((size_t)status.st_size < least || least == 0)
        return -EPROTO;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return -EPROTO;

    int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *region = mmap(NULL, (size_t)status.st_size, rights, MAP_SHARED, fd, 0);
    if (region == MAP_FAILED)
        return -errno;
    *out = region;
    *size = (size_t)status.st_size;
    return 0;
}

void region_unmap(void *region, size_t size) {
    if (region)
        munmap(region, size);
}
