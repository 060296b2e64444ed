/* Which connections are to be written next. Two lists: the first for those that hold a reply or an event with
 * few listeners, the second for the rest of a large fan-out. A slice takes from the first, but always leaves
 * a quarter of its places to the second, so that neither starves the other. A connection stands on one list
 * at most, and moves from the second to the first when something urgent joins its queue. */
#ifndef MOONX_GATEWAY_DELIVERY_FLUSH_SCHEDULE_H
#define MOONX_GATEWAY_DELIVERY_FLUSH_SCHEDULE_H

#include "common/base.h"
#include "gateway/delivery/slab.h"

#define FLUSH_SLICE 64u /* more sends a submit gain nothing; some 0.2 ms */

struct conn;

struct flush_list {
    uint32_t first, last; /* connections, linked by flush_next and flush_previous */
};

struct flush_schedule {
    struct flush_list lists[2]; /* 0: first, 1: second */
    const struct slab *conns;
    uint32_t count;
};

void flush_schedule_init(struct flush_schedule *schedule, const struct slab *conns);
/* At the end of its list; nothing for a blocked connection (EPOLLOUT brings it back). */
void flush_schedule_add(struct flush_schedule *schedule, struct conn *conn, bool first);
void flush_schedule_remove(struct flush_schedule *schedule, struct conn *conn);
/* Somebody stands on the first list. */
bool flush_schedule_urgent(const struct flush_schedule *schedule);
/* Takes up to FLUSH_SLICE connections off the lists. */
unsigned flush_schedule_take(struct flush_schedule *schedule, struct conn *slice[FLUSH_SLICE]);

#endif
