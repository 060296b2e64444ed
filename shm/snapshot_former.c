#include "shm/snapshot_former.h"

static uint64_t position_before(uint64_t position, const struct record *record) {
    return record->former != 0 && record->former <= position ? position - record->former
                                                             : SNAPSHOT_NOWHERE;
}

/* What was put between `settled` and the slot's value is published together with that: either all of it can be read,
 * or it lies above every cursor. */
int snapshot_former_find(struct ring_read *reader, const struct snapshot_value *value,
                         uint64_t cursor, unsigned *hops, struct snapshot_former *out) {
    uint64_t published = load_acquire(&reader->segment->words->published);
    struct snapshot_former found = {.position = value->settled, .next = published};

    if (value->position < published) {
        found.next = value->position;
        found.position = position_before(value->position, value->record);
    }
    while (found.position != SNAPSHOT_NOWHERE && found.position >= cursor) {
        const struct record *record;
        if (*hops == 0) {
            return -EAGAIN;
        }
        --*hops;
        int result = ring_read_at(reader, found.position, &record);
        if (result != RING_OK) {
            return result == RING_LAPPED ? -ESTALE : result;
        }
        found.next = found.position;
        found.position = position_before(found.position, record);
    }
    *out = found;
    return 0;
}
