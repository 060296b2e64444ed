#include "shm/snapshot_put.h"

#include "common/siphash.h"
#include "shm/positions.h"
#include "shm/ring_read.h"

#include <stdlib.h>

static bool allocate(struct snapshot_put *put);
static void adopt(struct snapshot_put *put);
static void free_slot(struct snapshot_put *put, uint32_t slot);
static bool can_go_back(const struct segment *segment, uint32_t slot);
static uint32_t go_back(struct snapshot_put *put, uint32_t *slots, uint32_t count);
static bool go_back_one(struct snapshot_put *put, struct ring_read *reader, uint32_t slot);
static bool is_sound(const struct segment *segment, uint32_t slot, unsigned char *used);
static void sort_by_position(const struct snapshot_put *put, uint32_t *slots, uint32_t count);
static bool gives_way_to(const struct snapshot_put *put, uint32_t slot,
                         const struct record *record);
static uint32_t make_slot(struct snapshot_put *put, uint64_t hash);
static void write_slot(struct snapshot_put *put, uint32_t slot, struct span key,
                       struct record *record, uint64_t position);
static void write_value(struct snapshot_put *put, struct snapshot_slot *entry,
                        const struct record *record, uint64_t position);
static void write_cells(struct snapshot_put *put, struct snapshot_slot *slot,
                        const struct record *record);
static void change_begin(struct snapshot_slot *slot);
static void change_end(struct snapshot_put *put, uint32_t slot);
static void raise_whole_from(struct snapshot_put *put, uint64_t position);
static void drop(struct snapshot_put *put, uint32_t slot);
static void evict_oldest(struct snapshot_put *put, uint32_t kept);
static void free_cells_of(struct snapshot_put *put, uint32_t slot);
static uint64_t hash_of(const struct snapshot_put *put, const struct record *record,
                        struct span key);

static uint32_t slot_count(const struct snapshot_put *put) {
    return put->segment->snapshot_shape.slots;
}

static struct snapshot_slot *slot_at(const struct snapshot_put *put, uint32_t slot) {
    return snapshot_table_slot(put->segment, slot);
}

static uint32_t cells_for(size_t length) {
    return (uint32_t)((length + SNAPSHOT_CELL_BYTES - 1) / SNAPSHOT_CELL_BYTES);
}

/* The last change of a killed predecessor may be in no log: who follows changes looks at all slots once. */
static void tell_all_slots(const struct snapshot_put *put) {
    shm_u64 *changes = &put->segment->snapshots->changes;
    if (load_relaxed(changes) != 0) {
        store_release(changes, load_relaxed(changes) + slot_count(put));
    }
}

int snapshot_put_open(struct snapshot_put *put, struct segment *segment) {
    *put =
        (struct snapshot_put){.segment = segment, .at = load_relaxed(&segment->words->published)};
    if (!allocate(put)) {
        snapshot_put_done(put);
        return -ENOMEM;
    }
    adopt(put);
    tell_all_slots(put);
    return 0;
}

void snapshot_put_done(struct snapshot_put *put) {
    snapshot_places_done(&put->places);
    free(put->free_slots);
    free(put->free_cells);
    *put = (struct snapshot_put){0};
}

uint32_t snapshot_put_value(struct snapshot_put *put, struct span key, struct record *record,
                            uint64_t position) {
    uint64_t hash = hash_of(put, record, key);
    uint32_t slot = snapshot_places_find(&put->places, hash);

    put->at = position;
    if (slot != SNAPSHOT_NO_SLOT && !gives_way_to(put, slot, record)) {
        return slot + 1;
    }
    if (key.length > SNAPSHOT_KEY_MAX_BYTES ||
        record->length > snapshot_table_longest(put->segment)) {
        put->refused++;
        if (slot != SNAPSHOT_NO_SLOT) {
            drop(put, slot);
        }
        return 0;
    }
    if (slot == SNAPSHOT_NO_SLOT) {
        slot = make_slot(put, hash);
    }
    change_begin(slot_at(put, slot));
    free_cells_of(put, slot);
    while (put->free_cell_count < cells_for(record->length)) {
        evict_oldest(put, slot);
    }
    write_slot(put, slot, key, record, position);
    change_end(put, slot);
    snapshot_places_touch(&put->places, slot);
    return slot + 1;
}

