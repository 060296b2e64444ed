#include "gateway/delivery/snapshot.h"

#include "common/log.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/conn_flush.h"
#include "gateway/delivery/fanout.h"
#include "shm/positions.h"
#include "shm/snapshot_table.h"

#include <stdlib.h>

#define MARK        ",\"snapshot\":true}"
#define MARK_LENGTH (sizeof(MARK) - 1)
/* Frames are moved together when those made since the last time are twice what is needed, and at least this. */
#define MOVE_BYTES (1u << 20)
/* The most records of the ring that one join looks at for values which the table has already replaced: some 0.5 ms. A
 * worker that is so far behind shows the keys beyond it when it has come to their next value. */
#define MAX_HOPS 4096u

/* One key, by its slot in the table. */
struct mirror {
    uint64_t position; /* 0 with no piece: not mirrored */
    char *key;
    struct record *head; /* its record without the envelope: the rooms */
    struct frame_piece piece;
    uint64_t next; /* what stands here is right up to this cursor */
    uint16_t key_length;
    bool later; /* on that list */
};

struct snapshot_room {
    uint64_t hash;   /* first word: the slab's link while free */
    char *name;      /* kind, then the room's key */
    uint32_t *slots; /* in the order of keys */
    uint32_t count, capacity;
    uint32_t
        scattered; /* references queued since its frames were last moved, beyond one a joiner */
    uint16_t name_length;
};

struct snapshots {
    struct worker *worker;
    struct mirror *mirrors; /* one for each slot of the table; NULL: nobody has asked yet */
    uint32_t *later;        /* slots to look at again */
    uint32_t later_count;
    uint64_t seen;         /* of the table's changes */
    uint64_t needed, made; /* bytes of frames */
    struct slab rooms;
    struct index_table by_name;
    char *buffer;  /* for a value as it is read */
    unsigned hops; /* left of this join */
    bool failed;   /* memory ran out: what is mirrored is not all */
};

struct room_key {
    uint64_t hash;
    struct span text;
    char bytes[ROOM_NAME_MAX_BYTES + 1];
};

static void send_room(struct worker *worker, struct conn *conn, struct span room,
                      const uint64_t *named);
static bool prepare(struct snapshots *all);
static void follow(struct snapshots *all);
static void refresh(void *context, uint32_t slot);
static void see_later(struct snapshots *all, uint32_t slot);
static void show(struct snapshots *all, uint32_t slot, const struct snapshot_value *value);
static uint64_t find_former(struct snapshots *all, struct mirror *mirror,
                            const struct snapshot_value *value);
static bool read_former(struct snapshots *all, uint64_t position, struct snapshot_value *value);
static bool update(struct snapshots *all, uint32_t slot, const struct snapshot_value *value);
static bool is_same_key(const struct mirror *mirror, const struct snapshot_value *value);
static bool take_key(struct snapshots *all, uint32_t slot, const struct snapshot_value *value);
static void forget(struct snapshots *all, uint32_t slot);
static bool make_frame(struct snapshots *all, struct mirror *mirror, struct span envelope);
static void move_together(struct snapshots *all);
static void move_frame(struct snapshots *all, uint32_t slot);
static void put_in_order(struct snapshots *all, struct snapshot_room *room);
static bool enter_room(struct snapshots *all, uint32_t slot, unsigned room);
static void leave_rooms(struct snapshots *all, uint32_t slot);
static uint32_t place_in(const struct snapshots *all, const struct snapshot_room *room,
                         uint32_t slot);
static struct snapshot_room *room_make(struct snapshots *all, const struct room_key *key);
static void room_drop(struct snapshots *all, uint32_t index);
static bool make_space(struct worker *worker, struct conn *conn);
static bool queue_run(struct worker *worker, struct conn *conn, struct frame_piece run);
static long queue_all(struct worker *worker, struct conn *conn, struct snapshot_room *room,
                      const uint64_t *named);

static struct snapshot_room *room_at(const struct snapshots *all, uint32_t index) {
    return slab_at(&all->rooms, index);
}

static uint64_t hash_of(const void *owner, uint32_t index) {
    return room_at(owner, index)->hash;
}

static bool has_key(const void *owner, uint32_t index, struct span key) {
    const struct snapshot_room *room = room_at(owner, index);
    return span_equal((struct span){room->name, room->name_length}, key);
}

static bool is_shown(const struct mirror *mirror, uint64_t position) {
    return mirror->piece.block != 0 && mirror->position == position;
}

static bool is_open(const struct conn *conn) {
    return conn->state == CONN_LIVE || conn->state == CONN_CATCHING;
}

