/* Who has how much of what on this host: the counters behind the limits, shared by all workers, exact over them.
 * One region, made by the supervisor when limits are on, mapped writable by every worker, for as long as the
 * gateway runs. It knows keys (keyed 64-bit hashes, see room_name_hash), not what they stand for.
 *
 *   header     magic, version, sizes; one bucket for the whole host
 *   entries    slots x { key, full_ns, owed_ns, elsewhere }: a set of 16 ways, the key's own bits choose the set.
 *              In levels, each as large as all before it: a key goes to the first level whose set has room, and no
 *              level is looked at before it is needed. So few keys touch few pages, wherever their hashes point.
 *   counts     workers x slots x u32, each worker's block on pages of its own
 *
 * No lock, so nothing that a killed worker could hold; every word is one atomic. Two kinds of figures:
 *
 * - A token bucket is one word, the time at which it will be full again (the virtual scheduling form of the
 *   generic cell rate algorithm, ITU-T I.371): taking a token moves it one interval on, by compare-and-swap.
 *   It refills evenly without anybody refilling it, and a killed worker leaves it right. Beside it stands what has
 *   been taken and not yet been told to other hosts; what they say moves the bucket (limit_table_settle).
 * - A count of connections is kept by each worker in a block of its own; a key's count is the sum. So the
 *   supervisor takes back all that a dead worker held by zeroing its block. Entering adds first and sums then:
 *   never more than allowed are let in. When two workers reach for the last place in the same few nanoseconds,
 *   both may be refused.
 *
 * An entry is idle when nobody counts in it and its bucket is full; the next newcomer of its sets takes it over.
 * (A count or a token that somebody takes in the instant between the look and the take-over goes to the wrong
 * key; it is given back like any other. Whoever is killed in the midst of it leaves an entry without a key.) Sets without
 * an idle entry refuse nobody: index 0. */
#ifndef MOONX_SHM_LIMIT_TABLE_H
#define MOONX_SHM_LIMIT_TABLE_H

#include "shm/order.h"

#define LIMIT_TABLE_MAGIC   0x6d6f6f6e6c696d69ull
#define LIMIT_TABLE_VERSION 4u
#define LIMIT_TABLE_WAYS    16u

/* A count on other hosts is at most so wide. */
#define LIMIT_TABLE_ELSEWHERE_BITS 24

/* Padded on purpose: every handshake writes the last word. */
struct limit_header { // NOLINT(clang-analyzer-optin.performance.Padding)
    uint64_t magic;
    uint32_t version;
    uint32_t workers;
    uint64_t slots; /* a power of two */
    uint64_t size;  /* of the region */
    _Alignas(CACHE_LINE) shm_u64 host_full_ns;
    _Alignas(CACHE_LINE) shm_u32 levels; /* in use, beside the first; only grows */
};

struct limit_entry {
    shm_u64 key;     /* 0: never used */
    shm_u64 full_ns; /* monotonic time at which its bucket is full; past: it is */
    shm_u64 owed_ns; /* taken since limit_table_take_owed(), where somebody counts it */
    shm_u64
        elsewhere; /* connections on other hosts in the low bits, above them until when (ms) that holds */
};

/* A process's own view. */
struct limit_table {
    struct limit_header *header;
    struct limit_entry *entries;
    uint64_t slots, size;
    uint32_t workers;
};

/* So many at once, then one each interval_ns. */
struct limit_rate {
    uint64_t burst;
    uint64_t interval_ns;
};

/* Room for `keys` busy keys, with as much again to spare, within 4096 and 2^21. Pages cost memory once they are
 * touched: 32 bytes a slot, 4 more for each worker that counts there. */
int limit_table_create(uint64_t keys, uint32_t workers, int *fd) MUST_CHECK;
/* -EPROTO when it is not ours, of another version or of other sizes than it says. */
int limit_table_map(int fd, struct limit_table *out) MUST_CHECK;
void limit_table_unmap(struct limit_table *table);

/* The key's entry, made if new; 0 when its set is full of busy ones. Good at once; for longer only while the
 * caller counts in it. */
uint32_t limit_table_find(const struct limit_table *table, uint64_t key, uint64_t now_ns);

/* The key's entry if it has one; else 0. Nothing is made. */
uint32_t limit_table_look(const struct limit_table *table, uint64_t key);

/* One more for this worker, if with it there are at most `most`. True: *index is what to leave, 0 when there was
 * no entry to be had. */
bool limit_table_enter(const struct limit_table *table, uint32_t worker, uint64_t key,
                       uint64_t most, uint64_t now_ns, uint32_t *index) MUST_CHECK;
/* Index 0: nothing. */
void limit_table_leave(const struct limit_table *table, uint32_t worker, uint32_t index);
/* Over all workers. */
uint64_t limit_table_count(const struct limit_table *table, uint32_t index);
/* Of that worker alone. */
uint64_t limit_table_count_of(const struct limit_table *table, uint32_t worker, uint32_t index);

/* Takes `count` tokens, or a whole bucket where that is less; all or nothing. 0: taken (also with index 0); else
 * nothing is taken, and they are there in so many ns. */
uint64_t limit_table_take(const struct limit_table *table, uint32_t index,
                          const struct limit_rate *rate, uint64_t count,
                          uint64_t now_ns) MUST_CHECK;

/* For who shares a bucket with other hosts (index not 0). Who has the entry: */
uint64_t limit_table_key(const struct limit_table *table, uint32_t index);
/* So much has been taken from it that the others don't know of. */
void limit_table_owe(const struct limit_table *table, uint32_t index, uint64_t cost_ns);
/* What they don't know of, which is the caller's to tell them now: never more than the bucket still lacks, since the rest
 * has been refilled meanwhile. 0 when the entry is another's by now. */
uint64_t limit_table_take_owed(const struct limit_table *table, uint32_t index, uint64_t key,
                               uint64_t now_ns) MUST_CHECK;
/* The bucket lacks lack_ns on all hosts together, and what has been taken here since. Nothing when the entry is another's. */
void limit_table_settle(const struct limit_table *table, uint32_t index, uint64_t key,
                        uint64_t lack_ns, uint64_t now_ns);

/* For who counts connections over hosts (index not 0): so many are on other hosts, as far as is known until until_ms of
 * the monotonic clock. Nothing when the entry is another's. */
void limit_table_set_elsewhere(const struct limit_table *table, uint32_t index, uint64_t key,
                               uint64_t count, uint64_t until_ms);
uint64_t limit_table_elsewhere(const struct limit_table *table, uint32_t index, uint64_t now_ms);

/* A mark on an entry whose bucket nobody uses (index not 0); whether it was there before. It goes when the entry is
 * another's. */
bool limit_table_mark(const struct limit_table *table, uint32_t index, bool marked);

/* One token, as limit_table_take(), from the one bucket of the whole host. */
uint64_t limit_table_take_host(const struct limit_table *table, const struct limit_rate *rate,
                               uint64_t now_ns) MUST_CHECK;

/* A worker is dead: it holds nothing any more. */
void limit_table_clear_worker(const struct limit_table *table, uint32_t worker);

#endif
