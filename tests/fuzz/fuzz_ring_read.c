/* libFuzzer: the ring reader over memory that anybody may have written. The input gives the four words, both
 * heads, the reader's place and the ring's bytes. Whatever stands there: no read outside the ring, an end, and
 * only records that record_valid() has passed.
 * clang -fsanitize=fuzzer,address,undefined */
#include "shm/ring_read.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define CAPACITY           4096u

struct preset {
    uint64_t intent, published, cursor, sequence;
    uint64_t head_position[2], head_sequence[2];
    uint8_t near; /* bits: which of the words are made to agree, so that deeper code is reached */
};

static void set_words(struct ring_words *words, struct preset *preset) {
    if (preset->near & 1) {
        preset->published &= 0xfff8;
    }
    if (preset->near & 2) {
        preset->intent = preset->published;
    }
    if (preset->near & 4) {
        preset->cursor = preset->published - (preset->cursor & 0xff8);
    }
    if (preset->near & 8) {
        preset->head_position[preset->near >> 7] = preset->published;
    }
    store_relaxed(&words->intent, preset->intent);
    store_relaxed(&words->published, preset->published);
    for (unsigned i = 0; i < 2; i++) {
        store_relaxed(&words->heads[i].position, preset->head_position[i]);
        store_relaxed(&words->heads[i].sequence, preset->head_sequence[i]);
    }
}

static unsigned sum;

/* Every byte that a worker would look at. */
static void touch(const struct record *record) {
    REQUIRE(record->length <= CAPACITY / 8);
    REQUIRE(record_valid(record, record->length));
    REQUIRE(record->room_count <= RECORD_MAX_ROOMS);
    struct span envelope = record_envelope(record);
    for (size_t i = 0; i < envelope.length; i++) {
        sum += (unsigned char)envelope.data[i];
    }
    for (unsigned room = 0; room < record->room_count; room++) {
        struct span key = record_room_key(record, room);
        REQUIRE(key.length >= 1 && key.length <= ROOM_NAME_MAX_BYTES);
        for (size_t i = 0; i < key.length; i++) {
            sum += (unsigned char)key.data[i];
        }
    }
}

static void read_all(struct ring_read *reader) {
    const struct record *record = NULL;
    uint64_t skipped = 0, before = reader->cursor;
    int result = RING_OK;
    for (unsigned i = 0; i < CAPACITY / 8 + 2 && result == RING_OK; i++) {
        before = reader->cursor;
        result = ring_read_next(reader, &record, &skipped);
        if (result == RING_OK) {
            REQUIRE(reader->cursor >= before + record->length);
            REQUIRE(record->sequence == reader->sequence);
            touch(record);
        }
    }
    REQUIRE(result == RING_EMPTY || result == RING_LAPPED || result == -EBADMSG);
    if (result == RING_LAPPED) {
        REQUIRE(reader->cursor >= before);
        REQUIRE(ring_read_next(reader, &record, &skipped) == RING_EMPTY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct preset preset;
    if (size < sizeof preset) {
        return 0;
    }
    memcpy(&preset, data, sizeof preset);
    struct segment_header header = {.ring_capacity = CAPACITY};
    static struct ring_words words;
    unsigned char *ring = aligned_alloc(8, CAPACITY); /* exactly, so that a step outside is seen */
    REQUIRE(ring != NULL);
    memset(ring, 0, CAPACITY);
    set_words(&words, &preset);
    size_t length = size - sizeof preset, at = preset.cursor & (CAPACITY - 1) & ~7u;
    for (size_t i = 0; i < length && i < CAPACITY; i++) {
        ring[(at + i) % CAPACITY] = data[sizeof preset + i];
    }
    struct segment segment = {.header = &header, .words = &words, .ring = ring};
    struct ring_read reader;
    if (ring_read_init(&reader, &segment) == 0) {
        REQUIRE(reader.cursor == preset.published);
        reader.cursor = preset.cursor & ~7ull;
        reader.sequence = preset.sequence;
        read_all(&reader);
        ring_read_done(&reader);
    }
    free(ring);
    return 0;
}
