/* Memory that runs out: a library before the C library (LD_PRELOAD) whose malloc refuses what a file says. The file is
 * named by SCARCE_FILE, and mapped when the process starts, so that a test gives its orders at any moment (scarce.mjs):
 *
 *     0 pid u32       the process concerned; 0: nobody
 *     4 after i32     so many allocations are still granted
 *     8 failures u32  so many behind them are refused
 *    12 refused u32   so many were
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct orders {
    _Atomic uint32_t pid;
    _Atomic int32_t after;
    _Atomic uint32_t failures, refused;
};

static struct orders *orders;
static uint32_t own_pid;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

__attribute__((constructor)) static void read_orders(void) {
    const char *name = getenv("SCARCE_FILE");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    own_pid = (uint32_t)getpid();
    if (map != MAP_FAILED)
        orders = map;
}

static bool refused(void) {
    if (!orders || atomic_load(&orders->pid) != own_pid)
        return false;
    int32_t left = atomic_fetch_sub(&orders->after, 1);
    if (left > 0 || left <= -(int32_t)atomic_load(&orders->failures))
        return false;
    atomic_fetch_add(&orders->refused, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    return refused() ? NULL : __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    return refused() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    void *block = memalign(alignment, size);
    if (!block)
        return ENOMEM;
    *out = block;
    return 0;
}
