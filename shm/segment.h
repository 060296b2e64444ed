/* The segment: the one piece of shared memory that carries events. A memfd, mode 0600, owned by ingest's
 * user, made by the supervisor, mapped read-write by ingest alone and read-only by workers (from a
 * descriptor opened O_RDONLY, which mprotect can't widen).
 *
 *        0  struct segment_header     written once by the supervisor
 *     4096  struct ingest_block       ingest: heartbeat, status, counters
 *        …  struct positions          ingest: topics and topic-partitions (shm/positions.h)
 *        …  struct ring_words         ingest: intent, published, indexed
 *        …  ring bytes                ingest: records (shm/record.h), `ring_capacity` of them
 * Every part starts at a page boundary; its offset stands in the header. A layout change raises
 * SEGMENT_VERSION. It lives as long as the supervisor: successors of a killed ingest continue in it. */
#ifndef MOONX_SHM_SEGMENT_H
#define MOONX_SHM_SEGMENT_H

#include "common/siphash.h"
#include "shm/order.h"
#include "shm/stats.h"

#define SEGMENT_MAGIC    0x6d6f6f6e73656731ull
#define SEGMENT_VERSION  1u

struct segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t size; /* of the whole segment, bytes */
    struct siphash_key hash_key;
    uint64_t ingest_at, positions_at, words_at, ring_at;
    uint64_t ring_capacity; /* power of two, bytes */
};

enum ingest_flag {
    INGEST_KAFKA_UP = 1u << 0,    /* a broker answers */
    INGEST_CAUGHT_UP = 1u << 1,   /* has reached once what was there when it started; stays over restarts */
    INGEST_PACED = 1u << 2,       /* waits for a lagging worker */
};

struct ingest_block {
    _Alignas(CACHE_LINE) shm_u64 heartbeat_ns; /* CLOCK_MONOTONIC, every second */
    shm_u32 pid;
    shm_u32 flags; /* enum ingest_flag */
    shm_u64 kafka_changed_ms; /* wall time when INGEST_KAFKA_UP last changed */
    _Alignas(CACHE_LINE) struct stats stats;
};

/* DESIGN "ring": `intent` is stored before bytes are written and never decreases, `published` after, and
 * `indexed` after everything that is derived from the records (positions; later the room index). Each on
 * its own cache line: readers poll `published` while the writer stores `intent`. */
struct ring_words {
    _Alignas(CACHE_LINE) shm_u64 intent;
    _Alignas(CACHE_LINE) shm_u64 published;
    _Alignas(CACHE_LINE) shm_u64 indexed;
    _Alignas(CACHE_LINE) shm_u64 sequence; /* of the last published record */
};

/* A mapped segment. The pointers lead into the mapping; const for readers by habit, by page table too. */
struct segment {
    int fd;
    size_t size;
    struct segment_header *header;
    struct ingest_block *ingest;
    struct positions *positions;
    struct ring_words *words;
    unsigned char *ring;
};

/* Makes the memfd with its size, seals it against resizing, writes the header with a random hash key.
 * ring_bytes is rounded up to a power of two. The caller owns *fd. */
int segment_create(uint64_t ring_bytes, int *fd) MUST_CHECK;
/* Maps and checks magic, version, size and every offset. Does not take the descriptor over. */
int segment_map(int fd, bool writable, struct segment *out) MUST_CHECK;
void segment_unmap(struct segment *segment);
/* A second descriptor of the same memfd, opened anew: O_RDONLY for workers, O_RDWR for the lock below. */
int segment_reopen(int fd, int flags) MUST_CHECK;
/* Takes the producer's lock (F_OFD_SETLK on a description of its own; kept until *lock_fd is closed or the
 * process dies). -EAGAIN: another producer lives. */
int segment_lock(int fd, int *lock_fd) MUST_CHECK;

#endif
