/* Subjects of torture_step.c: the uplink's queue, with the worker killed as it hands messages in and takes answers, and
 * with ingest killed as it takes messages and answers them. What was handed in is taken whole and in order, by the ingest
 * that lives on and by a new one; who lives on hears each answer once, and true; in the end all space is free again. */
#ifndef MOONX_TESTS_STEP_UPLINK_H
#define MOONX_TESTS_STEP_UPLINK_H

#include "shm/uplink_put.h"
#include "shm/uplink_take.h"
#include "tests/torture/step.h"

#define STEP_UPLINK_FIRST_ID 1000u
#define STEP_UPLINK_BEFORE   3u /* messages that are there when the operation begins */
#define STEP_UPLINK_ADDED    3u
#define STEP_UPLINK_LATER    100u /* numbers of a successor's */
#define STEP_UPLINK_REFUSED  2u   /* message that ingest refuses */
/* So that places and bytes go round in the midst of it. */
#define STEP_UPLINK_TAIL  (3ull * UPLINK_ENTRIES - 4)
#define STEP_UPLINK_BYTES (3ull * UPLINK_DATA_BYTES - 300)

static struct {
    struct uplink_block *live, *copy;
    struct uplink_put put; /* the worker's own memory, and ingest's, when the operation begins */
    struct uplink_take take;
    struct uplink_put worker; /* in a check */
    struct uplink_take ingest;
    uint64_t heard; /* a bit for each message */
} step_uplink;

static size_t step_uplink_value(unsigned number, char *out) {
    size_t length = 40 + number % 7 * 8;
    memset(out, 'a' + (int)(number % 26), length);
    return length;
}

static struct uplink_answer step_uplink_answer(unsigned number) {
    struct uplink_answer answer = {.partition = 2, .offset = (int64_t)number + 10};
    if (number == STEP_UPLINK_REFUSED)
        answer = (struct uplink_answer){.error = -EIO};
    return answer;
}

static bool step_uplink_add(struct uplink_put *put, unsigned number) {
    char value[128];
    uint64_t entry;
    struct uplink_once once;
    struct uplink_item item = {.key = SPAN_LITERAL("chat:1"), .deadline_ns = number, .once = &once};

    memset(once.bytes, (int)number, sizeof(once.bytes));
    item.value = (struct span){value, step_uplink_value(number, value)};
    return uplink_put_add(put, &item, &entry) == 0;
}

/* The number of the next message, which must be whole; -1: there is none. */
static int step_uplink_next(struct uplink_take *take, unsigned *place) {
    struct uplink_taken taken;
    char value[128];
    enum uplink_result result = uplink_take_peek(take, &taken);

    step_expect(result != UPLINK_BAD, "an entry that no worker writes");
    if (result != UPLINK_ENTRY)
        return -1;
    unsigned number = (unsigned)taken.deadline_ns;
    size_t length = step_uplink_value(number, value);
    step_expect(span_is(taken.key, "chat:1") &&
                    span_equal(taken.value, (struct span){value, length}) &&
                    taken.once.bytes[0] == number && taken.once.bytes[15] == number,
                "message %u is torn", number);
    uplink_take_next(take);
    *place = taken.place;
    return (int)number;
}

static void step_uplink_on_answer(void *context, uint64_t entry,
                                  const struct uplink_answer *answer) {
    const unsigned *first = context; /* number of the message in the worker's first entry */
    unsigned number = *first + (unsigned)(entry - step_uplink.worker.first);
    struct uplink_answer true_one = step_uplink_answer(number);

    step_expect(number < 2 * STEP_UPLINK_LATER && answer->error == true_one.error &&
                    (answer->error != 0 || (answer->partition == true_one.partition &&
                                            answer->offset == true_one.offset)),
                "message %u is told %d, offset %lld", number, answer->error,
                (long long)answer->offset);
    step_expect((step_uplink.heard >> number % 64 & 1) == 0, "message %u is told twice", number);
    step_uplink.heard |= 1ull << number % 64;
}

