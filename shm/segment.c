#include "shm/segment.h"

#include "shm/feed_table.h"
#include "shm/positions.h"
#include "shm/region.h"
#include "shm/room_index.h"
#include "shm/snapshot_table.h"
#include "shm/time_index.h"
#include "shm/type_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define PAGE           4096u
#define SNAPSHOT_SHARE 8u /* of the ring, unless it is told otherwise */

static uint64_t page_up(uint64_t size);
static uint64_t ring_capacity(uint64_t ring_bytes);
static int write_header(int fd, const struct segment_header *header);
static struct segment_header layout(uint64_t capacity, uint64_t snapshot_bytes);
static bool header_valid(const struct segment_header *header, size_t size);

static_assert(sizeof(struct segment_header) <= PAGE, "the header has the first page to itself");
static_assert(sizeof(struct ring_words) <= PAGE, "the words have a page to themselves");

int segment_create(uint64_t ring_bytes, uint64_t snapshot_bytes, int *fd) {
    if (ring_bytes > SEGMENT_RING_MAX_BYTES || snapshot_bytes > SEGMENT_RING_MAX_BYTES)
        return -EINVAL;
    uint64_t capacity = ring_capacity(ring_bytes);
    struct segment_header header =
        layout(capacity, snapshot_bytes != 0 ? snapshot_bytes : capacity / SNAPSHOT_SHARE);
    if (getrandom(&header.hash_key, sizeof(header.hash_key), 0) != sizeof(header.hash_key))
        return -EIO;

    int made = -1;
    int result = region_create("moonx-segment", header.size, &made);
    if (result < 0)
        return result;
    result = write_header(made, &header);
    if (result < 0) {
        close(made);
        return result;
    }
    *fd = made;
    return 0;
}

int segment_map(int fd, bool writable, struct segment *out) {
    void *region;
    size_t size;
    int result = region_map(fd, writable, PAGE, &region, &size);
    if (result < 0)
        return result;

    unsigned char *start = region;
    struct segment_header *header = region;
    if (!header_valid(header, size)) {
        region_unmap(region, size);
        return -EPROTO;
    }
    *out = (struct segment){
        .fd = fd,
        .size = size,
        .header = header,
        .ingest = (struct ingest_block *)(void *)(start + header->ingest_at),
        .positions = (struct positions *)(void *)(start + header->positions_at),
        .words = (struct ring_words *)(void *)(start + header->words_at),
        .rooms = (struct room_index *)(void *)(start + header->rooms_at),
        .times = (struct time_index *)(void *)(start + header->times_at),
        .feeds = (struct feed_table *)(void *)(start + header->feeds_at),
        .types = (struct type_table *)(void *)(start + header->types_at),
        .snapshots = (struct snapshot_table *)(void *)(start + header->snapshots_at),
        .snapshot_shape = snapshot_table_shape(header->snapshot_bytes),
        .room_buckets = room_index_buckets(header->ring_capacity),
        .ring = start + header->ring_at,
    };
    return 0;
}

void segment_unmap(struct segment *segment) {
    region_unmap(segment->header, segment->size);
    *segment = (struct segment){.fd = -1};
}

int segment_reopen(int fd, int flags) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int opened = open(path, flags | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
}

int segment_lock(int fd, int *lock_fd) {
    /* A description of its own: the lock then belongs to nobody else who inherited the memfd. */
    int opened = segment_reopen(fd, O_RDWR);
    if (opened < 0)
        return opened;

    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(opened, F_OFD_SETLK, &all) < 0) {
        int result = errno == EACCES ? -EAGAIN : -errno;
        close(opened);
        return result;
    }
    *lock_fd = opened;
    return 0;
}

static uint64_t page_up(uint64_t size) {
    return (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint64_t ring_capacity(uint64_t ring_bytes) {
    uint64_t capacity = SEGMENT_RING_MIN_BYTES;
    while (capacity < ring_bytes)
        capacity *= 2;
    return capacity;
}

static struct segment_header layout(uint64_t capacity, uint64_t snapshot_bytes) {
    uint64_t ingest_at = PAGE;
    uint64_t positions_at = ingest_at + page_up(sizeof(struct ingest_block));
    uint64_t words_at = positions_at + page_up(sizeof(struct positions));
    uint64_t rooms_at = words_at + page_up(sizeof(struct ring_words));
    uint64_t times_at = rooms_at + page_up(room_index_size(capacity));
    uint64_t feeds_at = times_at + page_up(sizeof(struct time_index));
    uint64_t types_at = feeds_at + page_up(sizeof(struct feed_table));
    uint64_t snapshots_at = types_at + page_up(sizeof(struct type_table));
    uint64_t ring_at = snapshots_at + page_up(snapshot_table_shape(snapshot_bytes).size);

    return (struct segment_header){
        .magic = SEGMENT_MAGIC,
        .version = SEGMENT_VERSION,
        .header_size = sizeof(struct segment_header),
        .size = ring_at + capacity,
        .ingest_at = ingest_at,
        .positions_at = positions_at,
        .words_at = words_at,
        .rooms_at = rooms_at,
        .times_at = times_at,
        .feeds_at = feeds_at,
        .types_at = types_at,
        .snapshots_at = snapshots_at,
        .ring_at = ring_at,
        .ring_capacity = capacity,
        .snapshot_bytes = snapshot_bytes,
    };
}

static int write_header(int fd, const struct segment_header *header) {
    ssize_t written = pwrite(fd, header, sizeof(*header), 0);
    if (written < 0)
        return -errno;
    return written == sizeof(*header) ? 0 : -EIO;
}

/* One layout a version: what it must say follows from the two sizes alone. */
static bool header_valid(const struct segment_header *header, size_t size) {
    uint64_t capacity = header->ring_capacity;
    if (header->magic != SEGMENT_MAGIC || header->version != SEGMENT_VERSION)
        return false;
    if (capacity < SEGMENT_RING_MIN_BYTES || capacity > SEGMENT_RING_MAX_BYTES ||
        (capacity & (capacity - 1)) != 0 || header->snapshot_bytes > SEGMENT_RING_MAX_BYTES)
        return false;

    struct segment_header expected = layout(capacity, header->snapshot_bytes);
    expected.hash_key = header->hash_key;
    return expected.size == size && memcmp(&expected, header, sizeof(expected)) == 0;
}