void snapshot_put_topic(struct snapshot_put *put, uint32_t topic, uint64_t kept_by) {
    if (load_relaxed(&put->segment->snapshots->kept_by[topic]) == kept_by) {
        return;
    }
    for (uint32_t slot = 0; slot < slot_count(put); slot++) {
        const struct snapshot_slot *entry = slot_at(put, slot);
        if (load_relaxed(&entry->first) != 0 &&
            put->segment->positions->partitions[load_relaxed(&entry->partition)].topic == topic) {
            drop(put, slot);
        }
    }
    /* after: who is killed in between is not believed */
    snapshot_table_keep(put->segment, topic, kept_by);
}

static bool allocate(struct snapshot_put *put) {
    const struct snapshot_shape *shape = &put->segment->snapshot_shape;

    put->free_slots = malloc(shape->slots * sizeof(*put->free_slots));
    put->free_cells = malloc(shape->cells * sizeof(*put->free_cells));
    return snapshot_places_open(&put->places, put->segment) == 0 && put->free_slots != NULL &&
           put->free_cells != NULL;
}

/* What a predecessor left: what is whole and published stays, what was not published goes back to the value before it,
 * all else becomes free. */
static void adopt(struct snapshot_put *put) {
    const struct snapshot_shape *shape = &put->segment->snapshot_shape;
    unsigned char *used = calloc(shape->cells, 1);
    uint32_t *sound = malloc(shape->slots * sizeof(*sound)); /* from the end: those to go back */
    uint32_t count = 0, back = shape->slots;
    bool able = used != NULL && sound != NULL;

    for (uint32_t slot = shape->slots; slot-- > 0;) {
        if (able && is_sound(put->segment, slot, used)) {
            sound[count++] = slot;
        } else if (able && can_go_back(put->segment, slot)) {
            change_begin(slot_at(put, slot)); /* before another one is given its cells */
            sound[--back] = slot;
        } else {
            free_slot(put, slot);
        }
    }
    for (uint32_t cell = shape->cells; cell-- > 0;) {
        if (!able || !used[cell]) {
            put->free_cells[put->free_cell_count++] = cell;
        }
    }
    if (back < shape->slots) {
        memmove(sound + count, sound + back, (shape->slots - back) * sizeof(*sound));
        count += go_back(put, sound + count, shape->slots - back);
    }
    store_relaxed(&put->segment->snapshots->dropped_at,
                  load_relaxed(&put->segment->words->published));
    sort_by_position(put, sound, count);
    for (uint32_t i = 0; i < count; i++) {
        snapshot_places_add(&put->places, sound[i]);
    }
    free(sound);
    free(used);
}

static void free_slot(struct snapshot_put *put, uint32_t slot) {
    struct snapshot_slot *entry = slot_at(put, slot);

    if (load_relaxed(&entry->first) != 0 || load_relaxed(&entry->lock) % 2 != 0) {
        raise_whole_from(put, load_relaxed(&put->segment->words->published));
        change_begin(entry);
        store_relaxed(&entry->first, 0);
        change_end(put, slot);
    }
    put->free_slots[put->free_slot_count++] = slot;
}

/* Written whole, but not published; its cells are not its own any more. */
static bool can_go_back(const struct segment *segment, uint32_t slot) {
    const struct snapshot_slot *entry = snapshot_table_slot(segment, slot);
    uint64_t published = load_relaxed(&segment->words->published);

    return load_relaxed(&entry->first) != 0 && load_relaxed(&entry->lock) % 2 == 0 &&
           load_relaxed(&entry->key_length) <= SNAPSHOT_KEY_MAX_BYTES &&
           load_relaxed(&entry->position) >= published && load_relaxed(&entry->settled) < published;
}

/* Returns how many could; they stand first in `slots` then, the others are free. */
static uint32_t go_back(struct snapshot_put *put, uint32_t *slots, uint32_t count) {
    struct ring_read reader;
    bool able = ring_read_init(&reader, put->segment) == 0;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (able && go_back_one(put, &reader, slots[i])) {
            slots[kept++] = slots[i];
        } else {
            free_slot(put, slots[i]);
        }
    }
    if (able) {
        ring_read_done(&reader);
    }
    return kept;
}