static void room_key_set(struct room_key *key, uint64_t hash, unsigned kind, struct span name) {
    key->hash = hash;
    key->bytes[0] = (char)kind;
    memcpy(key->bytes + 1, name.data, name.length);
    key->text = (struct span){key->bytes, name.length + 1};
}

int snapshots_new(struct snapshots **out) {
    static const struct index_table_owner calls = {hash_of, has_key};
    struct snapshots *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return -ENOMEM;
    }
    slab_init(&all->rooms, sizeof(struct snapshot_room));
    index_table_init(&all->by_name, &calls, all);
    *out = all;
    return 0;
}

/* The frames go with the arena. */
void snapshots_free(struct snapshots *all) {
    if (all == NULL) {
        return;
    }
    for (uint32_t i = 0; all->mirrors != NULL && i < all->worker->view.segment.snapshot_shape.slots;
         i++) {
        free(all->mirrors[i].key);
        free(all->mirrors[i].head);
    }
    for (uint32_t i = 1; i < all->rooms.next_new; i++) {
        free(room_at(all, i)->name);
        free(room_at(all, i)->slots);
    }
    index_table_done(&all->by_name);
    slab_done(&all->rooms);
    free(all->mirrors);
    free(all->later);
    free(all->buffer);
    free(all);
}

void snapshot_send(struct worker *worker, struct conn *conn, struct span room) {
    if (conn->state == CONN_LIVE ||
        (conn->state == CONN_CATCHING && !catchup_defers(worker, conn))) {
        send_room(worker, conn, room, NULL);
    }
}

/* Passed through conn_each_room(). */
struct rooms_visit {
    struct worker *worker;
    struct conn *conn;
    const uint64_t *named;
};

static void visit_room(void *context, struct span room) {
    const struct rooms_visit *visit = context;
    send_room(visit->worker, visit->conn, room, visit->named);
}

void snapshot_send_rooms(struct worker *worker, struct conn *conn, const uint64_t *named) {
    struct rooms_visit visit = {worker, conn, named};
    conn_each_room(worker, conn, visit_room, &visit);
}

static void send_room(struct worker *worker, struct conn *conn, struct span room,
                      const uint64_t *named) {
    struct snapshots *all = worker->fanout->snapshots;
    struct room_key key;
    struct span name;
    unsigned kind = (unsigned)room_name_kind(room, &name);
    all->worker = worker;
    if (!is_open(conn) || load_relaxed(&worker->view.segment.snapshots->changes) == 0) {
        return;
    }
    if (prepare(all)) {
        follow(all);
    }
    if (all->mirrors == NULL || all->failed) {
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
        return;
    }
    room_key_set(&key, room_name_hash(&worker->view.segment.header->hash_key, name), kind, name);
    uint32_t index = index_table_find(&all->by_name, key.hash, key.text);
    if (index != 0 && make_space(worker, conn)) {
        long count = queue_all(worker, conn, room_at(all, index), named);
        stats_add(worker->stats, STAT_SNAPSHOT_VALUES, (uint64_t)count);
        stats_add(worker->stats, STAT_MESSAGES_OUT, (uint64_t)count);
    }
}

