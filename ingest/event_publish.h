/* From a Kafka value to a record in the ring: check, rooms, envelope, append. Records are gathered and become
 * visible together (event_publish_flush), with one look at who sleeps. Ingest owns one, for its whole life. */
#ifndef MOONX_INGEST_EVENT_PUBLISH_H
#define MOONX_INGEST_EVENT_PUBLISH_H

#include "ingest/event_rooms.h"
#include "ingest/event_wrap.h"
#include "shm/ring_append.h"
#include "shm/snapshot_put.h"
#include "shm/wake.h"

struct event_publish {
    struct ring_append *writer;
    struct stats *stats;
    struct worker_block *const *workers; /* worker_count of each; entries may be absent */
    const int *wake_fd;
    unsigned worker_count;
    uint64_t flushed;          /* ring position up to which workers have been told */
    uint64_t flushed_sequence; /* of the last record before it */
    struct wake_set wake;
    struct snapshot_put *snapshots; /* the last value of each key is kept there; NULL: nowhere */
    struct event_rooms rooms;       /* of the event in hand */
    size_t key_length;              /* of its key on a conflated route; 0: none */
    char key[SNAPSHOT_KEY_MAX_BYTES + 1];
};

void event_publish_init(struct event_publish *publish, struct ring_append *writer,
                        struct worker_block *const *workers, const int *wake_fd,
                        unsigned worker_count);

/* Appends one record, not yet visible; counts what it does. Anything but EVENT_OK left no trace but a
 * counter. */
enum event_fault event_publish_add(struct event_publish *publish, const struct route *route,
                                   const struct event_source *source, struct span value) MUST_CHECK;

/* Makes what was added visible and wakes whom it concerns. */
void event_publish_flush(struct event_publish *publish);

#endif