static bool go_back_one(struct snapshot_put *put, struct ring_read *reader, uint32_t slot) {
    struct snapshot_slot *entry = slot_at(put, slot);
    uint64_t settled = load_relaxed(&entry->settled);
    _Alignas(8) char key[SNAPSHOT_KEY_MAX_BYTES];
    const struct record *record;

    order_copy_out(key, entry->key, sizeof(key));
    if (ring_read_at(reader, settled, &record) != RING_OK ||
        record->partition >= POSITIONS_MAX_PARTITIONS ||
        hash_of(put, record, (struct span){key, load_relaxed(&entry->key_length)}) !=
            load_relaxed(&entry->key_hash) ||
        cells_for(record->length) > put->free_cell_count) {
        return false;
    }
    change_begin(entry);
    store_relaxed(&entry->settled,
                  record->former != 0 ? settled - record->former : SNAPSHOT_NOWHERE);
    write_value(put, entry, record, settled);
    change_end(put, slot);
    return true;
}

/* Claims its cells if it is: a slot whose cells are another's too is not. */
static bool is_sound(const struct segment *segment, uint32_t slot, unsigned char *used) {
    const struct snapshot_slot *entry = snapshot_table_slot(segment, slot);
    uint32_t at = load_relaxed(&entry->first), length = load_relaxed(&entry->length);
    uint32_t cells = cells_for(length);

    if (at == 0 || load_relaxed(&entry->lock) % 2 != 0 ||
        length > snapshot_table_longest(segment) ||
        load_relaxed(&entry->position) >= load_relaxed(&segment->words->published)) {
        return false;
    }
    for (uint32_t i = 0; i < cells; i++) {
        if (at == 0 || at > segment->snapshot_shape.cells || used[at - 1]) {
            return false;
        }
        used[at - 1] = 1;
        at = load_relaxed(&snapshot_table_cell(segment, at - 1)->next);
    }
    return true;
}

/* Shell sort: once a start, and qsort() knows no context. */
static void sort_by_position(const struct snapshot_put *put, uint32_t *slots, uint32_t count) {
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            uint32_t slot = slots[i], at = i;
            uint64_t position = load_relaxed(&slot_at(put, slot)->position);
            while (at >= gap && load_relaxed(&slot_at(put, slots[at - gap])->position) > position) {
                slots[at] = slots[at - gap];
                at -= gap;
            }
            slots[at] = slot;
        }
    }
}

/* Within a partition the later record is the newer one; history of another partition only if its time says so. */
static bool gives_way_to(const struct snapshot_put *put, uint32_t slot,
                         const struct record *record) {
    const struct snapshot_slot *entry = slot_at(put, slot);

    return record->kind != RECORD_HISTORY || load_relaxed(&entry->partition) == record->partition ||
           (int64_t)load_relaxed(&entry->kafka_time_ms) <= record->kafka_time_ms;
}

static uint32_t make_slot(struct snapshot_put *put, uint64_t hash) {
    if (put->free_slot_count == 0) {
        evict_oldest(put, SNAPSHOT_NO_SLOT);
    }
    uint32_t slot = put->free_slots[--put->free_slot_count];
    store_relaxed(&slot_at(put, slot)->key_hash, hash);
    snapshot_places_add(&put->places, slot);
    return slot;
}

static void write_slot(struct snapshot_put *put, uint32_t slot, struct span key,
                       struct record *record, uint64_t position) {
    struct snapshot_slot *entry = slot_at(put, slot);
    uint64_t former = load_relaxed(&entry->position);

    if (load_relaxed(&entry->first) == 0) {
        _Alignas(8) char text[SNAPSHOT_KEY_MAX_BYTES] = {0};
        memcpy(text, key.data, key.length);
        order_copy_in(entry->key, text, sizeof(text));
        store_relaxed(&entry->key_length, (uint32_t)key.length);
        store_relaxed(&entry->since, position);
        store_relaxed(&entry->settled, SNAPSHOT_NOWHERE);
        record->former = 0;
    } else {
        record->former = position - former;
        if (former < load_relaxed(&put->segment->words->published)) {
            store_relaxed(&entry->settled, former);
        }
    }
    write_value(put, entry, record, position);
}

