#include "common/config_files.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC      0x6d6f6f6e66696c65ull
#define SLOTS_AT   4096u
#define AREA_BYTES (SLOTS_AT + 2ull * CONFIG_FILES_SLOT_BYTES)
#define PATH_LIMIT 4096u

struct header {
    uint64_t magic;
    _Atomic uint32_t generation; /* 0: nothing stored yet */
    uint32_t lengths[2];
};

struct entry {
    uint32_t path_length, data_length;
};

static const struct header *attached;

static int open_file(const char *path);
static int reopen_read_only(int fd);
static struct header *map(int fd, int protection);
static long append_file(const struct config_files_source *source, unsigned char *slot, size_t used);
static bool same_as_now(const struct header *header, const unsigned char *slot, size_t length);
static int copy_stored(const char *path, int *fd);
static bool find(const struct header *header, uint32_t generation, const char *path,
                 struct span *data);
static int memory_file(struct span data);

int config_files_create(int *write_fd, int *read_fd) {
    struct header header = {.magic = MAGIC};
    int fd = memfd_create("moonx-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int reader = -1, result;

    if (fd < 0) {
        return -errno;
    }
    if (fchmod(fd, 0600) != 0 || ftruncate(fd, (off_t)AREA_BYTES) != 0 ||
        pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        (reader = reopen_read_only(fd)) < 0) {
        result = -errno;
        close(fd);
        return result;
    }
    *write_fd = fd;
    *read_fd = reader;
    return 0;
}

int config_files_store(int write_fd, const struct config_files_source *sources, unsigned count,
                       char *error, size_t error_size) {
    struct header *header = map(write_fd, PROT_READ | PROT_WRITE);
    unsigned char *slot;
    uint32_t next;
    long used = 0;
    int result = 1;

    if (header == NULL) {
        snprintf(error, error_size, "the configured files can't be kept: %s", strerror(errno));
        return -errno;
    }
    next = atomic_load_explicit(&header->generation, memory_order_relaxed) + 1;
    slot = (unsigned char *)header + SLOTS_AT + (size_t)(next % 2) * CONFIG_FILES_SLOT_BYTES;
    for (unsigned i = 0; i < count && used >= 0; i++) {
        used = append_file(&sources[i], slot, (size_t)used);
        if (used < 0) {
            snprintf(error, error_size, "%s: %s", sources[i].path, strerror((int)-used));
        }
    }
    if (used < 0) {
        result = (int)used;
    } else if (next > 1 && same_as_now(header, slot, (size_t)used)) {
        result = 0;
    } else {
        header->lengths[next % 2] = (uint32_t)used;
        atomic_store_explicit(&header->generation, next, memory_order_release);
    }
    munmap(header, AREA_BYTES);
    return result;
}

int config_files_attach(int read_fd) {
    struct stat status;
    struct header *header;

    if (fstat(read_fd, &status) != 0) {
        return -errno;
    }
    if (status.st_size != (off_t)AREA_BYTES) {
        return -EPROTO;
    }
    header = map(read_fd, PROT_READ);
    if (header == NULL) {
        return -errno;
    }
    if (header->magic != MAGIC) {
        munmap(header, AREA_BYTES);
        return -EPROTO;
    }
    madvise(header, AREA_BYTES, MADV_DONTDUMP); /* keys are among the files */
    attached = header;
    return 0;
}

uint32_t config_files_generation(void) {
    return attached != NULL ? atomic_load_explicit(&attached->generation, memory_order_acquire) : 0;
}

int config_files_open(const char *path) {
    int fd = -1;

    if (attached != NULL && copy_stored(path, &fd) == 1) {
        return fd;
    }
    return open_file(path);
}

static int open_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

/* mprotect can't widen what was opened so. */
static int reopen_read_only(int fd) {
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static struct header *map(int fd, int protection) {
    void *area = mmap(NULL, AREA_BYTES, protection, MAP_SHARED, fd, 0);

    return area == MAP_FAILED ? NULL : area;
}

static long read_some(int fd, unsigned char *to, size_t most) {
    size_t total = 0;
    ssize_t got = 1;

    while (got != 0 && total < most) {
        got = read(fd, to + total, most - total);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        total += got > 0 ? (size_t)got : 0;
    }
    return (long)total;
}

static long read_file(const char *path, unsigned char *to, size_t most) {
    int fd = open_file(path);
    long length;

    if (fd < 0) {
        return fd;
    }
    length = read_some(fd, to, most);
    close(fd);
    return length;
}

static long copy_text(struct span text, unsigned char *to, size_t most) {
    size_t length = text.length < most ? text.length : most;

    memcpy(to, text.data, length);
    return (long)length;
}

/* The slot's new length, or -errno. */
static long append_file(const struct config_files_source *source, unsigned char *slot,
                        size_t used) {
    struct entry entry = {.path_length = (uint32_t)strlen(source->path)};
    size_t data_at = used + sizeof(entry) + entry.path_length;
    size_t room, most = CONFIG_FILES_MAX_BYTES + 1;
    long length;

    if (entry.path_length > PATH_LIMIT || data_at >= CONFIG_FILES_SLOT_BYTES) {
        return -EFBIG;
    }
    room = CONFIG_FILES_SLOT_BYTES - data_at;
    most = room < most ? room : most;
    length = source->text.data != NULL ? copy_text(source->text, slot + data_at, most)
                                       : read_file(source->path, slot + data_at, most);
    if (length < 0) {
        return length;
    }
    if ((size_t)length == room) {
        return -EFBIG; /* it may go on */
    }
    entry.data_length = (uint32_t)length;
    memcpy(slot + used, &entry, sizeof(entry));
    memcpy(slot + used + sizeof(entry), source->path, entry.path_length);
    return (long)data_at + length;
}

static const unsigned char *slot_of(const struct header *header, uint32_t generation) {
    return (const unsigned char *)header + SLOTS_AT +
           (size_t)(generation % 2) * CONFIG_FILES_SLOT_BYTES;
}

static bool same_as_now(const struct header *header, const unsigned char *slot, size_t length) {
    uint32_t now = atomic_load_explicit(&header->generation, memory_order_relaxed);

    return header->lengths[now % 2] == length && memcmp(slot_of(header, now), slot, length) == 0;
}

/* 1: *fd is a copy; 0: it is not stored; -errno. A copy during which the slot was written again is made anew. */
static int copy_stored(const char *path, int *fd) {
    for (;;) {
        uint32_t before = atomic_load_explicit(&attached->generation, memory_order_acquire);
        struct span data;
        int copy = -1;

        if (before == 0) {
            return 0;
        }
        if (find(attached, before, path, &data)) {
            copy = memory_file(data);
            if (copy < 0) {
                return copy;
            }
        }
#ifndef __SANITIZE_THREAD__ /* it knows no fences, and warns; these are processes, not threads */
        atomic_thread_fence(memory_order_acquire);
#endif
        if (atomic_load_explicit(&attached->generation, memory_order_relaxed) == before) {
            *fd = copy;
            return copy >= 0;
        }
        if (copy >= 0) {
            close(copy);
        }
    }
}

static bool find(const struct header *header, uint32_t generation, const char *path,
                 struct span *data) {
    const unsigned char *slot = slot_of(header, generation);
    size_t length = header->lengths[generation % 2], at = 0;
    struct entry entry;

    length = length < CONFIG_FILES_SLOT_BYTES ? length : CONFIG_FILES_SLOT_BYTES;
    while (at + sizeof(entry) <= length) {
        memcpy(&entry, slot + at, sizeof(entry));
        at += sizeof(entry);
        if (entry.path_length > length - at ||
            entry.data_length > length - at - entry.path_length) {
            return false; /* it is being written: the caller looks again */
        }
        struct span stored = {(const char *)slot + at, entry.path_length};
        *data = (struct span){stored.data + entry.path_length, entry.data_length};
        if (span_is(stored, path)) {
            return true;
        }
        at += entry.path_length + entry.data_length;
    }
    return false;
}

static int memory_file(struct span data) {
    int fd = memfd_create("moonx-config-file", MFD_CLOEXEC), result;

    if (fd < 0) {
        return -errno;
    }
    if (pwrite(fd, data.data, data.length, 0) != (ssize_t)data.length) {
        result = -errno;
        close(fd);
        return result < 0 ? result : -EIO;
    }
    return fd;
}
