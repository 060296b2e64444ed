#include "ingest/kafka_start.h"

#include "shm/positions.h"

static uint64_t within(uint64_t offset, uint64_t low, uint64_t high);
static uint64_t lost_live(const struct kafka_start_facts *facts);

struct kafka_start kafka_start_choose(const struct kafka_start_facts *facts) {
    uint64_t low = facts->low, high = facts->high, next = facts->next;

    if (facts->made_anew) {
        return (struct kafka_start){KAFKA_START_AGAIN, low, low, 0};
    }
    if (next == POSITION_UNKNOWN && facts->control) {
        return (struct kafka_start){KAFKA_START_FIRST, low, low, 0};
    }
    if (next == POSITION_UNKNOWN) { /* unknown lies behind `high` */
        uint64_t live_from = within(facts->live_from, low, high);
        return (struct kafka_start){KAFKA_START_FIRST, within(facts->since, low, live_from),
                                    live_from, 0};
    }
    if (next > high) {
        return (struct kafka_start){KAFKA_START_AGAIN, low, low, 0};
    }
    if (next < low) {
        return (struct kafka_start){KAFKA_START_GAP, low, facts->live_from, lost_live(facts)};
    }
    return (struct kafka_start){KAFKA_START_CONTINUE, next, facts->live_from, 0};
}

/* The lookup by time and the watermarks are questions of their own, between which both ends may move. */
static uint64_t within(uint64_t offset, uint64_t low, uint64_t high) {
    if (offset < low) {
        return low;
    }
    return offset < high ? offset : high;
}

/* History that has expired is no loss: nobody was promised it. */
static uint64_t lost_live(const struct kafka_start_facts *facts) {
    uint64_t from = facts->next > facts->live_from ? facts->next : facts->live_from;

    return facts->low > from ? facts->low - from : 0;
}