static bool prepare(struct snapshots *all) {
    const struct segment *segment = &all->worker->view.segment;
    uint32_t slots = segment->snapshot_shape.slots;
    if (all->mirrors != NULL) {
        return true;
    }
    all->mirrors = calloc(slots, sizeof *all->mirrors);
    all->later = malloc(slots * sizeof *all->later);
    all->buffer = malloc(snapshot_table_longest(segment) + MARK_LENGTH);
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
    struct mirror *mirror = &all->mirrors[slot];
    uint64_t cursor = all->worker->reader.cursor, former;
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
        former = find_former(all, mirror, &value);
        if (former != SNAPSHOT_NOWHERE && is_shown(mirror, former)) {
            break;
        }
        if (former != SNAPSHOT_NOWHERE && read_former(all, former, &value)) {
            show(all, slot, &value);
            break;
        }
        forget(all, slot);
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

static uint64_t position_before(uint64_t position, const struct record *record) {
    return record->former != 0 && record->former <= position ? position - record->former
                                                             : SNAPSHOT_NOWHERE;
}

/* The slot is ahead of this worker: where the newest value lies that it has read. From the slot's own value if that
 * is published: those before it are then, too. */
static uint64_t find_former(struct snapshots *all, struct mirror *mirror,
                            const struct snapshot_value *value) {
    const struct worker *worker = all->worker;
    uint64_t published = load_acquire(&worker->view.segment.words->published);
    const struct record *record;
    uint64_t next = published, at = value->settled;
    if (value->position < published) {
        next = value->position;
        at = position_before(next, value->record);
    }
    while (at != SNAPSHOT_NOWHERE && at >= worker->reader.cursor) {
        if (all->hops == 0 || ring_read_at(&worker->fanout->missed, at, &record) != RING_OK) {
            return SNAPSHOT_NOWHERE;
        }
        all->hops--;
        next = at;
        at = position_before(at, record);
    }
    mirror->next = next;
    return at;
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
    struct mirror *mirror = &all->mirrors[slot];
    if (!is_same_key(mirror, value)) {
        forget(all, slot);
        if (!take_key(all, slot, value)) {
            return false;
        }
    }
    mirror->position = value->position;
    mirror->head->partition = value->record->partition;
    return make_frame(all, mirror, record_envelope(value->record));
}

/* In the same rooms, too. */
static bool is_same_key(const struct mirror *mirror, const struct snapshot_value *value) {
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
    struct mirror *mirror = &all->mirrors[slot];
    mirror->key = malloc(value->key_length);
    mirror->head = malloc(value->record->envelope_at);
    if (mirror->key == NULL || mirror->head == NULL) {
        return false;
    }
    memcpy(mirror->key, value->key, value->key_length);
    mirror->key_length = (uint16_t)value->key_length;
    memcpy(mirror->head, value->record, value->record->envelope_at);
    for (unsigned i = 0; i < mirror->head->room_count; i++) {
        if (!enter_room(all, slot, i)) {
            return false;
        }
    }
    return true;
}

static void forget(struct snapshots *all, uint32_t slot) {
    struct mirror *mirror = &all->mirrors[slot];
    bool later = mirror->later;
    uint64_t next = mirror->next;
    if (mirror->head != NULL && mirror->key != NULL) {
        leave_rooms(all, slot);
    }
    if (mirror->piece.block != 0) {
        all->needed -= mirror->piece.length;
        frame_unref(&all->worker->fanout->arena, mirror->piece.block);
    }
    free(mirror->key);
    free(mirror->head);
    *mirror = (struct mirror){.later = later, .next = next};
}

/* The envelope lies in `buffer`, which has space for the mark. */
static bool make_frame(struct snapshots *all, struct mirror *mirror, struct span envelope) {
    struct frame_arena *arena = &all->worker->fanout->arena;
    char *text = all->buffer + (envelope.data - all->buffer);
    struct frame_piece piece;
    if (envelope.length == 0) {
        return false;
    }
    memcpy(text + envelope.length - 1, MARK, MARK_LENGTH); /* over its last brace */
    if (frame_make_snapshot(arena, (struct span){text, envelope.length - 1 + MARK_LENGTH},
                            &piece) != 0) {
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
    struct mirror *mirror = &all->mirrors[slot];
    struct frame_piece piece;
    if (mirror->piece.block == 0 || frame_move_snapshot(arena, mirror->piece, &piece) != 0) {
        return;
    }
    frame_ref(arena, piece.block);
    frame_unref(arena, mirror->piece.block);
    mirror->piece = piece;
    all->made += piece.length;
}

/* Keys are made and change in any order, and then neighbours in the room are none in memory: each joiner costs a
 * reference a key. When joiners have cost as many as there are keys, it has paid to move its frames. */
static void put_in_order(struct snapshots *all, struct snapshot_room *room) {
    if (room->scattered <= room->count) {
        return;
    }
    for (uint32_t i = 0; i < room->count; i++) {
        move_frame(all, room->slots[i]);
    }
    room->scattered = 0;
}

static bool enter_room(struct snapshots *all, uint32_t slot, unsigned room) {
    const struct record *head = all->mirrors[slot].head;
    struct room_key key;
    room_key_set(&key, head->rooms[room].hash, head->rooms[room].kind, record_room_key(head, room));
    struct snapshot_room *entered = room_make(all, &key);
    if (entered == NULL) {
        return false;
    }
    if (entered->count == entered->capacity) {
        uint32_t capacity = entered->capacity == 0 ? 4 : entered->capacity * 2;
        uint32_t *slots = realloc(entered->slots, capacity * sizeof *slots);
        if (slots == NULL) {
            return false;
        }
        entered->slots = slots;
        entered->capacity = capacity;
    }
    uint32_t at = place_in(all, entered, slot);
    memmove(entered->slots + at + 1, entered->slots + at,
            (entered->count - at) * sizeof *entered->slots);
    entered->slots[at] = slot;
    entered->count++;
    return true;
}

static void leave_rooms(struct snapshots *all, uint32_t slot) {
    const struct record *head = all->mirrors[slot].head;
    for (unsigned i = 0; i < head->room_count; i++) {
        struct room_key key;
        room_key_set(&key, head->rooms[i].hash, head->rooms[i].kind, record_room_key(head, i));
        uint32_t index = index_table_find(&all->by_name, key.hash, key.text);
        struct snapshot_room *room = index != 0 ? room_at(all, index) : NULL;
        uint32_t at = room != NULL ? place_in(all, room, slot) : 0;
        if (room != NULL && at < room->count && room->slots[at] == slot) {
            room->count--;
            memmove(room->slots + at, room->slots + at + 1,
                    (room->count - at) * sizeof *room->slots);
        }
        if (room != NULL && room->count == 0) {
            room_drop(all, index);
        }
    }
}

/* By key, then by slot: the same key may come from two topics. */
static int compare(const struct snapshots *all, uint32_t a, uint32_t b) {
    const struct mirror *left = &all->mirrors[a], *right = &all->mirrors[b];
    size_t shorter = left->key_length < right->key_length ? left->key_length : right->key_length;
    int order = memcmp(left->key, right->key, shorter);
    if (order == 0) {
        order = (int)left->key_length - (int)right->key_length;
    }
    return order != 0 ? order : (a > b) - (a < b);
}

/* Where it stands in the room, or would stand. */
static uint32_t place_in(const struct snapshots *all, const struct snapshot_room *room,
                         uint32_t slot) {
    uint32_t from = 0, to = room->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (compare(all, room->slots[middle], slot) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static struct snapshot_room *room_make(struct snapshots *all, const struct room_key *key) {
    uint32_t index = index_table_find(&all->by_name, key->hash, key->text);
    if (index != 0) {
        return room_at(all, index);
    }
    char *name = malloc(key->text.length);
    index = name != NULL ? slab_take(&all->rooms) : 0;
    if (index == 0) {
        free(name);
        return NULL;
    }
    memcpy(name, key->text.data, key->text.length);
    *room_at(all, index) = (struct snapshot_room){
        .hash = key->hash, .name = name, .name_length = (uint16_t)key->text.length};
    if (index_table_add(&all->by_name, key->hash, index) != 0) {
        free(name);
        slab_give(&all->rooms, index);
        return NULL;
    }
    return room_at(all, index);
}

static void room_drop(struct snapshots *all, uint32_t index) {
    struct snapshot_room *room = room_at(all, index);
    index_table_remove(&all->by_name, room->hash, index);
    free(room->name);
    free(room->slots);
    *room = (struct snapshot_room){0};
    slab_give(&all->rooms, index);
}

/* A snapshot may be longer than a queue: shared, it is a few references. But who does not read gets no second one. */
static bool make_space(struct worker *worker, struct conn *conn) {
    if (conn->queue.bytes > worker->options->ws_max_queue_bytes) {
        conn_flush_now(worker, conn);
    }
    if (conn->state != CONN_DEAD && conn->queue.bytes > worker->options->ws_max_queue_bytes) {
        conn_too_slow(worker, conn);
    }
    return is_open(conn);
}

static bool is_named(const struct mirror *mirror, const uint64_t *named) {
    return named != NULL && mirror->head->partition < POSITIONS_MAX_PARTITIONS &&
           named[mirror->head->partition] != POSITION_UNKNOWN;
}

/* How many values. */
static long queue_all(struct worker *worker, struct conn *conn, struct snapshot_room *room,
                      const uint64_t *named) {
    const struct mirror *mirrors = worker->fanout->snapshots->mirrors;
    struct frame_piece run = {0};
    long count = 0;
    put_in_order(worker->fanout->snapshots, room);
    for (uint32_t i = 0; i < room->count; i++) {
        struct frame_piece piece = mirrors[room->slots[i]].piece;
        if (is_named(&mirrors[room->slots[i]], named)) {
            continue;
        }
        count++;
        if (run.block == piece.block && run.at + run.length == piece.at) {
            run.length += piece.length;
            continue;
        }
        if (run.block != 0) {
            room->scattered++;
            if (!queue_run(worker, conn, run)) {
                return 0;
            }
        }
        run = piece;
    }
    if (run.block == 0 || !queue_run(worker, conn, run)) {
        return 0;
    }
    flush_schedule_add(&worker->fanout->schedule, conn, false);
    return count;
}

static bool queue_run(struct worker *worker, struct conn *conn, struct frame_piece run) {
    if (outq_append(&worker->fanout->queues, &conn->queue, run) == 0) {
        return true;
    }
    conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
    return false;
}
