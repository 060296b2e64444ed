/* Which tokens no longer count, as every worker of the host sees it: written by ingest out of the control topic, read
 * by workers at every sign-in. One region, made by the supervisor, read-write for ingest alone, O_RDONLY for workers;
 * it lives as long as the supervisor, so a successor of a killed ingest or worker finds all that was told before.
 *
 *   header     magic, version, sizes | sequence | the one revocation that concerns everybody
 *   changes    the last REVOCATIONS_CHANGES of them, change n in place n mod REVOCATIONS_CHANGES:
 *              [sequence u64 | kind u32 | lengths u16 u16 | key u64 | before_ms u64 | name, reason]
 *   entries    slots x [key u64 | before_ms u64 | until_ms u64 | reserved u64], sets of 16, the key chooses the set
 *
 * Two questions, two parts. May this token sign in? The entries say: an entry concerns the tokens of its key issued
 * before before_ms, and is forgotten after until_ms. Whose connection must go now? The changes say: a worker that
 * finds the sequence moved reads those since its own; one that has fallen so far behind that they were overwritten
 * checks all its connections against the entries instead. Connections are shut by a change even where nothing is
 * remembered (a disconnect).
 *
 * No lock and one writer. An entry's words only grow while its key stays, so any mixture of old and new is at least
 * as strict as the old; its key is taken away before it becomes another's. A change is valid if its sequence is the
 * one that was asked for, before and after the copy.
 *
 * Full: an expired entry gives its place up. In a set of 16 that are all in force nothing is forgotten: the last one
 * becomes the whole set's, with the latest before_ms and until_ms of those it stands for. Then tokens of others whose
 * keys share the set (one set in `slots`/16) are refused as well: too strict rather than too lax, and the caller is
 * told, to say so. */
#ifndef MOONX_SHM_REVOCATIONS_H
#define MOONX_SHM_REVOCATIONS_H

#include "common/siphash.h"
#include "shm/order.h"

#define REVOCATIONS_MAGIC        0x6d6f6f6e7265766full
#define REVOCATIONS_VERSION      1u
#define REVOCATIONS_WAYS         16u
#define REVOCATIONS_CHANGES      4096u
#define REVOCATIONS_NAME_BYTES   255u /* of a user id, sid, jti or connection id */
#define REVOCATIONS_REASON_BYTES 64u
#define REVOCATIONS_ANY_TIME     UINT64_MAX /* before_ms: whenever issued */

enum revocation_kind {
    REVOCATION_USER,                  /* all tokens of the user */
    REVOCATION_USER_BEFORE,           /* those issued before a time */
    REVOCATION_SESSION,               /* `sid` */
    REVOCATION_TOKEN,                 /* `jti` */
    REVOCATION_ALL_BEFORE,            /* everybody's issued before a time */
    REVOCATION_DISCONNECT_USER,       /* closes connections, remembers nothing */
    REVOCATION_DISCONNECT_CONNECTION, /* by the connectionId that clients see */
};

struct revocations_change {
    shm_u64 sequence; /* 1, 2, 3 …; 0 while it is written */
    uint32_t kind;    /* enum revocation_kind */
    uint16_t name_length, reason_length;
    uint64_t key; /* of session and token */
    uint64_t before_ms;
    char name[REVOCATIONS_NAME_BYTES + 1]; /* of users and connections */
    char reason[REVOCATIONS_REASON_BYTES]; /* of a disconnect */
};
static_assert(sizeof(struct revocations_change) % 8 == 0, "copied by words");

struct revocations_entry {
    shm_u64 key; /* 0: free; 1: the whole set's */
    shm_u64 before_ms;
    shm_u64 until_ms;
    uint64_t reserved;
};

struct revocations_header { // NOLINT(clang-analyzer-optin.performance.Padding)
    uint64_t magic;
    uint32_t version;
    uint32_t reserved;
    uint64_t slots; /* a power of two */
    uint64_t size;  /* of the region */
    _Alignas(CACHE_LINE) shm_u64 sequence;
    shm_u64 all_before_ms, all_until_ms;
    _Alignas(CACHE_LINE) struct revocations_change changes[REVOCATIONS_CHANGES];
};

/* A process's own view. */
struct revocations {
    struct revocations_header *header; /* NULL: no table */
    struct revocations_entry *entries;
    uint64_t slots, size;
};

/* Room for about `most` revocations in force at once; rounded up to a power of two within 1024 and 2^24, 32 bytes
 * each, which cost memory once they are touched. */
int revocations_create(uint64_t most, int *fd) MUST_CHECK;
/* -EPROTO when it is not ours, of another version or of other sizes than it says. */
int revocations_map(int fd, bool writable, struct revocations *out) MUST_CHECK;
void revocations_unmap(struct revocations *table);

/* Where a user's, session's or token's revocation stands; the name at most REVOCATIONS_NAME_BYTES long. */
uint64_t revocations_key(const struct siphash_key *hash_key, enum revocation_kind kind,
                         struct span name);

/* Writer. Again for the same key: the later of both times counts. False: the set was full, see above. */
bool revocations_put(const struct revocations *table, uint64_t key, uint64_t before_ms,
                     uint64_t until_ms, uint64_t now_ms) MUST_CHECK;
void revocations_put_all(const struct revocations *table, uint64_t before_ms, uint64_t until_ms);
/* Writer, after the entry: makes workers look. Fills in the sequence. */
void revocations_announce(const struct revocations *table, struct revocations_change *change);

/* True: a token with that key (or anybody's), issued then, is revoked. */
bool revocations_has(const struct revocations *table, uint64_t key, uint64_t issued_ms,
                     uint64_t now_ms);
bool revocations_has_all(const struct revocations *table, uint64_t issued_ms, uint64_t now_ms);

/* Of the last change; 0 while there is none. */
static inline uint64_t revocations_sequence(const struct revocations *table) {
    return load_acquire(&table->header->sequence);
}
/* A copy whose lengths can be relied on. False: overwritten meanwhile. */
bool revocations_change(const struct revocations *table, uint64_t sequence,
                        struct revocations_change *out) MUST_CHECK;

#endif
