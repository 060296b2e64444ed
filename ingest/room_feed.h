/* What workers need to know of the routes, told in shared memory: which rooms each topic feeds (for positions), and
 * which rooms have no placeholder and so get a slot of their own in the room index, which event types are not for
 * clients, how values are kept for those who join. Ingest's main thread. */
#ifndef MOONX_INGEST_ROOM_FEED_H
#define MOONX_INGEST_ROOM_FEED_H

#include "ingest/route_table.h"
#include "shm/snapshot_put.h"

/* At the start, before anything is appended: the rooms with slots of their own. More than there are slots: the rest
 * share buckets, which costs time and nothing else. */
void room_feed_slots(struct segment *segment, const struct route_table *routes);
/* At the start: the routes' event types (shm/type_table.h). */
void room_feed_types(struct segment *segment, const struct route_table *routes);
/* At the start: values that were kept for routes as they no longer are go (shm/snapshot_put.h). */
void room_feed_values(struct snapshot_put *values, const struct route_table *routes);
/* A topic of shm/positions.h is consumed by this route from now on. */
void room_feed_topic(struct segment *segment, uint32_t topic, const struct route *route);

#endif
