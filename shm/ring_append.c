/* States of a byte range of the ring, as the producer moves on:
 *
 *   free for writing    below intent, at or above published: readers treat what lay there as overwritten
 *   committed           filled in, still above published: gone if the producer is killed now
 *   published           readers may read it
 *   indexed             positions and indexes account for it: a successor need not look at it again
 *
 * Invariant at every instant, a kill included: indexed <= published <= intent, all multiples of 8, and
 * intent <= published + a quarter of the ring.
 *
 * The pairs of ordered accesses of the ring:
 *
 *  1. ring_append_reserve:A intent, release fence, bytes
 *     with  ring_read:C bytes, acquire fence, intent.
 *     A reader that copied one new byte sees the intent that announced it, and throws the copy away. The
 *     same fence keeps the bytes of the next batch behind the store of `published` before them.
 *  2. ring_append_publish:B published (release)
 *     with  ring_read_next:A and ring_read_head:A published (acquire).
 *     Who sees the position sees the records below it, and the head that belongs to it.
 *  3. write_head:A, :B position, then sequence (both release)
 *     with  ring_read_head:B, :C, :D position, sequence (both acquire), position again.
 *     A sequence read from a head that is being written over is noticed by its position. And since the head
 *     of two publishes ago is written over only after `published` has left it, a reader that finds no head
 *     for `published` finds `published` changed.
 *  4. ring_append_publish:C next, heads, indexed (release)
 *     with  room_walk_indexed:A (acquire), and with the successor, which redoes what lies above it.
 *     Not before `published`: a `next` or a head beyond what is published would lose the record when killed
 *     there, or lead into what a successor writes anew. Since heads come after, what is committed and not yet
 *     published finds its predecessors in the producer's own memory (ring_pending.h).
 *  5. ring_append_publish:B published, wake_sleepers:A full fence, flag
 *     with  wake_prepare_sleep:A flag, :B full fence, published. See wake.h.
 *
 * A producer's death orders everything it stored before everything its successor does: the kernel hands
 * over the lock (segment_lock). */
#include "shm/ring_append.h"

#include "shm/positions.h"
#include "shm/ring_read.h"
#include "shm/room_index.h"
#include "shm/time_index.h"

#include <stdlib.h>

#define NONE UINT64_MAX

static bool words_sane(const struct ring_words *words, uint64_t capacity);
static int walk(struct segment *segment, uint64_t from, uint64_t to, uint64_t limit);
static int walk_step(struct segment *segment, const struct record *record, uint64_t at,
                     uint64_t left, uint64_t limit);
static bool record_fits(const struct segment *segment, const struct record *record);
static void enter(struct segment *segment, const struct record *record, uint64_t at);
static void advance_next(struct positions *positions, const struct record *record);
static void link_rooms(struct ring_append *writer, struct record *record);
static void write_pad(struct segment *segment, uint64_t at, uint64_t length);
static void write_head(struct ring_words *words, uint64_t position, uint64_t sequence);
static struct record *record_at(const struct segment *segment, uint64_t position);
static struct record *record_memory(const struct ring_append *writer);

int ring_append_open(struct ring_append *writer, struct segment *segment) {
    struct ring_words *words = segment->words;
    uint64_t capacity = segment->header->ring_capacity;
    uint64_t published, sequence;

    if (!words_sane(words, capacity))
        return -EBADMSG;
    int result = ring_read_head(segment, &published, &sequence);
    if (result < 0)
        return result;
    result = walk(segment, load_relaxed(&words->indexed), published, record_limit(capacity));
    if (result < 0)
        return result;

    struct ring_pending *pending = ring_pending_new();
    if (!pending)
        return -ENOMEM;
    struct record *staging = NULL;
#ifdef ORDER_CHECKED
    staging = malloc(record_limit(capacity));
    if (!staging) {
        free(pending);
        return -ENOMEM;
    }
#endif
    store_release(&words->indexed, published); /* ring_append_open:A, as ring_append_publish:C */
    *writer = (struct ring_append){
        .segment = segment,
        .head = published,
        .sequence = sequence,
        .reserved = NONE,
        .pending = pending,
        .staging = staging,
    };
    return 0;
}

