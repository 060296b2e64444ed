/* Which rooms each topic feeds: by it a worker tells a client only the positions that concern it. For each
 * topic of shm/positions.h the beginnings of its room templates, up to the first placeholder. It may say too
 * much, never too little: what is not known, or does not fit, feeds every room.
 *
 * Part of the segment; writer ingest (at its start, from the routes), readers workers. `version` is odd while
 * it is written; a writer killed then leaves it odd, and its successor forgets all before it writes the first topic. */
#ifndef MOONX_SHM_FEED_TABLE_H
#define MOONX_SHM_FEED_TABLE_H

#include "shm/positions.h"
#include "shm/segment.h"

#define FEED_MAX          16u
#define FEED_PREFIX_BYTES 61u

struct feed {
    uint8_t whole; /* the room's whole name, else its beginning */
    uint8_t length;
    char prefix[FEED_PREFIX_BYTES + 1];
};
static_assert(sizeof(struct feed) == 64, "whole words");

struct feed_topic {
    uint64_t known; /* 0: feeds every room */
    uint64_t count; /* 0, known: none (control messages) */
    struct feed feeds[FEED_MAX];
};

struct feed_table {
    shm_u64 version;
    struct feed_topic topics[POSITIONS_MAX_TOPICS];
};

/* Sets one topic's feeds; more than FEED_MAX, or NULL, means every room. Writer only. */
void feed_table_set(struct segment *segment, uint32_t topic, const struct feed *feeds,
                    unsigned count);
/* A template's literal beginning as a feed; one that is too long is cut, and so says more. */
struct feed feed_of(struct span prefix, bool whole);

/* A worker's copy; refresh copies again only when something has changed since. */
struct feed_view {
    uint64_t version;
    uint32_t count;
    struct feed_topic topics[POSITIONS_MAX_TOPICS];
};
void feed_view_refresh(struct feed_view *view, const struct segment *segment);
bool feed_view_feeds(const struct feed_view *view, uint32_t topic, struct span room);

#endif
