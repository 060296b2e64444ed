/* What counts once: a message with a mark (struct uplink_once) counts unless one of the last ONCE_KEPT before it in its
 * topic-partition that bore a mark and counted bore the same, not more than ONCE_WINDOW_MS of message time before. So the
 * decision follows from the partition's log alone and every host makes the same one; marks that are older than both
 * bounds are forgotten everywhere alike.
 *
 *      0  head, then `partition` of each window (index into positions + 1; 0: free)
 *      …  windows   count u64, entries: 32 bytes each; number n lies at n % ONCE_ENTRIES
 *
 * ONCE_ENTRIES are there, and a message sees fewer. The place of the next entry is no part of the window, though an old
 * one lies there: whoever is killed in the midst of filling it leaves nothing that counts. And of what he noted ahead of
 * what is published his successor, which takes those messages again, sees at each only what lies before it.
 *
 * A memfd of its own, made by the supervisor, written by ingest alone. It outlives ingest: an entry is filled in before
 * `count` is stored, and before its message's record is published, so that a successor which takes the message again
 * finds it under its own offset, and counts it. The way from mark to entry lies in ingest's own memory and is made anew.
 * A host that starts empty fills its windows from the history that it reads again: for that it goes back by the window
 * further than HISTORY_SECONDS, where there is a history at all. What the ring can't hold is not read (history_refill.h):
 * then the windows begin there. */
#ifndef MOONX_SHM_ONCE_H
#define MOONX_SHM_ONCE_H

#include "shm/uplink.h"

#define ONCE_MAGIC     0x6d6f6f6e6f6e6365ull
#define ONCE_VERSION   1u
#define ONCE_ENTRIES   32768u
#define ONCE_AHEAD     512u /* so many marks may be noted before one of their records is published */
#define ONCE_KEPT      (ONCE_ENTRIES - 1 - ONCE_AHEAD)
#define ONCE_WINDOWS   256u
#define ONCE_WINDOW_MS 300000

struct once_entry {
    struct uplink_once mark;
    int64_t offset;
    int64_t time_ms;
};
static_assert(sizeof(struct once_entry) == 32, "entry layout");

struct once_window {
    _Alignas(CACHE_LINE) shm_u64 count;
    _Alignas(CACHE_LINE) struct once_entry entries[ONCE_ENTRIES];
};

struct once_block {
    struct block_head head;
    shm_u32 partitions[ONCE_WINDOWS];
    struct once_window windows[ONCE_WINDOWS];
};

struct once_index;

struct once {
    struct once_block *block;
    struct once_index *indexes[ONCE_WINDOWS]; /* made when a window is first used */
};

/* The supervisor's, once: *fd is its region. Ingest opens it, with no index yet; -EPROTO when it is none of this version. */
int once_create(int *fd) MUST_CHECK;
int once_open(int fd, struct once *out) MUST_CHECK;
void once_close(struct once *once);

/* 1: it counts (and is kept); 0: it came before; -ENOSPC, -ENOMEM: nobody can tell, the caller lets it count. */
int once_count(struct once *once, uint32_t partition, const struct uplink_once *mark,
               int64_t offset, int64_t time_ms) MUST_CHECK;
/* The offset of the message that counted instead of the one with this mark at `offset`; -1: none is known. Changes
 * nothing. */
int64_t once_first(const struct once *once, uint32_t partition, const struct uplink_once *mark,
                   int64_t offset, int64_t time_ms);

#endif
