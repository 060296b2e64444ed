#include "gateway/delivery/flush_schedule.h"

#include "gateway/connection/conn_table.h"

#define SECOND_LIST_SHARE (FLUSH_SLICE / 4)

void flush_schedule_init(struct flush_schedule *schedule, const struct slab *conns) {
    *schedule = (struct flush_schedule){.conns = conns};
}

static struct conn *at(const struct flush_schedule *schedule, uint32_t index) {
    return slab_at(schedule->conns, index);
}

static struct flush_list *list_of(struct flush_schedule *schedule, const struct conn *conn) {
    return &schedule->lists[(conn->flags & CONN_FLUSH_FIRST) ? 0 : 1];
}

void flush_schedule_remove(struct flush_schedule *schedule, struct conn *conn) {
    if (!(conn->flags & CONN_FLUSH_LISTED)) {
        return;
    }
    struct flush_list *list = list_of(schedule, conn);
    if (conn->flush_previous != 0) {
        at(schedule, conn->flush_previous)->flush_next = conn->flush_next;
    } else {
        list->first = conn->flush_next;
    }
    if (conn->flush_next != 0) {
        at(schedule, conn->flush_next)->flush_previous = conn->flush_previous;
    } else {
        list->last = conn->flush_previous;
    }
    conn->flush_next = conn->flush_previous = 0;
    conn->flags &= (uint16_t) ~(CONN_FLUSH_LISTED | CONN_FLUSH_FIRST);
    schedule->count--;
}

void flush_schedule_add(struct flush_schedule *schedule, struct conn *conn, bool first) {
    if (conn->flags & CONN_BLOCKED) {
        return;
    }
    if (conn->flags & CONN_FLUSH_LISTED) {
        if (!first || (conn->flags & CONN_FLUSH_FIRST)) {
            return;
        }
        flush_schedule_remove(schedule, conn);
    }
    conn->flags |= (uint16_t)(CONN_FLUSH_LISTED | (first ? CONN_FLUSH_FIRST : 0u));
    struct flush_list *list = list_of(schedule, conn);
    conn->flush_previous = list->last;
    conn->flush_next = 0;
    if (list->last != 0) {
        at(schedule, list->last)->flush_next = conn->self;
    } else {
        list->first = conn->self;
    }
    list->last = conn->self;
    schedule->count++;
}

bool flush_schedule_urgent(const struct flush_schedule *schedule) {
    return schedule->lists[0].first != 0;
}

static unsigned take_from(struct flush_schedule *schedule, struct flush_list *list,
                          struct conn **slice, unsigned most) {
    unsigned taken = 0;
    while (taken < most && list->first != 0) {
        slice[taken] = at(schedule, list->first);
        flush_schedule_remove(schedule, slice[taken++]);
    }
    return taken;
}

unsigned flush_schedule_take(struct flush_schedule *schedule, struct conn *slice[FLUSH_SLICE]) {
    unsigned taken =
        take_from(schedule, &schedule->lists[0], slice, FLUSH_SLICE - SECOND_LIST_SHARE);
    taken += take_from(schedule, &schedule->lists[1], slice + taken, FLUSH_SLICE - taken);
    taken += take_from(schedule, &schedule->lists[0], slice + taken, FLUSH_SLICE - taken);
    return taken;
}
