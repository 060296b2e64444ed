/* Subject of torture_step.c: the counters behind the limits, with a worker killed as it counts, takes tokens, takes over
 * another key's entry and marks it. Others find their own counts untouched; when the supervisor has cleared the dead
 * worker's share nothing of it is left; whoever comes next finds each key as if it had just been made, or as the dead one
 * had completed it. */
#ifndef MOONX_TESTS_STEP_LIMITS_H
#define MOONX_TESTS_STEP_LIMITS_H

#include "shm/limit_table.h"
#include "tests/torture/step.h"

#define STEP_LIMITS_NOW   1000000000000ull
#define STEP_LIMITS_BURST 10u

/* The upper half chooses the set. In the full set worker 0 counts in all but the idle one's entry. */
#define STEP_LIMITS_SHARED ((1ull << 32) | 1)
#define STEP_LIMITS_TOKENS ((1ull << 32) | 2)
#define STEP_LIMITS_BUSY   ((2ull << 32) | 100)
#define STEP_LIMITS_IDLE   ((2ull << 32) | 3)
#define STEP_LIMITS_NEW    ((2ull << 32) | 4)

static const struct limit_rate step_limits_rate = {STEP_LIMITS_BURST, 1000000000ull};

/* How far the dead worker had come for sure. */
enum step_limits_done {
    STEP_LIMITS_ENTERED = 1,
    STEP_LIMITS_TOOK,
    STEP_LIMITS_ENTERED_NEW,
    STEP_LIMITS_MARKED,
    STEP_LIMITS_LEFT,
    STEP_LIMITS_REFUSED,
    STEP_LIMITS_UNMARKED,
};

static struct { struct limit_table live, copy; } step_limits;

static bool step_limits_enter(const struct limit_table *table, uint32_t worker, uint64_t key,
                              uint64_t most, uint32_t *index) {
    return limit_table_enter(table, worker, key, most, STEP_LIMITS_NOW, index);
}

static void step_limits_prepare(void) {
    const struct limit_table *live = &step_limits.live, *copy = &step_limits.copy;
    uint32_t index;
    int fd = -1;
    fixture_need(limit_table_create(1, 2, &fd), "limit_table_create");
    fixture_need(limit_table_map(fd, &step_limits.live), "limit_table_map");
    fixture_need(limit_table_map(fd, &step_limits.copy), "limit_table_map");
    step_copy(copy->header, copy->size, fd);
    step_need(step_limits_enter(live, 0, STEP_LIMITS_SHARED, 9, &index) && index != 0);
    for (unsigned i = 1; i < LIMIT_TABLE_WAYS; i++)
        step_need(step_limits_enter(live, 0, STEP_LIMITS_BUSY + i, 9, &index) && index != 0);
    /* of a user who was on a worker that is dead */
    index = limit_table_find(live, STEP_LIMITS_IDLE, STEP_LIMITS_NOW);
    limit_table_set_elsewhere(live, index, STEP_LIMITS_IDLE, 7, 5000);
    step_need(index != 0 && !limit_table_mark(live, index, true));

    step_watch(live->header, copy->header, sizeof(*live->header));
    step_watch(live->entries, copy->entries, 4096 * sizeof(live->entries[0]));
    char *counts = (char *)(live->entries + live->slots);
    step_watch(counts + live->slots * sizeof(shm_u32),
               (char *)(copy->entries + copy->slots) + copy->slots * sizeof(shm_u32),
               live->slots * sizeof(shm_u32));
}

static void step_limits_operate(void) {
    const struct limit_table *live = &step_limits.live;
    uint32_t shared, tokens, new, none;
    step_need(step_limits_enter(live, 1, STEP_LIMITS_SHARED, 2, &shared));
    step_done();
    tokens = limit_table_find(live, STEP_LIMITS_TOKENS, STEP_LIMITS_NOW);
    step_need(limit_table_take(live, tokens, &step_limits_rate, 3, STEP_LIMITS_NOW) == 0);
    step_done();
    step_need(step_limits_enter(live, 1, STEP_LIMITS_NEW, 9, &new) && new != 0);
    step_done();
    step_need(!limit_table_mark(live, new, true));
    step_done();
    limit_table_leave(live, 1, shared);
    step_done();
    step_need(!step_limits_enter(live, 1, STEP_LIMITS_SHARED, 1, &none));
    step_done();
    limit_table_leave(live, 1, new);
    step_need(limit_table_mark(live, new, false));
    step_done();
}

static uint64_t step_limits_sum(const struct limit_table *table) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < table->slots; i++)
        sum += limit_table_count(table, i);
    return sum;
}

static void step_limits_check_new(uint64_t done) {
    const struct limit_table *copy = &step_limits.copy;
    uint32_t index;
    step_expect(step_limits_enter(copy, 1, STEP_LIMITS_NEW, 1, &index) && index != 0,
                "the new key has no place");
    step_expect(limit_table_count(copy, index) == 1, "the new key counts %llu",
                (unsigned long long)limit_table_count(copy, index));
    step_expect(limit_table_elsewhere(copy, index, 4999) == 0, "it is said to be elsewhere");
    bool marked = limit_table_mark(copy, index, true);
    bool may_be = done + 1 >= STEP_LIMITS_MARKED;
    bool must_be = done >= STEP_LIMITS_MARKED && done + 1 < STEP_LIMITS_UNMARKED;
    step_expect(marked ? may_be && done < STEP_LIMITS_UNMARKED : !must_be,
                "after %llu the new key is %smarked", (unsigned long long)done,
                marked ? "" : "not ");
    limit_table_leave(copy, 1, index);
}

static void step_limits_check_tokens(uint64_t done) {
    const struct limit_table *copy = &step_limits.copy;
    uint32_t index = limit_table_find(copy, STEP_LIMITS_TOKENS, STEP_LIMITS_NOW);
    unsigned left = 0;
    while (left <= STEP_LIMITS_BURST &&
           limit_table_take(copy, index, &step_limits_rate, 1, STEP_LIMITS_NOW) == 0)
        left++;
    step_expect(index != 0 && (left == STEP_LIMITS_BURST - 3 ||
                               (left == STEP_LIMITS_BURST && done < STEP_LIMITS_TOOK)),
                "after %llu there are %u tokens", (unsigned long long)done, left);
}

static void step_limits_succeed(uint64_t done) {
    const struct limit_table *copy = &step_limits.copy;
    uint32_t index = limit_table_look(copy, STEP_LIMITS_SHARED);
    uint64_t both = limit_table_count(copy, index);

    step_expect(index != 0 && both >= 1 && both <= 2, "two count %llu", (unsigned long long)both);
    limit_table_clear_worker(copy, 1);
    step_expect(limit_table_count(copy, index) == 1 && step_limits_sum(copy) == LIMIT_TABLE_WAYS,
                "the dead one counts on");
    for (unsigned i = 1; i < LIMIT_TABLE_WAYS; i++) {
        uint32_t busy = limit_table_look(copy, STEP_LIMITS_BUSY + i);
        step_expect(busy != 0 && limit_table_count(copy, busy) == 1, "key %u has lost its place",
                    i);
    }
    step_limits_check_new(done);
    step_limits_check_tokens(done);
    step_expect(step_limits_sum(copy) == LIMIT_TABLE_WAYS, "something counts on");
}

#endif
