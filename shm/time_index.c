#include "shm/time_index.h"

#define LEAST_STRETCH 512u

/* One entry as it was at one moment. */
struct entry {
    uint64_t position; /* of the stretch's first record */
    uint64_t offset;   /* the partition's mark, or what stands for it */
};

static unsigned count_of(uint64_t capacity);
static bool read_entry(const struct segment *segment, uint32_t partition, uint64_t stretch,
                       uint64_t start, struct entry *out);
static void write_entry(struct segment *segment, unsigned place, uint64_t position);

static uint64_t length_of(const struct segment *segment) {
    return segment->header->ring_capacity / count_of(segment->header->ring_capacity);
}

void time_index_pass(struct segment *segment, uint64_t position) {
    uint64_t length = length_of(segment), stretch = position / length;
    unsigned place = (unsigned)(stretch % count_of(segment->header->ring_capacity));
    uint64_t first = load_relaxed(&segment->times->first[place]);

    if (first == 0 || (first - 1) / length != stretch)
        write_entry(segment, place, position);
}

bool time_index_find(const struct segment *segment, uint32_t partition, uint64_t start,
                     uint64_t want, uint64_t *position) {
    uint64_t capacity = segment->header->ring_capacity, length = length_of(segment);
    uint64_t published = load_acquire(&segment->words->published);
    uint64_t newest = published == 0 ? 0 : (published - 1) / length;
    uint64_t oldest = newest < count_of(capacity) ? 0 : newest - count_of(capacity) + 1;
    uint64_t newer = UINT64_MAX;
    struct entry entry;

    for (uint64_t stretch = newest + 1; stretch-- > oldest;) {
        if (!read_entry(segment, partition, stretch, start, &entry))
            continue;
        if (entry.position + capacity < load_relaxed(&segment->words->intent))
            break;
        /* Offsets that went back: the partition began anew behind this place. */
        if (entry.offset <= want || entry.offset > newer) {
            *position = entry.position;
            return true;
        }
        newer = entry.offset;
    }
    /* Nothing has been written over yet: the ring's own beginning is a place too. */
    *position = 0;
    return start <= want && load_relaxed(&segment->words->intent) <= capacity;
}

/* Fewer in a ring so small that a stretch would be shorter than a record. */
static unsigned count_of(uint64_t capacity) {
    uint64_t most = capacity / LEAST_STRETCH;
    return most < TIME_INDEX_STRETCHES ? (unsigned)most : TIME_INDEX_STRETCHES;
}

static bool read_entry(const struct segment *segment, uint32_t partition, uint64_t stretch,
                       uint64_t start, struct entry *out) {
    const struct time_index *times = segment->times;
    unsigned place = (unsigned)(stretch % count_of(segment->header->ring_capacity));

    uint64_t first = load_acquire(&times->first[place]); /* read_entry:A pairs with write_entry:C */
    if (first == 0 || (first - 1) / length_of(segment) != stretch)
        return false;
    /* read_entry:B pairs with write_entry:B: who sees a value of the next lap sees `first` changed. */
    uint64_t value = load_acquire(&times->next[partition][place]);
    if (load_relaxed(&times->first[place]) != first)
        return false;
    *out = (struct entry){first - 1, value == 0 ? start : value - 1};
    return true;
}

static void write_entry(struct segment *segment, unsigned place, uint64_t position) {
    struct time_index *times = segment->times;
    const struct positions *positions = segment->positions;
    uint32_t count = positions_count(positions);

    store_relaxed(&times->first[place], 0); /* write_entry:A */
    for (uint32_t i = 0; i < count; i++)    /* POSITION_UNKNOWN + 1 is 0 */
        store_release(&times->next[i][place],
                      load_relaxed(&positions->partitions[i].next) + 1); /* write_entry:B */
    store_release(&times->first[place], position + 1);                   /* write_entry:C */
}
