/* The labels' partners and the reasons stand in ring_append.c. */
#include "shm/ring_read.h"

#include <stdlib.h>

#define FIRST_BUFFER 4096u

/* The first word of a record: all that is known before its length is believed, and all that a pad has. */
struct start {
    uint32_t length;
    uint16_t kind;
    uint16_t flags;
};
static_assert(sizeof(struct start) == 8, "one word");

static int read_one(struct ring_read *reader, uint64_t published);
static int read_start(struct ring_read *reader, uint64_t published, struct start *start);
static bool start_plausible(const struct ring_read *reader, uint64_t published, struct start start);
static int read_record(struct ring_read *reader, uint32_t length);
static int grow(struct ring_read *reader, size_t length);
static int skip_to_head(struct ring_read *reader, uint64_t *skipped);
static bool overwritten(const struct ring_read *reader);
static const void *bytes_at(const struct ring_read *reader);

/* Not a ring_result: read_one() has passed a pad and stands at the record behind it. */
enum { PASSED_PAD = 100 };

int ring_read_init(struct ring_read *reader, const struct segment *segment) {
    uint64_t position, sequence;
    int result = ring_read_head(segment, &position, &sequence);
    if (result < 0)
        return result;
    struct record *buffer = malloc(FIRST_BUFFER);
    if (!buffer)
        return -ENOMEM;
    *reader = (struct ring_read){
        .segment = segment,
        .cursor = position,
        .sequence = sequence,
        .buffer = buffer,
        .buffer_size = FIRST_BUFFER,
    };
    return 0;
}

void ring_read_done(struct ring_read *reader) {
    free(reader->buffer);
    *reader = (struct ring_read){0};
}

int ring_read_next(struct ring_read *reader, const struct record **record, uint64_t *skipped) {
    int result;
    do {
        /* ring_read_next:A (pair 2): the records below it are whole. */
        uint64_t published = load_acquire(&reader->segment->words->published);
        if (published == reader->cursor)
            return RING_EMPTY;
        result = read_one(reader, published);
    } while (result == PASSED_PAD);

    uint64_t unknown;
    if (result == RING_LAPPED)
        return skip_to_head(reader, skipped);
    if (result == -EBADMSG)
        return skip_to_head(reader, &unknown), -EBADMSG;
    if (result == RING_OK)
        *record = reader->buffer;
    return result;
}

int ring_read_at(struct ring_read *reader, uint64_t position, const struct record **record) {
    uint64_t published = load_acquire(&reader->segment->words->published); /* as ring_read_next:A */
    struct start start;

    if (position >= published || position % RECORD_ALIGN != 0)
        return -EBADMSG;
    reader->cursor = position;
    int result = read_start(reader, published, &start);
    if (result == RING_OK)
        result = start.kind == RECORD_PAD ? -EBADMSG : read_record(reader, start.length);
    if (result == RING_OK)
        *record = reader->buffer;
    return result;
}

uint64_t ring_read_lag(const struct ring_read *reader) {
    return load_acquire(&reader->segment->words->published) - reader->cursor;
}

int ring_read_head(const struct segment *segment, uint64_t *position, uint64_t *sequence) {
    struct ring_words *words = segment->words;
    uint64_t published = load_acquire(&words->published); /* ring_read_head:A, pair 2 */

    for (;;) {
        for (unsigned i = 0; i < ARRAY_LENGTH(words->heads); i++) {
            struct ring_head *head = &words->heads[i];
            if (load_acquire(&head->position) != published) /* ring_read_head:B, pair 3 */
                continue;
            uint64_t found = load_acquire(&head->sequence); /* ring_read_head:C, pair 3 */
            if (load_relaxed(&head->position) != published) /* ring_read_head:D, pair 3 */
                continue;
            if (published % RECORD_ALIGN != 0)
                return -EBADMSG;
            *position = published;
            *sequence = found;
            return 0;
        }
        /* Both heads were written over while this looked at them: then two publishes have passed. */
        uint64_t now = load_acquire(&words->published);
        if (now == published)
            return -EBADMSG;
        published = now;
    }
}