static void step_uplink_make(void) {
    struct uplink_block *live;
    int fd = -1;
    fixture_need(uplink_create(&fd), "uplink_create");
    fixture_need(uplink_map(fd, &step_uplink.live), "uplink_map");
    fixture_need(uplink_map(fd, &step_uplink.copy), "uplink_map");
    step_copy(step_uplink.copy, sizeof(*step_uplink.copy), fd);
    live = step_uplink.live;
    store_relaxed(&live->tail, STEP_UPLINK_TAIL);
    store_relaxed(&live->head_at, STEP_UPLINK_TAIL);
    store_relaxed(&live->data_tail, STEP_UPLINK_BYTES);
    store_relaxed(&live->data_head, STEP_UPLINK_BYTES);
    uplink_take_init(&step_uplink.take, live);
    uplink_put_init(&step_uplink.put, live, STEP_UPLINK_FIRST_ID);
    for (unsigned i = 0; i < STEP_UPLINK_BEFORE; i++)
        step_need(step_uplink_add(&step_uplink.put, i));

    size_t last = UPLINK_ENTRIES - 4, bytes = STEP_UPLINK_BYTES % UPLINK_DATA_BYTES;
    step_watch(live, step_uplink.copy, offsetof(struct uplink_block, entries[4]));
    step_watch(&live->entries[last], &step_uplink.copy->entries[last],
               4 * sizeof(live->entries[0]));
    step_watch(live->data, step_uplink.copy->data, 512);
    step_watch(live->data + bytes, step_uplink.copy->data + bytes, UPLINK_DATA_BYTES - bytes);
}

/* ---- the worker is killed: message 0 and 1 have their answers, 2 is under way */

static void step_uplink_prepare(void) {
    unsigned place;
    step_uplink_make();
    for (unsigned i = 0; i < STEP_UPLINK_BEFORE; i++) {
        struct uplink_answer answer = step_uplink_answer(i);
        step_need(step_uplink_next(&step_uplink.take, &place) == (int)i);
        if (i != STEP_UPLINK_REFUSED)
            uplink_take_answer(&step_uplink.take, place, &answer);
    }
}

static void step_uplink_ignore(void *context, uint64_t entry, const struct uplink_answer *answer) {
    (void)context;
    (void)entry;
    (void)answer;
}

static void step_uplink_put(void) {
    for (unsigned i = 0; i < STEP_UPLINK_ADDED; i++) {
        step_need(step_uplink_add(&step_uplink.put, STEP_UPLINK_BEFORE + i));
        step_done();
        if (i == 0)
            uplink_put_answers(&step_uplink.put, step_uplink_ignore, NULL);
    }
}

/* Takes all there is and answers it: messages from `first` on, of which `least` must be there, then a successor's two. */
static void step_uplink_take_all(unsigned first, unsigned least) {
    struct uplink_take *ingest = &step_uplink.ingest;
    unsigned place, next = first, later = STEP_UPLINK_LATER;
    int number;

    while ((number = step_uplink_next(ingest, &place)) >= 0) {
        struct uplink_answer answer = step_uplink_answer((unsigned)number);
        unsigned *expected = number < (int)STEP_UPLINK_LATER ? &next : &later;
        step_expect(number == (int)*expected, "message %d comes for %u", number, *expected);
        ++*expected;
        uplink_take_answer(ingest, place, &answer);
    }
    step_expect(next >= least && later == STEP_UPLINK_LATER + 2,
                "messages up to %u and %u were taken", next, later);
}

static void step_uplink_new_worker(void) {
    struct uplink_put *worker = &step_uplink.worker;
    uplink_put_init(worker, step_uplink.copy, 1ull << 40);
    for (unsigned i = 0; i < 2; i++)
        step_expect(step_uplink_add(worker, STEP_UPLINK_LATER + i), "a successor has no space");
}

