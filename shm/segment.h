/* The segment: the one piece of shared memory that carries events. A memfd, mode 0600, made and owned by
 * the supervisor's user, mapped read-write by ingest alone and read-only by workers (from a descriptor
 * opened O_RDONLY, which mprotect can't widen). Started as root, nobody but the supervisor can open it anew
 * once its children have changed their user; ingest takes its lock before that.
 *
 *        0  struct segment_header     written once by the supervisor
 *     4096  struct ingest_block       ingest: heartbeat, status, counters
 *        …  struct positions          ingest: topics and topic-partitions (shm/positions.h)
 *        …  struct ring_words         ingest: intent, published, indexed
 *        …  struct room_index         ingest: newest record of each bucket of rooms (shm/room_index.h)
 *        …  struct time_index         ingest: where offsets lie in the ring (shm/time_index.h)
 *        …  struct feed_table         ingest: which rooms a topic feeds (shm/feed_table.h)
 *        …  struct type_table         ingest: which event types are not for clients (shm/type_table.h)
 *        …  struct snapshot_table     ingest: the last value of each key (shm/snapshot_table.h)
 *        …  ring bytes                ingest: records (shm/record.h), `ring_capacity` of them
 * Every part starts at a page boundary; its offset stands in the header. A layout change raises
 * SEGMENT_VERSION. It lives as long as the supervisor: successors of a killed ingest continue in it. */
#ifndef MOONX_SHM_SEGMENT_H
#define MOONX_SHM_SEGMENT_H

#include "common/siphash.h"
#include "shm/order.h"
#include "shm/stats.h"

#define SEGMENT_MAGIC   0x6d6f6f6e73656731ull
#define SEGMENT_VERSION 9u

struct segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t size; /* of the whole segment, bytes */
    struct siphash_key hash_key;
    uint64_t ingest_at, positions_at, words_at, rooms_at, times_at, feeds_at, types_at;
    uint64_t snapshots_at, ring_at;
    uint64_t ring_capacity;  /* power of two, bytes */
    uint64_t snapshot_bytes; /* what the snapshot table may have */
};

enum ingest_flag {
    INGEST_KAFKA_UP = 1u << 0, /* a broker answers */
    INGEST_CAUGHT_UP =
        1u << 1, /* has reached once what was there when it started; stays over restarts */
    INGEST_PACED = 1u << 2, /* waits for a lagging worker */
};

struct ingest_block {
    _Alignas(CACHE_LINE) shm_u64 heartbeat_ns; /* CLOCK_MONOTONIC, at least every second */
    shm_u32 pid;
    shm_u32 flags;            /* enum ingest_flag */
    shm_u64 kafka_changed_ms; /* wall time when INGEST_KAFKA_UP last changed */
    _Alignas(CACHE_LINE) struct stats stats;
};

/* Where the ring ended after one publish, and the sequence number of the last record before that end. */
struct ring_head {
    shm_u64 position;
    shm_u64 sequence;
};

/* `intent` is stored before bytes are written and never decreases, `published` after, and
 * `indexed` after everything that is derived from the records (positions, room and time index). Each on
 * its own cache line: readers poll `published` while the writer stores `intent`.
 *
 *     intent       [u64                                   ]   end of what may have been written to
 *     published    [u64                                   ]   end of what readers may read
 *     indexed      [u64                                   ]   end of what positions and indexes account for
 *     heads        [position u64 | sequence u64] x 2          one of them belongs to `published`
 *
 * Two heads, written in turn, the next one before `published` moves to it: so at every moment, a kill
 * included, the one whose position equals `published` gives the sequence number there exactly. That is what
 * makes the count of a lapped reader exact (ring_read_head()). */
struct ring_words {
    _Alignas(CACHE_LINE) shm_u64 intent;
    _Alignas(CACHE_LINE) shm_u64 published;
    _Alignas(CACHE_LINE) shm_u64 indexed;
    _Alignas(CACHE_LINE) struct ring_head heads[2];
};

/* Where the parts of the snapshot table lie in it (shm/snapshot_table.h). */
struct snapshot_shape {
    uint32_t slots, cells; /* the log has as many entries as there are slots */
    size_t changed_at, slots_at, cells_at, size;
};

/* A mapped segment. The pointers lead into the mapping; const for readers by habit, by page table too. */
struct segment {
    int fd;
    size_t size;
    struct segment_header *header;
    struct ingest_block *ingest;
    struct positions *positions;
    struct ring_words *words;
    struct room_index *rooms;
    struct time_index *times;
    struct feed_table *feeds;
    struct type_table *types;
    struct snapshot_table *snapshots;
    struct snapshot_shape snapshot_shape;
    uint32_t room_buckets; /* of the room index, a power of two */
    unsigned char *ring;
};

#define SEGMENT_RING_MIN_BYTES 4096ull
#define SEGMENT_RING_MAX_BYTES (1ull << 40)

/* Makes the memfd with its size, seals it against resizing, writes the header with a random hash key.
 * ring_bytes is rounded up to a power of two, at least SEGMENT_RING_MIN_BYTES; -EINVAL past
 * SEGMENT_RING_MAX_BYTES. snapshot_bytes is the snapshot table's budget; 0: an eighth of the ring. Both are
 * sparse: their pages cost memory when they are first written. The caller owns *fd. */
int segment_create(uint64_t ring_bytes, uint64_t snapshot_bytes, int *fd) MUST_CHECK;
/* Maps and checks magic, version, size and every offset; -EPROTO when one is wrong. Does not take the
 * descriptor over. */
int segment_map(int fd, bool writable, struct segment *out) MUST_CHECK;
void segment_unmap(struct segment *segment);
/* A second descriptor of the same memfd (a worker's or the host's block too), opened anew and
 * close-on-exec: O_RDONLY for workers, O_RDWR for the lock below. It goes through /proc/self/fd, so the
 * caller must still have the rights of the memfd's owner: before privileges are dropped. */
int segment_reopen(int fd, int flags) MUST_CHECK;
/* Takes the producer's lock (F_OFD_SETLK on a description of its own; kept until *lock_fd is closed or the
 * process dies). -EAGAIN: another producer lives. Reopens: call it before privileges are dropped. */
int segment_lock(int fd, int *lock_fd) MUST_CHECK;

#endif