void ring_append_done(struct ring_append *writer) {
    free(writer->staging);
    free(writer->pending);
    *writer = (struct ring_append){.reserved = NONE};
}

size_t ring_append_limit(const struct ring_append *writer) {
    return (size_t)record_limit(writer->segment->header->ring_capacity);
}

struct record *ring_append_reserve(struct ring_append *writer, size_t length) {
    struct ring_words *words = writer->segment->words;
    uint64_t capacity = writer->segment->header->ring_capacity;
    if (length < sizeof(struct record) || length > ring_append_limit(writer))
        return NULL;

    uint64_t whole = (length + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
    uint64_t left = capacity - (writer->head & (capacity - 1));
    uint64_t pad = whole > left ? left : 0;
    if (writer->head + pad + whole - load_relaxed(&words->published) > capacity / 4 ||
        writer->pending->count >= RING_PENDING_FULL)
        ring_append_publish(writer);

    uint64_t end = writer->head + pad + whole;
    /* ring_append_reserve:A (pair 1). Never lower: a predecessor may have announced, and half written,
     * more than this. The fence is needed even then: it is this producer's bytes that must come after. */
    if (end > load_relaxed(&words->intent))
        store_relaxed(&words->intent, end);
    fence_release();
    if (pad)
        write_pad(writer->segment, writer->head, pad);

    writer->reserved = writer->head + pad;
    struct record *record = record_memory(writer);
    memset((char *)record + whole - RECORD_ALIGN, 0,
           RECORD_ALIGN); /* the tail lies in the last word */
    record->length = (uint32_t)whole;
    record->sequence = writer->sequence + 1;
    return record;
}

void ring_append_commit(struct ring_append *writer) {
    assert(writer->reserved != NONE);
    struct record *record = record_memory(writer);

    /* A record that readers would refuse must not get into the ring: its producer is broken. */
    assert(record_valid(record, record->length));
    assert(record->partition == RECORD_NO_PARTITION ||
           record->partition < positions_count(writer->segment->positions));
    link_rooms(writer, record);
    if (writer->staging)
        order_copy_in(record_at(writer->segment, writer->reserved), record, record->length);
    writer->head = writer->reserved + record->length;
    writer->sequence = record->sequence;
    writer->reserved = NONE;
}

uint64_t ring_append_publish(struct ring_append *writer) {
    struct segment *segment = writer->segment;
    struct ring_words *words = segment->words;
    uint64_t published = load_relaxed(&words->published);
    uint64_t bytes = writer->head - published;
    if (bytes == 0)
        return 0;

    write_head(words, writer->head, writer->sequence); /* ring_append_publish:A, pair 3 */
    store_release(&words->published, writer->head);    /* ring_append_publish:B, pairs 2 and 5 */
    int result = walk(segment, published, writer->head, ring_append_limit(writer));
    assert(result == 0); /* commit has checked every one of them */
    (void)result;
    ring_pending_clear(writer->pending);
    store_release(&words->indexed, writer->head); /* ring_append_publish:C, pair 4 */
    return bytes;
}

static bool words_sane(const struct ring_words *words, uint64_t capacity) {
    uint64_t intent = load_relaxed(&words->intent);
    uint64_t published = load_relaxed(&words->published);
    uint64_t indexed = load_relaxed(&words->indexed);

    return (intent | published | indexed) % RECORD_ALIGN == 0 && indexed <= published &&
           published <= intent && published - indexed <= capacity / 4 &&
           intent - published <= capacity / 4;
}

/* Enters every record of [from, to), in ring order. Doing it again, or again from the middle, ends the same:
 * the last record of a partition wins, a head only rises, a stretch that is whole stays. Nobody else writes
 * to these bytes. */
static int walk(struct segment *segment, uint64_t from, uint64_t to, uint64_t limit) {
    while (from < to) {
        const struct record *record = record_at(segment, from);
        int result = walk_step(segment, record, from, to - from, limit);
        if (result < 0)
            return result;
        from += record->length;
    }
    return 0;
}

static int walk_step(struct segment *segment, const struct record *record, uint64_t at,
                     uint64_t left, uint64_t limit) {
    uint64_t capacity = segment->header->ring_capacity;
    uint64_t to_end = capacity - (at & (capacity - 1));
    uint64_t length = record->length;

    if (length == 0 || length % RECORD_ALIGN != 0 || length > limit || length > left ||
        length > to_end)
        return -EBADMSG;
    if (record->kind == RECORD_PAD)
        return length == to_end ? 0 : -EBADMSG;
    if (!record_valid(record, length) || !record_fits(segment, record))
        return -EBADMSG;
    enter(segment, record, at);
    return 0;
}

/* What it points to outside of itself is there. */
static bool record_fits(const struct segment *segment, const struct record *record) {
    for (unsigned i = 0; i < record->room_count; i++)
        if (!room_index_slot_valid(segment, record->rooms[i].slot))
            return false;
    return record->partition == RECORD_NO_PARTITION ||
           record->partition < positions_count(segment->positions);
}

static void enter(struct segment *segment, const struct record *record, uint64_t at) {
    time_index_pass(segment, at); /* before `next` counts this record */
    advance_next(segment->positions, record);
    for (unsigned i = 0; i < record->room_count; i++)
        room_index_raise(segment, record->rooms[i].slot, at);
}

static void advance_next(struct positions *positions, const struct record *record) {
    if (record->partition != RECORD_NO_PARTITION)
        store_relaxed(&positions->partitions[record->partition].next, (uint64_t)record->offset + 1);
}

/* All predecessors are found before one is replaced: two rooms of the record may share a slot. */
static void link_rooms(struct ring_append *writer, struct record *record) {
    const struct segment *segment = writer->segment;
    uint64_t link = room_index_link(writer->reserved);

    for (unsigned i = 0; i < record->room_count; i++) {
        struct record_room *room = &record->rooms[i];
        room->slot =
            room_index_slot(segment, room_index_hash(room->hash, room_index_chain(record)));
        room->previous = ring_pending_get(writer->pending, room->slot);
        if (room->previous == ROOM_INDEX_NONE)
            room->previous = load_relaxed(&segment->rooms->heads[room->slot]);
    }
    for (unsigned i = 0; i < record->room_count; i++)
        ring_pending_set(writer->pending, record->rooms[i].slot, link);
}

/* Only length and kind are valid: there may be room for no more. */
static void write_pad(struct segment *segment, uint64_t at, uint64_t length) {
    _Alignas(8) struct {
        uint32_t length;
        uint16_t kind;
        uint16_t flags;
    } start = {(uint32_t)length, RECORD_PAD, 0};
    static_assert(sizeof(start) == 8, "a pad of 8 bytes must be possible");

    order_copy_in(record_at(segment, at), &start, sizeof(start));
}

/* Writes over the head that does not belong to `published`. */
static void write_head(struct ring_words *words, uint64_t position, uint64_t sequence) {
    uint64_t published = load_relaxed(&words->published);
    unsigned turn = load_relaxed(&words->heads[0].position) == published ? 1 : 0;

    store_release(&words->heads[turn].position, position); /* write_head:A, pair 3 */
    store_release(&words->heads[turn].sequence, sequence); /* write_head:B, pair 3 */
}

static struct record *record_at(const struct segment *segment, uint64_t position) {
    uint64_t at = position & (segment->header->ring_capacity - 1);
    return (struct record *)(void *)(segment->ring + at);
}

static struct record *record_memory(const struct ring_append *writer) {
    return writer->staging ? writer->staging : record_at(writer->segment, writer->reserved);
}
