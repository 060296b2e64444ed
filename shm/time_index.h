/* The time index: from an offset of a topic-partition to a place in the ring. The ring is cut in stretches of
 * equal length, 1024 of them (fewer in a small ring); for each stands here the position of the first record
 * that begins in it, and for every topic-partition where its offsets stood at that point.
 *
 *     first[1024]              position + 1 of the stretch's first record; 0: being written, or none yet
 *     next[4096][1024]         struct position's `next` then, + 1; 0: not known then
 *
 * Stretch n (position / length) has the place n % count, until stretch n + count writes over it. Rows by
 * partition: only those of partitions that exist are ever touched. Part of the segment; writer ingest (a
 * stretch is begun before its first record is accounted for in positions, so a successor that redoes it finds
 * the same values), readers workers: `first` before and after is the same, or the entry counts as none. */
#ifndef MOONX_SHM_TIME_INDEX_H
#define MOONX_SHM_TIME_INDEX_H

#include "shm/positions.h"
#include "shm/segment.h"

#define TIME_INDEX_STRETCHES 1024u

struct time_index {
    shm_u64 first[TIME_INDEX_STRETCHES];
    shm_u64 next[POSITIONS_MAX_PARTITIONS][TIME_INDEX_STRETCHES];
};

/* The record at `position` is the next to be accounted for: begins a stretch, if it is the first in it.
 * Writer only. */
void time_index_pass(struct segment *segment, uint64_t position);

/* The newest place that all of the partition's records with offset >= want lie at or behind; `start` is the
 * offset at which its records began. False: some of them are no longer in the ring, or never were. */
bool time_index_find(const struct segment *segment, uint32_t partition, uint64_t start,
                     uint64_t want, uint64_t *position) MUST_CHECK;

#endif
