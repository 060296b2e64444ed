#include "gateway/delivery/snapshot_mirror.h"

#include "gateway/delivery/fanout.h"
#include "shm/snapshot_former.h"

#include <stdlib.h>

/* Frames are moved together when those made since the last time are twice what is needed, and at least this. */
#define MOVE_BYTES (1u << 20)
/* The most records of the ring that one join looks at for values which the table has already replaced: some 0.5 ms. A
 * worker that is so far behind shows the keys beyond it when it has come to their next value. */
#define MAX_HOPS 4096u

static bool prepare(struct snapshots *all);
static void follow(struct snapshots *all);
static void refresh(void *context, uint32_t slot);
static void see_later(struct snapshots *all, uint32_t slot);
static void show(struct snapshots *all, uint32_t slot, const struct snapshot_value *value);
static bool show_former(struct snapshots *all, uint32_t slot, struct snapshot_value *value);
static bool read_former(struct snapshots *all, uint64_t position, struct snapshot_value *value);
static bool update(struct snapshots *all, uint32_t slot, const struct snapshot_value *value);
static bool is_same_key(const struct snapshot_mirror *mirror, const struct snapshot_value *value);
static bool take_key(struct snapshots *all, uint32_t slot, const struct snapshot_value *value);
static void forget(struct snapshots *all, uint32_t slot);
static bool make_frame(struct snapshots *all, struct snapshot_mirror *mirror, struct span envelope);
static void move_together(struct snapshots *all);
static void move_frame(struct snapshots *all, uint32_t slot);

static bool is_shown(const struct snapshot_mirror *mirror, uint64_t position) {
    return mirror->piece.block != 0 && mirror->position == position;
}

int snapshot_mirror_new(struct snapshots **out) {
    struct snapshots *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return -ENOMEM;
    }
    snapshot_room_init(all);
    *out = all;
    return 0;
}

/* The frames go with the arena. */
void snapshot_mirror_free(struct snapshots *all) {
    if (all == NULL) {
        return;
    }
    for (uint32_t i = 0; all->mirrors != NULL && i < all->worker->view.segment.snapshot_shape.slots;
         i++) {
        free(all->mirrors[i].key);
        free(all->mirrors[i].head);
    }
    snapshot_room_done(all);
    free(all->mirrors);
    free(all->later);
    free(all->buffer);
    free(all);
}

bool snapshot_mirror_follow(struct worker *worker) {
    struct snapshots *all = worker->fanout->snapshots;
    all->worker = worker;
    if (prepare(all)) {
        follow(all);
    }
    return all->mirrors != NULL && !all->failed;
}

void snapshot_mirror_put_in_order(struct snapshots *all, struct snapshot_room *room) {
    if (room->scattered <= room->count) {
        return;
    }
    for (uint32_t i = 0; i < room->count; i++) {
        move_frame(all, room->slots[i]);
    }
    room->scattered = 0;
}

static bool prepare(struct snapshots *all) {
    const struct segment *segment = &all->worker->view.segment;
    uint32_t slots = segment->snapshot_shape.slots;
    if (all->mirrors != NULL) {
        return true;
    }
    all->mirrors = calloc(slots, sizeof *all->mirrors);
    all->later = malloc(slots * sizeof *all->later);
    all->buffer = malloc(snapshot_table_longest(segment) + SNAPSHOT_MARK_LENGTH);
    if (all->mirrors != NULL && all->later != NULL && all->buffer != NULL) {
        all->seen = load_acquire(&segment->snapshots->changes) - slots; /* all of them */
        return true;
    }
    free(all->mirrors);
    free(all->later);
    free(all->buffer);
    all->mirrors = NULL;
    all->later = NULL;
    all->buffer = NULL;
    return false;
}

/* Up to where this worker has read the ring. */
static void follow(struct snapshots *all) {
    uint32_t count = all->later_count;
    all->failed = false;
    all->hops = MAX_HOPS;
    all->later_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = all->later[i]; /* a place is read before it is written again */
        all->mirrors[slot].later = false;
        refresh(all, slot);
    }
    snapshot_table_changes(&all->worker->view.segment, &all->seen, refresh, all);
    if (all->made > 2 * all->needed + MOVE_BYTES) {
        move_together(all);
    }
}

static void refresh(void *context, uint32_t slot) {
    struct snapshots *all = context;
    struct snapshot_mirror *mirror = &all->mirrors[slot];
    uint64_t cursor = all->worker->reader.cursor;
    struct snapshot_value value;
    if (mirror->next >= cursor) {
        see_later(all, slot);
        return;
    }
    mirror->next = 0;
    switch (snapshot_table_read(&all->worker->view.segment, slot, cursor, all->buffer, &value)) {
    case SNAPSHOT_OK:
        show(all, slot, &value);
        return;
    case SNAPSHOT_FREE:
        forget(all, slot);
        return;
    case SNAPSHOT_LATER:
        if (!show_former(all, slot, &value)) {
            forget(all, slot);
        }
        break;
    case SNAPSHOT_BUSY: /* which value is below the cursor can't be told: its next one comes live */
        forget(all, slot);
        break;
    }
    see_later(all, slot);
}

static void see_later(struct snapshots *all, uint32_t slot) {
    if (!all->mirrors[slot].later) {
        all->mirrors[slot].later = true;
        all->later[all->later_count++] = slot;
    }
}

