/* Subject of torture_step.c: what counts once, with a window that is new and with one that is full. A successor takes the
 * messages again from any place on, and must come to the same decision about each, whatever its predecessor had noted. */
#ifndef MOONX_TESTS_STEP_ONCE_H
#define MOONX_TESTS_STEP_ONCE_H

#include "shm/once.h"
#include "tests/torture/step.h"

#define STEP_ONCE_BEFORE (ONCE_ENTRIES + 7) /* marks that are there, where it is full */
#define STEP_ONCE_AT     (1u << 20)         /* offset of the first message */
#define STEP_ONCE_TIME   1000

static struct {
    struct once live;
    struct once_block *copy;
    unsigned before;
} step_once;

/* Marks below 100 are new; from there on they count back from the newest of those that were there before. */
static const struct step_once_message {
    uint64_t mark;
    int64_t later_ms;
    int counts; /* as they come; in a new window nothing was there before */
} step_once_messages[] = {
    {1, 0, 1},
    {100 + ONCE_KEPT - 2, 0,
     0}, /* the oldest that is known: behind this one there is one more now */
    {1, 5, 0},
    {2, 0, 1},
    {2, ONCE_WINDOW_MS, 0},     /* of the first of its kind */
    {2, ONCE_WINDOW_MS + 1, 1}, /* of none */
    {2, ONCE_WINDOW_MS + 2, 0},
    {100 + ONCE_KEPT - 4, 0, 0}, /* the oldest again */
    {100 + ONCE_KEPT - 3, 0, 1}, /* the one before it has been forgotten */
    {3, 0, 1},
};

static struct uplink_once step_once_mark(uint64_t number) {
    uint64_t random = number, words[2] = {fixture_random(&random), number};
    struct uplink_once mark;
    memcpy(mark.bytes, words, sizeof(words));
    return mark;
}

static int step_once_count(struct once *once, unsigned number) {
    const struct step_once_message *message = &step_once_messages[number];
    uint64_t back = message->mark < 100 ? message->mark : message->mark - 100;
    struct uplink_once mark =
        step_once_mark(message->mark < 100 ? back : 1000 + step_once.before - 1 - back);
    return once_count(once, 3, &mark, STEP_ONCE_AT + (int64_t)number,
                      STEP_ONCE_TIME + message->later_ms);
}

static bool step_once_as_expected(struct once *once, unsigned number) {
    const struct step_once_message *message = &step_once_messages[number];
    bool unknown = message->mark >= 100 && step_once.before < ONCE_KEPT;
    return step_once_count(once, number) == (unknown ? 1 : message->counts);
}

static void step_once_make(unsigned before) {
    void *copy;
    step_once.before = before;
    int fd = -1;
    fixture_need(once_create(&fd), "once_create");
    fixture_need(once_open(fd, &step_once.live), "once_open");
    fixture_need(block_map(fd, true, &step_once.live.block->head, &copy), "block_map");
    step_copy(copy, sizeof(struct once_block), fd);
    step_once.copy = copy;
    for (unsigned i = 0; i < step_once.before; i++) {
        struct uplink_once mark = step_once_mark(1000 + i);
        step_need(once_count(&step_once.live, 3, &mark, i, STEP_ONCE_TIME) == 1);
    }
    struct once_window *live = &step_once.live.block->windows[0],
                       *seen = &step_once.copy->windows[0];
    unsigned next = step_once.before % ONCE_ENTRIES;
    step_watch(&step_once.live.block->partitions, &step_once.copy->partitions, 64);
    step_watch(&live->count, &seen->count, sizeof(live->count));
    step_watch(&live->entries[next], &seen->entries[next],
               ARRAY_LENGTH(step_once_messages) * sizeof(live->entries[0]));
}

static void step_once_prepare(void) {
    step_once_make(1);
}

static void step_once_prepare_full(void) {
    step_once_make(STEP_ONCE_BEFORE);
}

static void step_once_operate(void) {
    for (unsigned i = 0; i < ARRAY_LENGTH(step_once_messages); i++) {
        step_need(step_once_as_expected(&step_once.live, i));
        step_done();
    }
}

/* First as if all that is complete had been published, then as if nothing had. */
static void step_once_succeed(uint64_t done) {
    const uint64_t from[] = {done, 0};
    struct once successor = {.block = step_once.copy};

    for (unsigned life = 0; life < ARRAY_LENGTH(from); life++) {
        for (uint64_t i = from[life]; i < ARRAY_LENGTH(step_once_messages); i++)
            step_expect(step_once_as_expected(&successor, (unsigned)i),
                        "from message %llu on, message %llu was judged wrongly",
                        (unsigned long long)from[life], (unsigned long long)i);
        for (unsigned i = 0; i < ONCE_WINDOWS; i++) {
            free(successor.indexes[i]);
            successor.indexes[i] = NULL;
        }
    }
}

#endif
