/* The uplink's queue: what one worker hands to ingest for Kafka, and what ingest answers. A memfd for each worker's
 * place, made by the supervisor, mapped read-write by that worker and by ingest, and by nobody else.
 *
 *      0  head            magic, version, size
 *     64  worker's words  tail, head, data_tail, data_head
 *    128  ingest's words  answers, and the flag that says it sleeps
 *    256  entries         UPLINK_ENTRIES of 128 bytes; number n lies at n % UPLINK_ENTRIES
 *      …  data            UPLINK_DATA_BYTES; byte p lies at p % UPLINK_DATA_BYTES, an entry's bytes in one piece
 *
 * Positions are 64-bit counts that only grow. The worker fills in an entry and its bytes, then stores `tail` (release);
 * ingest reads `tail` (acquire), takes the entry and, some time later and in any order, writes the outcome into the
 * entry itself: error, partition, offset, then `answered` = the entry's id (release), then `answers`. The worker reads
 * `answered` (acquire) and believes it only if it is the id that it has kept for itself. `head` moves over the answered
 * prefix, and only what lies before it is used again: so an answer can't be lost, overtaken, or taken for another's.
 *
 * A worker is exposed to strangers, so that ingest takes what stands here for what anybody may have written: it copies
 * an entry, then checks it, and its own truth (how far it has taken, what is under way) lies in its own memory.
 *
 * A successor of a killed ingest takes every entry again that has no answer; that some of them reach Kafka twice is
 * settled by `once` when they are consumed. A successor of a killed worker goes on behind its predecessor's entries,
 * with ids of its own: ingest finishes those, nobody waits for their answers, and they are passed over. */
#ifndef MOONX_SHM_UPLINK_H
#define MOONX_SHM_UPLINK_H

#include "shm/block.h"
#include "shm/order.h"

#define UPLINK_MAGIC         0x6d6f6f6e75706c6bull
#define UPLINK_VERSION       2u
#define UPLINK_ENTRIES       1024u
#define UPLINK_DATA_BYTES    (4u << 20)
#define UPLINK_MAX_BYTES     (1u << 20) /* of key and value together */
#define UPLINK_KEY_MAX_BYTES 256u

enum uplink_target { UPLINK_EVENTS, UPLINK_CONTROL, UPLINK_TARGET_COUNT };

/* Equal for messages of which one alone counts, within the window of shm/once.h. */
struct uplink_once {
    unsigned char bytes[16];
};

enum uplink_flag {
    UPLINK_EPHEMERAL = 1u << 0,
    UPLINK_AT_ONCE = 1u << 1, /* this host's clients get it without Kafka */
    UPLINK_FLAGS = UPLINK_EPHEMERAL | UPLINK_AT_ONCE,
};

/*  0 id u64 | 8 at u64 | 16 key_length u32 | 20 value_length u32 | 24 sender u64 | 32 expiry_ms i64
 * 40 deadline_ns u64 | 48 target u32 | 52 flags u32 | 56 once 16 bytes | 72 unused
 * 96 answered u64 | 104 error i32 | 108 partition i32 | 112 offset i64 | 120 unused */
struct uplink_entry {
    uint64_t id;
    uint64_t at; /* data position of the key; the value follows it */
    uint32_t key_length;
    uint32_t value_length;
    uint64_t sender;
    int64_t expiry_ms;
    uint64_t deadline_ns; /* CLOCK_MONOTONIC: ingest does not send it after that */
    uint32_t target;      /* enum uplink_target */
    uint32_t flags;       /* enum uplink_flag */
    struct uplink_once once;
    uint64_t unused[3];
    shm_u64 answered; /* from here on ingest's */
    shm_u32 error;    /* a positive errno, or 0 */
    shm_u32 partition;
    shm_u64 offset;
    uint64_t unused_too;
};
static_assert(sizeof(struct uplink_entry) == 128 && offsetof(struct uplink_entry, answered) == 96,
              "entry layout");

/* Padded on purpose: no two writers on one cache line. */
struct uplink_block { // NOLINT(clang-analyzer-optin.performance.Padding)
    struct block_head head;
    _Alignas(CACHE_LINE) shm_u64 tail; /* number after the last entry handed in */
    shm_u64 head_at;                   /* number of the first one that is still needed */
    shm_u64 data_tail, data_head;      /* the same in bytes */
    _Alignas(
        CACHE_LINE) shm_u64 answers; /* how many ingest has written; only that it changes counts */
    shm_u32 sleeping;                /* ingest raises it, the worker takes it back */
    _Alignas(256) struct uplink_entry entries[UPLINK_ENTRIES];
    char data[UPLINK_DATA_BYTES];
};

/* How it came out. */
struct uplink_answer {
    int error; /* 0 or -errno */
    int32_t partition;
    int64_t offset;
};

int uplink_create(int *fd) MUST_CHECK;
/* Checks magic, version and size. *out stays mapped until uplink_unmap. */
int uplink_map(int fd, struct uplink_block **out) MUST_CHECK;
void uplink_unmap(struct uplink_block *block);

#endif
