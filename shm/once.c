#include "shm/once.h"

#include "shm/region.h"

#include <stdlib.h>

#define BUCKETS 65536u /* marks are digests: their first bytes spread as well as any hash */

static const struct block_head head = {ONCE_MAGIC, ONCE_VERSION, sizeof(struct once_block)};

/* Numbers are entry numbers + 1; 0: none. A chain leads to ever smaller numbers and ends at the window's start. */
struct once_index {
    uint64_t heads[BUCKETS];
    uint64_t previous[ONCE_ENTRIES];
};

static bool is_instead_of(const struct once_entry *earlier, int64_t offset, int64_t time_ms);
static int find_window(struct once *once, uint32_t partition);
static int index_window(struct once *once, unsigned window);
static const struct once_entry *find(const struct once_window *window,
                                     const struct once_index *index, const struct uplink_once *mark,
                                     int64_t offset);
static void keep(struct once_window *window, struct once_index *index,
                 const struct once_entry *entry);

int once_create(int *fd) {
    return block_create("moonx-once", &head, fd);
}

int once_open(int fd, struct once *out) {
    void *block;
    int result = block_map(fd, true, &head, &block);
    if (result == 0)
        *out = (struct once){.block = block};
    return result;
}

void once_close(struct once *once) {
    for (unsigned i = 0; i < ONCE_WINDOWS; i++)
        free(once->indexes[i]);
    region_unmap(once->block, sizeof(*once->block));
    *once = (struct once){.block = NULL};
}

int once_count(struct once *once, uint32_t partition, const struct uplink_once *mark,
               int64_t offset, int64_t time_ms) {
    int found = find_window(once, partition);
    if (found < 0)
        return found;

    struct once_window *window = &once->block->windows[found];
    const struct once_entry *earlier = find(window, once->indexes[found], mark, offset);
    if (earlier != NULL && earlier->offset == offset)
        return 1; /* itself, taken again */
    if (earlier != NULL && is_instead_of(earlier, offset, time_ms))
        return 0;
    keep(window, once->indexes[found],
         &(struct once_entry){.mark = *mark, .offset = offset, .time_ms = time_ms});
    return 1;
}

int64_t once_first(const struct once *once, uint32_t partition, const struct uplink_once *mark,
                   int64_t offset, int64_t time_ms) {
    for (unsigned i = 0; i < ONCE_WINDOWS; i++) {
        if (load_relaxed(&once->block->partitions[i]) == partition + 1 &&
            once->indexes[i] != NULL) {
            const struct once_entry *earlier =
                find(&once->block->windows[i], once->indexes[i], mark, offset);
            return earlier != NULL && is_instead_of(earlier, offset, time_ms) ? earlier->offset
                                                                              : -1;
        }
    }
    return -1;
}

static bool is_instead_of(const struct once_entry *earlier, int64_t offset, int64_t time_ms) {
    return earlier->offset < offset && time_ms - earlier->time_ms <= ONCE_WINDOW_MS &&
           earlier->time_ms - time_ms <= ONCE_WINDOW_MS;
}

static int find_window(struct once *once, uint32_t partition) {
    for (unsigned i = 0; i < ONCE_WINDOWS; i++) {
        uint32_t owner = load_relaxed(&once->block->partitions[i]);
        if (owner == 0)
            store_relaxed(&once->block->partitions[i], owner = partition + 1);
        if (owner == partition + 1)
            return index_window(once, i);
    }
    return -ENOSPC;
}

static uint32_t bucket_of(const struct uplink_once *mark) {
    return (uint32_t)mark->bytes[0] << 8 | mark->bytes[1];
}

static void link_entry(struct once_index *index, const struct uplink_once *mark, uint64_t number) {
    uint64_t *first = &index->heads[bucket_of(mark)];
    index->previous[number % ONCE_ENTRIES] = *first;
    *first = number + 1;
}

static int index_window(struct once *once, unsigned number) {
    struct once_window *window = &once->block->windows[number];
    if (once->indexes[number] != NULL)
        return (int)number;

    struct once_index *index = calloc(1, sizeof(*index));
    if (index == NULL)
        return -ENOMEM;
    uint64_t count = load_relaxed(&window->count);
    for (uint64_t i = count > ONCE_ENTRIES ? count - ONCE_ENTRIES : 0; i < count; i++)
        link_entry(index, &window->entries[i % ONCE_ENTRIES].mark, i);
    once->indexes[number] = index;
    return (int)number;
}

/* Number of the first entry that the message at `offset` is judged by. Those at the end which lie behind it in the log
 * were noted by a predecessor that was killed before it published them. */
static uint64_t first_for(const struct once_window *window, int64_t offset) {
    uint64_t count = load_relaxed(&window->count), end = count;

    while (end > 0 && count - end < ONCE_AHEAD &&
           window->entries[(end - 1) % ONCE_ENTRIES].offset >= offset)
        end--;
    return end > ONCE_KEPT ? end - ONCE_KEPT : 0;
}

/* The latest with that mark, at that offset or before it. */
static const struct once_entry *find(const struct once_window *window,
                                     const struct once_index *index, const struct uplink_once *mark,
                                     int64_t offset) {
    uint64_t first = first_for(window, offset);

    for (uint64_t next = index->heads[bucket_of(mark)]; next > first;
         next = index->previous[(next - 1) % ONCE_ENTRIES]) {
        const struct once_entry *entry = &window->entries[(next - 1) % ONCE_ENTRIES];
        if (entry->offset <= offset && memcmp(&entry->mark, mark, sizeof(*mark)) == 0)
            return entry;
    }
    return NULL;
}

static void keep(struct once_window *window, struct once_index *index,
                 const struct once_entry *entry) {
    uint64_t count = load_relaxed(&window->count);

    window->entries[count % ONCE_ENTRIES] = *entry;
    link_entry(index, &entry->mark, count);
    store_release(&window->count, count + 1);
}