/* It hears of its own messages alone, and nothing is left behind. */
static void step_uplink_new_worker_hears(void) {
    struct uplink_put *worker = &step_uplink.worker;
    unsigned first = STEP_UPLINK_LATER;
    step_uplink.heard = 0;
    uplink_put_answers(worker, step_uplink_on_answer, &first);
    step_expect(step_uplink.heard == 3ull << STEP_UPLINK_LATER % 64, "a successor heard %#llx",
                (unsigned long long)step_uplink.heard);
    step_expect(worker->head == worker->tail && worker->data_head == worker->data_tail &&
                    load_relaxed(&step_uplink.copy->head_at) == worker->tail,
                "space is not given back");
}

static void step_uplink_take_on(uint64_t done) {
    step_uplink.ingest = step_uplink.take;
    step_uplink.ingest.block = step_uplink.copy;
    for (unsigned place = 0; place < UPLINK_ENTRIES; place++) {
        struct uplink_answer answer = step_uplink_answer(STEP_UPLINK_REFUSED);
        uplink_take_answer(&step_uplink.ingest, place, &answer); /* the one that is under way */
    }
    step_uplink_new_worker();
    step_uplink_take_all(STEP_UPLINK_BEFORE, STEP_UPLINK_BEFORE + (unsigned)done);
    step_uplink_new_worker_hears();
}

static void step_uplink_take_anew(uint64_t done) {
    uplink_take_init(&step_uplink.ingest, step_uplink.copy);
    step_uplink_new_worker();
    step_uplink_take_all(STEP_UPLINK_REFUSED, STEP_UPLINK_BEFORE + (unsigned)done);
    step_uplink_new_worker_hears();
}

/* ---- ingest is killed: nothing is taken yet */

static void step_uplink_prepare_taken(void) {
    step_uplink_make();
}

/* The answers come in another order than the messages. */
static void step_uplink_take(void) {
    static const unsigned order[STEP_UPLINK_BEFORE] = {1, 0, 2};
    unsigned places[STEP_UPLINK_BEFORE];

    for (unsigned i = 0; i < STEP_UPLINK_BEFORE; i++)
        step_need(step_uplink_next(&step_uplink.take, &places[i]) == (int)i);
    for (unsigned i = 0; i < STEP_UPLINK_BEFORE; i++) {
        struct uplink_answer answer = step_uplink_answer(order[i]);
        uplink_take_answer(&step_uplink.take, places[order[i]], &answer);
        step_done();
    }
}

static unsigned step_uplink_hear_now(void) {
    unsigned first = 0;
    if (uplink_put_answered(&step_uplink.worker))
        uplink_put_answers(&step_uplink.worker, step_uplink_on_answer, &first);
    return (unsigned)__builtin_popcountll(step_uplink.heard);
}

/* Ingest's successor does the rest; then the worker has heard of all. */
static void step_uplink_hear_all(void) {
    unsigned place;
    int number;

    uplink_take_init(&step_uplink.ingest, step_uplink.copy);
    while ((number = step_uplink_next(&step_uplink.ingest, &place)) >= 0) {
        struct uplink_answer answer = step_uplink_answer((unsigned)number);
        uplink_take_answer(&step_uplink.ingest, place, &answer);
    }
    unsigned heard = step_uplink_hear_now();
    step_expect(heard == STEP_UPLINK_BEFORE, "%u answers are told", heard);
    step_expect(step_uplink.worker.head == step_uplink.worker.tail, "space is not given back");
}

static void step_uplink_old_worker(void) {
    step_uplink.worker = step_uplink.put;
    step_uplink.worker.block = step_uplink.copy;
    step_uplink.heard = 0;
}

/* The worker looks as soon as ingest is dead. */
static void step_uplink_hear(uint64_t done) {
    step_uplink_old_worker();
    step_expect(step_uplink_hear_now() >= done, "fewer than %llu answers are told",
                (unsigned long long)done);
    step_uplink_hear_all();
}

/* It has looked just before ingest's last instruction, and sees no reason to look again. */
static void step_uplink_hear_later(uint64_t done) {
    (void)done;
    step_uplink_old_worker();
    step_uplink.worker.answers = load_relaxed(&step_uplink.copy->answers);
    step_uplink_hear_all();
}

#endif
