#include "common/wheel.h"

#define LAST_TICK (UINT32_MAX - 1) /* one less, so that floor_tick does not wrap */

static uint32_t tick_reached(const struct wheel *wheel, uint64_t now_mono_ms);
static uint32_t tick_due(const struct wheel *wheel, uint64_t due_mono_ms);
static void link_first(struct wheel *wheel, uint32_t *head, uint32_t index);
static void unlink_from(struct wheel *wheel, uint32_t *head, uint32_t index);
static void collect_due(struct wheel *wheel, uint32_t *slot);
static void fire_collected(struct wheel *wheel, wheel_fire *fire, void *context);

static inline struct wheel_link *link_of(struct wheel *wheel, uint32_t index) {
    return wheel->link_of(wheel->owner, index);
}

static inline uint32_t *slot_of(struct wheel *wheel, uint32_t tick) {
    return &wheel->slots[tick % WHEEL_SLOTS];
}

void wheel_init(struct wheel *wheel, uint64_t now_mono_ms,
                struct wheel_link *(*owner_link_of)(void *owner, uint32_t index), void *owner) {
    memset(wheel, 0, sizeof(*wheel));
    wheel->now_tick = 1;
    wheel->floor_tick = 1;
    wheel->start_ms = now_mono_ms;
    wheel->link_of = owner_link_of;
    wheel->owner = owner;
}

void wheel_schedule(struct wheel *wheel, uint32_t index, uint64_t due_mono_ms) {
    uint32_t due = tick_due(wheel, due_mono_ms);

    assert(index != WHEEL_NONE);
    wheel_cancel(wheel, index);
    link_of(wheel, index)->due_tick = due > wheel->floor_tick ? due : wheel->floor_tick;
    link_first(wheel, slot_of(wheel, link_of(wheel, index)->due_tick), index);
}

void wheel_cancel(struct wheel *wheel, uint32_t index) {
    struct wheel_link *link = link_of(wheel, index);

    if (link->due_tick == 0) {
        return;
    }
    unlink_from(wheel, wheel->firing == index ? &wheel->firing : slot_of(wheel, link->due_tick),
                index);
    link->due_tick = 0;
}

void wheel_advance(struct wheel *wheel, uint64_t now_mono_ms, wheel_fire *fire, void *context) {
    uint32_t from = wheel->now_tick;
    uint32_t target = tick_reached(wheel, now_mono_ms);
    uint32_t slots;

    if (target < from) {
        return; /* the caller's clock went back */
    }
    slots = target - from < WHEEL_SLOTS ? target - from + 1 : WHEEL_SLOTS;
    wheel->now_tick = target;
    wheel->floor_tick = target + 1;
    for (uint32_t i = 0; i < slots; i++) {
        collect_due(wheel, slot_of(wheel, from + i));
        fire_collected(wheel, fire, context);
    }
    wheel->floor_tick = target;
}

static uint64_t elapsed_ms(const struct wheel *wheel, uint64_t mono_ms) {
    return mono_ms > wheel->start_ms ? mono_ms - wheel->start_ms : 0;
}

static uint32_t tick_reached(const struct wheel *wheel, uint64_t now_mono_ms) {
    uint64_t tick = elapsed_ms(wheel, now_mono_ms) / WHEEL_TICK_MS + 1;

    return tick < LAST_TICK ? (uint32_t)tick : LAST_TICK;
}

static uint32_t tick_due(const struct wheel *wheel, uint64_t due_mono_ms) {
    uint64_t elapsed = elapsed_ms(wheel, due_mono_ms);
    uint64_t tick = elapsed / WHEEL_TICK_MS + (elapsed % WHEEL_TICK_MS != 0) + 1;

    return tick <= LAST_TICK ? (uint32_t)tick : UINT32_MAX;
}

static void link_first(struct wheel *wheel, uint32_t *head, uint32_t index) {
    struct wheel_link *link = link_of(wheel, index);

    link->previous = WHEEL_NONE;
    link->next = *head;
    if (*head != WHEEL_NONE) {
        link_of(wheel, *head)->previous = index;
    }
    *head = index;
}

/* `head` counts only when the entry is the first of its list. */
static void unlink_from(struct wheel *wheel, uint32_t *head, uint32_t index) {
    struct wheel_link *link = link_of(wheel, index);

    if (link->previous != WHEEL_NONE) {
        link_of(wheel, link->previous)->next = link->next;
    } else {
        *head = link->next;
    }
    if (link->next != WHEEL_NONE) {
        link_of(wheel, link->next)->previous = link->previous;
    }
    link->next = WHEEL_NONE;
    link->previous = WHEEL_NONE;
}

/* Moves the due entries of one slot to the firing list. They stay scheduled until each one's turn, so
 * that fire() of one may cancel or move another. */
static void collect_due(struct wheel *wheel, uint32_t *slot) {
    uint32_t index = *slot;

    while (index != WHEEL_NONE) {
        uint32_t next = link_of(wheel, index)->next;
        if (link_of(wheel, index)->due_tick <= wheel->now_tick) {
            unlink_from(wheel, slot, index);
            link_first(wheel, &wheel->firing, index);
        }
        index = next;
    }
}

static void fire_collected(struct wheel *wheel, wheel_fire *fire, void *context) {
    while (wheel->firing != WHEEL_NONE) {
        uint32_t index = wheel->firing;
        wheel_cancel(wheel, index);
        fire(context, index);
    }
}
