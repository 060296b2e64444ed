#include "ingest/kafka_start.h"

#include "shm/positions.h"

struct kafka_start kafka_start_choose(uint64_t next, uint64_t low, uint64_t high) {
    if (next == POSITION_UNKNOWN) {
        return (struct kafka_start){KAFKA_START_END, high, 0};
    }
    if (next > high) {
        return (struct kafka_start){KAFKA_START_AGAIN, low, 0};
    }
    if (next < low) {
        return (struct kafka_start){KAFKA_START_GAP, low, low - next};
    }
    return (struct kafka_start){KAFKA_START_CONTINUE, next, 0};
}

struct kafka_start kafka_start_choose_control(uint64_t next, uint64_t low, uint64_t high) {
    return next == POSITION_UNKNOWN ? (struct kafka_start){KAFKA_START_FIRST, low, 0}
                                    : kafka_start_choose(next, low, high);
}