static void show(struct snapshots *all, uint32_t slot, const struct snapshot_value *value) {
    if (!is_shown(&all->mirrors[slot], value->position) && !update(all, slot, value)) {
        forget(all, slot);
        all->mirrors[slot].next = 0;
        all->failed = true;
        see_later(all, slot);
    }
}

/* The slot is ahead of this worker: what it has read last lies in the ring. False: nothing, or it can't be told. */
static bool show_former(struct snapshots *all, uint32_t slot, struct snapshot_value *value) {
    const struct worker *worker = all->worker;
    struct snapshot_mirror *mirror = &all->mirrors[slot];
    struct snapshot_former former;
    if (snapshot_former_find(&worker->fanout->missed, value, worker->reader.cursor, &all->hops,
                             &former) != 0) {
        return false;
    }
    mirror->next = former.next;
    if (former.position == SNAPSHOT_NOWHERE) {
        return false;
    }
    if (!is_shown(mirror, former.position)) {
        if (!read_former(all, former.position, value)) {
            return false;
        }
        show(all, slot, value);
    }
    return true;
}

/* Into the buffer, as from the table. The key is the slot's. */
static bool read_former(struct snapshots *all, uint64_t position, struct snapshot_value *value) {
    const struct worker *worker = all->worker;
    const struct record *record;
    if (ring_read_at(&worker->fanout->missed, position, &record) != RING_OK ||
        record->length > snapshot_table_longest(&worker->view.segment)) {
        return false;
    }
    memcpy(all->buffer, record, record->length);
    value->position = position;
    return true;
}

static bool update(struct snapshots *all, uint32_t slot, const struct snapshot_value *value) {
    struct snapshot_mirror *mirror = &all->mirrors[slot];
    if (!is_same_key(mirror, value)) {
        forget(all, slot);
        if (!take_key(all, slot, value)) {
            return false;
        }
    }
    mirror->position = value->position;
    memcpy(mirror->head, value->record, sizeof *mirror->head);
    return make_frame(all, mirror, record_envelope(value->record));
}

/* In the same rooms, too. */
static bool is_same_key(const struct snapshot_mirror *mirror, const struct snapshot_value *value) {
    const struct record *old = mirror->head, *new = value->record;
    size_t rooms = offsetof(struct record, rooms);
    return mirror->key != NULL &&
           span_equal((struct span){mirror->key, mirror->key_length},
                      (struct span){value->key, value->key_length}) &&
           old->room_count == new->room_count &&
           old->envelope_at ==
               new->envelope_at &&memcmp((const char *)old + rooms, (const char *)new + rooms,
                                         old->envelope_at - rooms) == 0;
}

static bool take_key(struct snapshots *all, uint32_t slot, const struct snapshot_value *value) {
    struct snapshot_mirror *mirror = &all->mirrors[slot];
    mirror->key = malloc(value->key_length);
    mirror->head = malloc(value->record->envelope_at);
    if (mirror->key == NULL || mirror->head == NULL) {
        return false;
    }
    memcpy(mirror->key, value->key, value->key_length);
    mirror->key_length = (uint16_t)value->key_length;
    memcpy(mirror->head, value->record, value->record->envelope_at);
    for (unsigned i = 0; i < mirror->head->room_count; i++) {
        if (!snapshot_room_enter(all, slot, i)) {
            return false;
        }
    }
    return true;
}

static void forget(struct snapshots *all, uint32_t slot) {
    struct snapshot_mirror *mirror = &all->mirrors[slot];
    bool later = mirror->later;
    uint64_t next = mirror->next;
    if (mirror->head != NULL && mirror->key != NULL) {
        snapshot_room_leave(all, slot);
    }
    if (mirror->piece.block != 0) {
        all->needed -= mirror->piece.length;
        frame_unref(&all->worker->fanout->arena, mirror->piece.block);
    }
    free(mirror->key);
    free(mirror->head);
    *mirror = (struct snapshot_mirror){.later = later, .next = next};
}

/* The envelope lies in `buffer`, which has space for the mark. */
static bool make_frame(struct snapshots *all, struct snapshot_mirror *mirror,
                       struct span envelope) {
    struct frame_arena *arena = &all->worker->fanout->arena;
    char *text = all->buffer + (envelope.data - all->buffer);
    struct frame_piece piece;
    if (envelope.length == 0) {
        return false;
    }
    if (frame_make_snapshot(arena, snapshot_marked(text, envelope.length), &piece) != 0) {
        return false;
    }
    frame_ref(arena, piece.block);
    if (mirror->piece.block != 0) {
        all->needed -= mirror->piece.length;
        frame_unref(arena, mirror->piece.block);
    }
    mirror->piece = piece;
    all->needed += piece.length;
    all->made += piece.length;
    return true;
}

/* A frame keeps its whole block: scattered ones would keep many. Without memory they stay where they are. */
static void move_together(struct snapshots *all) {
    uint32_t slots = all->worker->view.segment.snapshot_shape.slots;
    for (uint32_t slot = 0; slot < slots; slot++) {
        move_frame(all, slot);
    }
    all->made = 0;
}

static void move_frame(struct snapshots *all, uint32_t slot) {
    struct frame_arena *arena = &all->worker->fanout->arena;
    struct snapshot_mirror *mirror = &all->mirrors[slot];
    struct frame_piece piece;
    if (mirror->piece.block == 0 || frame_move_snapshot(arena, mirror->piece, &piece) != 0) {
        return;
    }
    frame_ref(arena, piece.block);
    frame_unref(arena, mirror->piece.block);
    mirror->piece = piece;
    all->made += piece.length;
}