/* One step: a record into the buffer, or a pad passed. */
static int read_one(struct ring_read *reader, uint64_t published) {
    struct start start;
    int result = read_start(reader, published, &start);
    if (result != RING_OK)
        return result;
    if (start.kind == RECORD_PAD) {
        reader->cursor += start.length;
        return PASSED_PAD;
    }
    uint64_t expected = reader->sequence + 1;
    result = read_record(reader, start.length);
    if (result != RING_OK)
        return result;
    if (reader->buffer->sequence != expected)
        return -EBADMSG;
    reader->cursor += start.length;
    reader->sequence = expected;
    return RING_OK;
}

static int read_start(struct ring_read *reader, uint64_t published, struct start *start) {
    _Alignas(8) struct start copy;

    if (published - reader->cursor > reader->segment->header->ring_capacity)
        return RING_LAPPED;
    order_copy_out(&copy, bytes_at(reader), sizeof(copy)); /* ring_read:B, as ring_read:C */
    if (overwritten(reader))
        return RING_LAPPED;
    if (!start_plausible(reader, published, copy))
        return -EBADMSG;
    *start = copy;
    return RING_OK;
}

/* The length is the producer's own, since it was not overwritten; all the same nothing is copied on its
 * word alone. A record never crosses the ring's end, a pad goes exactly up to it. */
static bool start_plausible(const struct ring_read *reader, uint64_t published,
                            struct start start) {
    uint64_t capacity = reader->segment->header->ring_capacity;
    uint64_t to_end = capacity - (reader->cursor & (capacity - 1));
    uint64_t length = start.length;

    if (length == 0 || length % RECORD_ALIGN != 0 || length > record_limit(capacity) ||
        length > to_end || length > published - reader->cursor)
        return false;
    return start.kind == RECORD_PAD ? length == to_end : length >= sizeof(struct record);
}

/* Into the buffer; the cursor stays. */
static int read_record(struct ring_read *reader, uint32_t length) {
    int result = grow(reader, length);
    if (result < 0)
        return result;

    struct record *copy = reader->buffer;
    order_copy_out(copy, bytes_at(reader), length); /* ring_read:C, pair 1 */
    if (overwritten(reader))
        return RING_LAPPED;
    if (copy->length != length || !record_valid(copy, length))
        return -EBADMSG;
    return RING_OK;
}

static int grow(struct ring_read *reader, size_t length) {
    if (length <= reader->buffer_size)
        return 0;
    size_t size = reader->buffer_size;
    while (size < length)
        size *= 2;
    struct record *buffer = malloc(size); /* what the old one holds is of no use any more */
    if (!buffer)
        return -ENOMEM;
    free(reader->buffer);
    reader->buffer = buffer;
    reader->buffer_size = size;
    return 0;
}

static int skip_to_head(struct ring_read *reader, uint64_t *skipped) {
    uint64_t position, sequence;
    int result = ring_read_head(reader->segment, &position, &sequence);
    if (result < 0)
        return result;
    uint64_t passed = sequence - reader->sequence;
    bool backwards = sequence < reader->sequence || position < reader->cursor;
    reader->cursor = position;
    reader->sequence = sequence;
    if (backwards)
        return -EBADMSG;
    *skipped = passed;
    return RING_LAPPED;
}

/* Whether the producer may have begun to write over the record at the cursor: it announces (intent) before
 * it writes, so a copy made before this says no is whole. Not `published`: with several records a publish
 * the producer is far beyond it. */
static bool overwritten(const struct ring_read *reader) {
    fence_acquire(); /* ring_read:C, pair 1: the copy first, then intent */
    uint64_t intent = load_relaxed(&reader->segment->words->intent);
    return reader->cursor + reader->segment->header->ring_capacity < intent;
}

static const void *bytes_at(const struct ring_read *reader) {
    return reader->segment->ring + (reader->cursor & (reader->segment->header->ring_capacity - 1));
}
