/* One timing wheel for every deadline of every connection (token expiry is not first-in-first-out, so a
 * list is not enough, and a libevent timer a connection costs 128 bytes).
 *
 * Hashed wheel (Varghese and Lauck 1987, scheme 6): WHEEL_SLOTS slots of one tick; an entry further away
 * than one turn stays in its slot and is looked at again when the slot comes by. Entries are 32-bit
 * indices into the owner's slab; the owner embeds a `struct wheel_link` and says how to reach it.
 * One worker owns one wheel; single-threaded. */
#ifndef MOONX_COMMON_WHEEL_H
#define MOONX_COMMON_WHEEL_H

#include "common/base.h"

#define WHEEL_SLOTS   4096
#define WHEEL_TICK_MS 50
#define WHEEL_NONE    0u /* index 0 is never a valid entry */

struct wheel_link {
    uint32_t next, previous; /* indices; both WHEEL_NONE when alone in its slot */
    uint32_t due_tick;       /* 0: not on the wheel */
};

struct wheel {
    uint32_t slots[WHEEL_SLOTS]; /* first entry of each slot */
    uint32_t now_tick;           /* last tick processed; ticks count from 1 */
    uint32_t floor_tick; /* earliest tick for a new entry: now_tick, while firing the one after */
    uint32_t firing;     /* first of the entries that are due and still to be fired */
    uint64_t start_ms;
    struct wheel_link *(*link_of)(void *owner, uint32_t index);
    void *owner;
};

void wheel_init(struct wheel *wheel, uint64_t now_mono_ms,
                struct wheel_link *(*link_of)(void *owner, uint32_t index), void *owner);
/* (Re)schedules the entry; rounds up to a tick (never early, at most one tick late). A due time that the
 * last advance had already reached fires at the next advance; given from within fire(), at the next tick,
 * so that an entry that is always late can't hold the loop. Ticks end after 6.8 years: what is due later
 * never fires. */
void wheel_schedule(struct wheel *wheel, uint32_t index, uint64_t due_mono_ms);
void wheel_cancel(struct wheel *wheel, uint32_t index);
/* Fires every entry due by now, each taken off the wheel first. fire() may schedule or cancel any
 * entry, itself too, but not advance. Entries of one tick fire in no particular order. After a
 * pause of more than one turn every slot is looked at once, not once a tick. */
typedef void wheel_fire(void *context, uint32_t index);
void wheel_advance(struct wheel *wheel, uint64_t now_mono_ms, wheel_fire *fire, void *context);

#endif
