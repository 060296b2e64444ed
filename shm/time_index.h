/* The time index: from an offset of a topic-partition to a place in the ring. The ring is cut in stretches of
 * equal length, 1024 of them (fewer in a small ring); for each stands here the position of the first record
 * that begins in it, and for every topic-partition where its offsets stood at that point.
 *
 *     first[1024]              position + 1 of the stretch's first record; 0: being written, or none yet
 *     marks[4096][1024]        {next, history}: offset + 1 wanted next then; 0: not known then
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

struct time_mark {
    shm_u64 next;    /* struct position's of the same name, + 1 */
    shm_u64 history; /* its history_next, + 1 */
};

struct time_index {
    shm_u64 first[TIME_INDEX_STRETCHES];
    struct time_mark marks[POSITIONS_MAX_PARTITIONS][TIME_INDEX_STRETCHES];
};

enum time_index_line { TIME_INDEX_LIVE, TIME_INDEX_HISTORY };

/* The record at `position` is the next to be accounted for: begins a stretch, if it is the first in it.
 * Writer only. */
void time_index_pass(struct segment *segment, uint64_t position);

/* The newest place that all of the partition's records with offset >= want lie at or behind; `start` is the
 * offset at which its records began (live_from, history_from). False: some of them are no longer in the ring,
 * or never were. */
bool time_index_find(const struct segment *segment, uint32_t partition, enum time_index_line line,
                     uint64_t start, uint64_t want, uint64_t *position) MUST_CHECK;

#endif
