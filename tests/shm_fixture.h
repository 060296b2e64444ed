/* What the tests of shm/ share: a segment of their own, records that carry a checksum over themselves, and
 * positions preset to an edge. Header only, so that every test stays one file. */
#ifndef MOONX_TESTS_SHM_FIXTURE_H
#define MOONX_TESTS_SHM_FIXTURE_H

#include "shm/positions.h"
#include "shm/ring_append.h"
#include "shm/ring_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXTURE_LEAST (sizeof(struct record) + sizeof(struct record_room) + 8)

static inline void fixture_need(int result, const char *what) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-result));
        abort();
    }
}

/* Ring bytes rounded up as segment_create() does; one topic `trades` with `partitions` partitions. */
static inline void fixture_open(struct segment *segment, uint64_t ring_bytes, int partitions) {
    int fd = -1;
    fixture_need(segment_create(ring_bytes, 0, &fd), "segment_create");
    fixture_need(segment_map(fd, true, segment), "segment_map");
    for (int i = 0; i < partitions; i++) {
        int index = positions_intern(segment->positions, SPAN_LITERAL("trades"), i);
        fixture_need(index, "positions_intern");
        store_relaxed(&segment->positions->partitions[index].next, 0);
    }
}

static inline void fixture_close(struct segment *segment) {
    int fd = segment->fd;
    segment_unmap(segment);
    close(fd);
}

/* As if the ring had run for that long already. */
static inline void fixture_preset(struct segment *segment, uint64_t position, uint64_t sequence) {
    struct ring_words *words = segment->words;
    store_relaxed(&words->intent, position);
    store_relaxed(&words->published, position);
    store_relaxed(&words->indexed, position);
    store_relaxed(&words->heads[0].position, position);
    store_relaxed(&words->heads[0].sequence, sequence);
    store_relaxed(&words->heads[1].position, position - RECORD_ALIGN);
    store_relaxed(&words->heads[1].sequence, sequence - 1);
}

/* Words of a room that the ring sets itself, after the record was filled in. */
static inline bool fixture_is_link(const struct record *record, size_t at) {
    size_t rooms = offsetof(struct record, rooms);
    size_t in_room = (at - rooms) % sizeof(struct record_room);
    return at >= rooms && at < rooms + record->room_count * sizeof(struct record_room) &&
           (in_room == offsetof(struct record_room, previous) ||
            in_room == offsetof(struct record_room, slot));
}

/* FNV-1a over 8-byte words: enough to tell any mixture of two records from each of them. */
static inline uint32_t fixture_checksum(const struct record *record) {
    uint64_t hash = 0xcbf29ce484222325ull ^ record->sequence;
    for (size_t at = offsetof(struct record, offset); at < record->length; at += 8) {
        uint64_t word;
        memcpy(&word, (const char *)record + at, sizeof(word));
        if (at == offsetof(struct record, checksum) || fixture_is_link(record, at))
            word = 0;
        hash = (hash ^ word) * 0x100000001b3ull;
        hash ^= hash >> 29;
    }
    uint32_t folded = (uint32_t)(hash ^ hash >> 32);
    return folded ? folded : 1;
}

/* All records of a partition go to one room. */
static inline uint64_t fixture_room_hash(uint32_t partition) {
    return (partition + 1ull) * 0x9e3779b97f4a7c15ull;
}

/* Fills in a reserved record: one room, an envelope over all the rest, whose words are all the same and
 * follow from the sequence number. */
static inline void fixture_fill(struct record *record, enum record_kind kind, uint32_t partition,
                                int64_t offset) {
    size_t length = record->length;
    uint64_t sequence = record->sequence;
    memset((char *)record + 16, 0, sizeof(*record) - 16);
    record->kind = (uint16_t)kind;
    record->flags = 0;
    record->offset = offset;
    record->partition = partition;
    record->room_count = 1;
    record->rooms[0] = (struct record_room){.hash = fixture_room_hash(partition),
                                            .name_at = (uint32_t)(FIXTURE_LEAST - 8),
                                            .name_length = 6};
    memcpy((char *)record + FIXTURE_LEAST - 8, "trades\0\0", 8);
    record->envelope_at = (uint32_t)FIXTURE_LEAST;
    record->envelope_length = (uint32_t)(length - FIXTURE_LEAST);
    for (size_t at = FIXTURE_LEAST; at < length; at += 8) {
        uint64_t word = sequence * 0x9e3779b97f4a7c15ull;
        memcpy((char *)record + at, &word, sizeof(word));
    }
    record->checksum = fixture_checksum(record);
}

/* Reserves, fills in and commits a record of `length` bytes, at least FIXTURE_LEAST. */
static inline void fixture_append(struct ring_append *writer, size_t length, uint32_t partition,
                                  int64_t offset) {
    struct record *record = ring_append_reserve(writer, length);
    if (!record) {
        fprintf(stderr, "ring_append_reserve refused %zu bytes\n", length);
        abort();
    }
    fixture_fill(record, RECORD_EVENT, partition, offset);
    ring_append_commit(writer);
}

static inline bool fixture_intact(const struct record *record) {
    return record_valid(record, record->length) && record->checksum == fixture_checksum(record);
}

/* splitmix64: small, and the same sequence on every machine. */
static inline uint64_t fixture_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

#endif
