#include "shm/snapshot_table.h"

#define TABLE_MIN_BYTES 65536u
#define BYTES_A_SLOT    1024u /* with its cells */
#define VALUE_SHARE     16u   /* of all cells, the most that one value may have */
#define LOG_SLACK       64u
#define MAX_SLOTS       (1u << 24)
#define READ_TRIES      100u /* a value takes less than a microsecond to write */

static enum snapshot_result try_read(const struct segment *segment, uint32_t slot, uint64_t cursor,
                                     void *buffer, struct snapshot_value *out);
static bool newest_value(const struct segment *segment, uint32_t snapshot_slot, uint64_t position,
                         uint64_t *newest);
static bool copy_cells(const struct segment *segment, uint32_t first, size_t length, char *to);

/* The pairs of ordered accesses:
 *  1. change:A lock odd, release fence, fields and cells, change:B lock even (release)
 *     with  snapshot_table_read:A lock (acquire), fields and cells, acquire fence, :B lock again.
 *  2. change:C the log entry, changes (release)  with  snapshot_table_changes:A changes (acquire).
 *  3. a slot and `dropped_at`, later ring_append_publish:B  with  ring_read_next:A: who has read a record sees the slot
 *     that was written before it, and whose slots were given away before. */

struct snapshot_shape snapshot_table_shape(uint64_t bytes) {
    uint64_t slots = (bytes > TABLE_MIN_BYTES ? bytes : TABLE_MIN_BYTES) / BYTES_A_SLOT;

    if (slots > MAX_SLOTS) {
        slots = MAX_SLOTS;
    }
    struct snapshot_shape shape = {.slots = (uint32_t)slots,
                                   .changed_at = (sizeof(struct snapshot_table) + CACHE_LINE - 1) /
                                                 CACHE_LINE * CACHE_LINE};
    shape.slots_at = shape.changed_at + ((size_t)slots * sizeof(shm_u32) + 63) / 64 * 64;
    shape.cells_at = shape.slots_at + (size_t)slots * sizeof(struct snapshot_slot);
    shape.cells =
        (uint32_t)((slots * BYTES_A_SLOT - shape.cells_at) / sizeof(struct snapshot_cell));
    shape.size = shape.cells_at + (size_t)shape.cells * sizeof(struct snapshot_cell);
    return shape;
}

size_t snapshot_table_longest(const struct segment *segment) {
    return (size_t)(segment->snapshot_shape.cells / VALUE_SHARE) * SNAPSHOT_CELL_BYTES;
}

enum snapshot_result snapshot_table_read(const struct segment *segment, uint32_t slot,
                                         uint64_t cursor, void *buffer,
                                         struct snapshot_value *out) {
    enum snapshot_result result = SNAPSHOT_BUSY;

    for (unsigned i = 0; i < READ_TRIES && result == SNAPSHOT_BUSY; i++) {
        result = try_read(segment, slot, cursor, buffer, out);
    }
    return result;
}

static enum snapshot_result try_read(const struct segment *segment, uint32_t slot, uint64_t cursor,
                                     void *buffer, struct snapshot_value *out) {
    const struct snapshot_slot *entry = snapshot_table_slot(segment, slot);
    uint64_t lock = load_acquire(&entry->lock); /* snapshot_table_read:A */
    uint32_t first = load_relaxed(&entry->first), length = load_relaxed(&entry->length);
    uint32_t key_length = load_relaxed(&entry->key_length);
    uint64_t position = load_relaxed(&entry->position), settled = load_relaxed(&entry->settled);
    uint64_t since = load_relaxed(&entry->since);
    bool copied = false;

    if (lock % 2 != 0) {
        return SNAPSHOT_BUSY;
    }
    if (first != 0 && key_length <= SNAPSHOT_KEY_MAX_BYTES &&
        length <= snapshot_table_longest(segment)) {
        order_copy_out(out->key, entry->key, sizeof(out->key));
        copied = copy_cells(segment, first, length, buffer);
    }
    fence_acquire();
    if (load_relaxed(&entry->lock) != lock) { /* snapshot_table_read:B */
        return SNAPSHOT_BUSY;
    }
    if (!copied || !record_valid(buffer, length)) {
        return SNAPSHOT_FREE;
    }
    out->position = position;
    out->since = since;
    out->settled = settled;
    out->key_length = key_length;
    out->record = buffer;
    return position < cursor ? SNAPSHOT_OK : SNAPSHOT_LATER;
}

bool snapshot_table_superseded(const struct segment *segment, uint32_t snapshot_slot,
                               uint64_t position) {
    uint64_t newest;

    return newest_value(segment, snapshot_slot, position, &newest) && newest > position;
}

bool snapshot_table_holds(const struct segment *segment, uint32_t snapshot_slot,
                          uint64_t position) {
    uint64_t newest;

    return newest_value(segment, snapshot_slot, position, &newest);
}

bool snapshot_table_whole_since(const struct segment *segment, uint64_t position) {
    return load_acquire(&segment->snapshots->whole_from) <= position;
}

void snapshot_table_changes(const struct segment *segment, uint64_t *seen, snapshot_visit *visit,
                            void *context) {
    uint32_t slots = segment->snapshot_shape.slots;
    uint64_t changes = load_acquire(&segment->snapshots->changes); /* snapshot_table_changes:A */

    /* Some room for entries that are written over while they are read. */
    if (changes - *seen + LOG_SLACK >= slots) {
        for (uint32_t slot = 0; slot < slots; slot++) {
            visit(context, slot);
        }
        *seen = changes;
        return;
    }
    for (uint64_t n = *seen; n < changes; n++) {
        uint32_t slot = load_relaxed(&snapshot_table_changed(segment)[n % slots]);
        if (slot < slots) {
            visit(context, slot);
        }
    }
    /* Written over meanwhile, or not to be told from it: all of them next time. */
    bool lost = load_acquire(&segment->snapshots->changes) - *seen + LOG_SLACK >= slots;
    *seen = lost ? changes - slots : changes;
}

/* False when the slot is not that of the record's key (any more), or is being written. */
static bool newest_value(const struct segment *segment, uint32_t snapshot_slot, uint64_t position,
                         uint64_t *newest) {
    if (snapshot_slot == 0 || snapshot_slot > segment->snapshot_shape.slots) {
        return false;
    }
    const struct snapshot_slot *entry = snapshot_table_slot(segment, snapshot_slot - 1);
    uint64_t lock = load_acquire(&entry->lock);
    uint64_t since = load_relaxed(&entry->since);
    bool in_use = load_relaxed(&entry->first) != 0;

    *newest = load_relaxed(&entry->position);
    fence_acquire();
    return lock % 2 == 0 && load_relaxed(&entry->lock) == lock && in_use && since <= position;
}

/* Every index and the length are bounded here; whether it was one value the caller finds out. */
static bool copy_cells(const struct segment *segment, uint32_t first, size_t length, char *to) {
    uint32_t at = first;

    while (length > 0) {
        size_t piece = length < SNAPSHOT_CELL_BYTES ? length : SNAPSHOT_CELL_BYTES;
        if (at == 0 || at > segment->snapshot_shape.cells) {
            return false;
        }
        const struct snapshot_cell *cell = snapshot_table_cell(segment, at - 1);
        order_copy_out(to, cell->bytes, piece);
        to += piece;
        length -= piece;
        at = load_relaxed(&cell->next);
    }
    return true;
}