static void write_value(struct snapshot_put *put, struct snapshot_slot *entry,
                        const struct record *record, uint64_t position) {
    store_relaxed(&entry->position, position);
    store_relaxed(&entry->partition, record->partition);
    store_relaxed(&entry->kafka_time_ms, (uint64_t)record->kafka_time_ms);
    store_relaxed(&entry->length, record->length);
    write_cells(put, entry, record);
}

static void write_cells(struct snapshot_put *put, struct snapshot_slot *slot,
                        const struct record *record) {
    shm_u32 *link = &slot->first;
    const char *from = (const char *)record;
    size_t left = record->length;

    while (left > 0) {
        size_t piece = left < SNAPSHOT_CELL_BYTES ? left : SNAPSHOT_CELL_BYTES;
        uint32_t cell = put->free_cells[--put->free_cell_count];
        struct snapshot_cell *to = snapshot_table_cell(put->segment, cell);
        order_copy_in(to->bytes, from, piece);
        store_relaxed(link, cell + 1);
        link = &to->next;
        from += piece;
        left -= piece;
    }
    store_relaxed(link, 0);
}

static void change_begin(struct snapshot_slot *slot) {
    uint64_t lock = load_relaxed(&slot->lock);

    store_relaxed(&slot->lock, lock | 1); /* change:A; a killed predecessor may have left it odd */
    fence_release();
}

static void change_end(struct snapshot_put *put, uint32_t slot) {
    struct snapshot_table *table = put->segment->snapshots;
    uint64_t changes = load_relaxed(&table->changes);
    uint64_t lock = load_relaxed(&slot_at(put, slot)->lock);

    store_release(&slot_at(put, slot)->lock, lock + 1); /* change:B */
    store_relaxed(&snapshot_table_changed(put->segment)[changes % slot_count(put)], slot);
    store_release(&table->changes, changes + 1); /* change:C */
}

/* Told before the value goes: who finds it gone sees this. */
static void raise_whole_from(struct snapshot_put *put, uint64_t position) {
    shm_u64 *whole_from = &put->segment->snapshots->whole_from;

    if (load_relaxed(whole_from) < position) {
        store_release(whole_from, position);
    }
}

static void drop(struct snapshot_put *put, uint32_t slot) {
    struct snapshot_slot *entry = slot_at(put, slot);

    raise_whole_from(put, load_relaxed(&entry->position) + 1);
    store_relaxed(&put->segment->snapshots->dropped_at, put->at);
    snapshot_places_remove(&put->places, slot);
    change_begin(entry);
    free_cells_of(put, slot);
    store_relaxed(&entry->first, 0);
    change_end(put, slot);
    put->free_slots[put->free_slot_count++] = slot;
}

static void evict_oldest(struct snapshot_put *put, uint32_t kept) {
    uint32_t oldest = snapshot_places_oldest(&put->places, kept);

    assert(oldest != SNAPSHOT_NO_SLOT); /* one value is a small part of all cells */
    drop(put, oldest);
    put->evicted++;
}

/* `first` stays: it tells a key's first value from its later ones. */
static void free_cells_of(struct snapshot_put *put, uint32_t slot) {
    const struct snapshot_slot *entry = slot_at(put, slot);
    uint32_t at = load_relaxed(&entry->first);

    while (at != 0) {
        put->free_cells[put->free_cell_count++] = at - 1;
        at = load_relaxed(&snapshot_table_cell(put->segment, at - 1)->next);
    }
}

/* Keyed, 64 bits: it stands for the key. */
static uint64_t hash_of(const struct snapshot_put *put, const struct record *record,
                        struct span key) {
    const struct position *position = &put->segment->positions->partitions[record->partition];

    return siphash(&put->segment->header->hash_key, key) ^
           (uint64_t)(position->topic + 1) * 0x9e3779b97f4a7c15ull;
}
