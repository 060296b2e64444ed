/* What the two tortures of the uplink's queue share: a sender, as each worker is one; a taker with a log behind it, as
 * ingest is one with Kafka; and the verdict over what both have left. Header only: each program is one file.
 *
 * Every message has a number of its own and a value that follows from it, bytes and length. The log stands for a topic
 * with one partition: the taker appends to it some time after it has taken a message, and reports later still, out of
 * order, so that a kill loses messages before the log, and reports behind it. What it has taken and what it consumes
 * of the log again goes through `once`, as in ingest. All of it lies in memory that outlives both sides. */
#ifndef MOONX_TESTS_UPLINK_SIDES_H
#define MOONX_TESTS_UPLINK_SIDES_H

#include "shm/once.h"
#include "shm/uplink_put.h"
#include "shm/uplink_take.h"
#include "tests/torture/torture.h"

#define SIDES_MESSAGES (1u << 22) /* some minute's */
#define SIDES_LOG      (1u << 23) /* retries take a place each */
#define SIDES_COUNTED  (1ull << 63)

/* A message's fate, as its sender was told. */
#define SIDES_UNTOLD 0ull
#define SIDES_FAILED 1ull
#define SIDES_AT(n)  ((n) + 2)

struct sides {
    shm_u64 violations, stop;
    shm_u64 next; /* number of the next message */
    shm_u64 ok, failed, doubled;
    shm_u64 log_end, consumed;
    shm_u64 told[SIDES_MESSAGES];
    shm_u64 log[SIDES_LOG]; /* a message's number + 1, SIDES_COUNTED when it counts */
};

/* There is no number left: nobody can hand in more. */
static inline bool sides_spent(const struct sides *sides) {
    return load_relaxed(&sides->next) >= SIDES_MESSAGES;
}

/* --- the worker's side --- */

struct sides_sender {
    struct uplink_put put;
    struct sides *sides;
    uint64_t number, random;          /* number: of the message in hand */
    uint64_t waiting[UPLINK_ENTRIES]; /* number + 1 of who waits in that place */
    unsigned waits;
    uint64_t words[(192u << 10) / 8];
};

static inline size_t sides_value(uint64_t number, uint64_t *words, size_t most) {
    uint64_t random = number * 2 + 1, chance = fixture_random(&random);
    size_t count = chance % 256 == 0 ? most : 1 + (chance >> 8) % 48;

    words[0] = number;
    for (size_t i = 1; i < count; i++)
        words[i] = fixture_random(&random);
    return count * sizeof(words[0]);
}

static inline struct uplink_once sides_mark(uint64_t number) {
    uint64_t random = number + 1, words[2] = {fixture_random(&random), number};
    struct uplink_once mark;
    memcpy(mark.bytes, words, sizeof(words));
    return mark;
}

static inline void sides_sender_init(struct sides_sender *sender, struct sides *sides,
                                     struct uplink_block *block, uint64_t seed) {
    memset(sender, 0, sizeof(*sender));
    sender->sides = sides;
    sender->random = seed | 1;
    sender->number = atomic_fetch_add(&sides->next, 1);
    uplink_put_init(&sender->put, block, fixture_random(&sender->random) / 2 + 1);
}

/* False: no space, or no number left. */
static inline bool sides_sender_add(struct sides_sender *sender) {
    struct uplink_once mark = sides_mark(sender->number);
    struct uplink_item item = {.key = SPAN_LITERAL("chat:1"), .sender = 7, .once = &mark};
    uint64_t entry;

    if (sender->number >= SIDES_MESSAGES)
        return false;
    item.value.length = sides_value(sender->number, sender->words, ARRAY_LENGTH(sender->words));
    item.value.data = (const char *)sender->words;
    item.deadline_ns = sender->number;
    int result = uplink_put_add(&sender->put, &item, &entry);
    if (result == -EAGAIN)
        return false;
    if (result != 0)
        torture_violation(&sender->sides->violations, "uplink_put_add: %s", strerror(-result));
    sender->waiting[entry % UPLINK_ENTRIES] = sender->number + 1;
    sender->waits++;
    sender->number = atomic_fetch_add(&sender->sides->next, 1);
    return true;
}

static inline void sides_told(void *context, uint64_t entry, const struct uplink_answer *answer) {
    struct sides_sender *sender = context;
    struct sides *sides = sender->sides;
    uint64_t *waiting = &sender->waiting[entry % UPLINK_ENTRIES], number = *waiting - 1;
    uint64_t offset = (uint64_t)answer->offset;

    if (*waiting == 0) {
        torture_violation(&sides->violations, "an answer for nobody");
        return;
    }
    *waiting = 0;
    sender->waits--;
    if (answer->error != 0) {
        if (answer->error != -EIO)
            torture_violation(&sides->violations, "message %llu: %s", (unsigned long long)number,
                              strerror(-answer->error));
        store_relaxed(&sides->told[number], SIDES_FAILED);
        atomic_fetch_add(&sides->failed, 1);
        return;
    }
    if (offset >= load_acquire(&sides->log_end) ||
        (load_relaxed(&sides->log[offset]) & ~SIDES_COUNTED) != number + 1)
        torture_violation(&sides->violations, "message %llu is not at offset %llu",
                          (unsigned long long)number, (unsigned long long)offset);
    store_relaxed(&sides->told[number], SIDES_AT(offset));
    atomic_fetch_add(&sides->ok, 1);
}

/* Some messages, some answers. True: something could be handed in. */
static inline bool sides_sender_turn(struct sides_sender *sender) {
    bool added = false;
    for (uint64_t n = fixture_random(&sender->random) % 16; n > 0 && sides_sender_add(sender); n--)
        added = true;
    uplink_put_answers(&sender->put, sides_told, sender);
    return added;
}

/* --- ingest's side --- */

struct sides_report {
    unsigned place;
    uint64_t number, offset;
};

struct sides_taker {
    struct uplink_take take;
    struct once once;
    struct sides *sides;
    uint64_t random;
    bool forgets;                              /* self-check: `once` is not asked */
    struct sides_report queue[UPLINK_ENTRIES]; /* taken, in order; not yet in the log */
    uint64_t queue_head, queue_tail;
    struct sides_report reports[UPLINK_ENTRIES]; /* in the log, not yet reported */
    unsigned report_count;
    uint64_t words[(192u << 10) / 8];
};

static inline void sides_taker_init(struct sides_taker *taker, struct sides *sides,
                                    struct uplink_block *block, int once_fd, uint64_t seed) {
    memset(taker, 0, sizeof(*taker));
    taker->sides = sides;
    taker->random = seed | 1;
    fixture_need(once_open(once_fd, &taker->once), "once_open");
    uplink_take_init(&taker->take, block);
}

static inline void sides_check_entry(struct sides_taker *taker, const struct uplink_taken *taken) {
    uint64_t number = taken->deadline_ns;
    struct uplink_once mark = sides_mark(number);
    size_t length = sides_value(number, taker->words, ARRAY_LENGTH(taker->words));

    if (number >= SIDES_MESSAGES || !span_is(taken->key, "chat:1") || taken->sender != 7 ||
        taken->value.length != length || memcmp(taken->value.data, taker->words, length) != 0 ||
        memcmp(&mark, &taken->once, sizeof(mark)) != 0)
        torture_violation(&taker->sides->violations, "message %llu was torn on its way",
                          (unsigned long long)number);
}

/* False: nothing taken. One in 32 is refused, as one is whose time is up. */
static inline bool sides_take(struct sides_taker *taker) {
    struct uplink_taken taken;
    switch (uplink_take_peek(&taker->take, &taken)) {
    case UPLINK_NOTHING:
        return false;
    case UPLINK_BAD:
        torture_violation(&taker->sides->violations, "an entry that no sender writes");
        return true;
    case UPLINK_ENTRY:
        break;
    }
    sides_check_entry(taker, &taken);
    uplink_take_next(&taker->take);
    if (fixture_random(&taker->random) % 32 == 0) {
        uplink_take_answer(&taker->take, taken.place, &(struct uplink_answer){.error = -EIO});
        return true;
    }
    taker->queue[taker->queue_tail++ % UPLINK_ENTRIES] =
        (struct sides_report){.place = taken.place, .number = taken.deadline_ns};
    return true;
}

static inline bool sides_append(struct sides_taker *taker) {
    struct sides *sides = taker->sides;
    uint64_t end = load_relaxed(&sides->log_end);

    if (taker->queue_head == taker->queue_tail || end >= SIDES_LOG)
        return false;
    struct sides_report report = taker->queue[taker->queue_head++ % UPLINK_ENTRIES];
    report.offset = end;
    store_relaxed(&sides->log[end], report.number + 1);
    store_release(&sides->log_end, end + 1);
    taker->reports[taker->report_count++] = report;
    return true;
}

/* Any of those that are there. One in 32 is said to have failed although it is in the log. */
static inline bool sides_report_one(struct sides_taker *taker) {
    if (taker->report_count == 0)
        return false;
    uint64_t random = fixture_random(&taker->random);
    struct sides_report *chosen = &taker->reports[random % taker->report_count];
    struct uplink_answer answer = {.offset = (int64_t)chosen->offset};

    if ((random >> 32) % 32 == 0)
        answer.error = -EIO;
    uplink_take_answer(&taker->take, chosen->place, &answer);
    *chosen = taker->reports[--taker->report_count];
    return true;
}

/* What comes back from the log: marked as counted before `consumed` moves, as a record is published before `next`. */
static inline bool sides_consume(struct sides_taker *taker) {
    struct sides *sides = taker->sides;
    uint64_t offset = load_relaxed(&sides->consumed);

    if (offset == load_relaxed(&sides->log_end))
        return false;
    uint64_t word = load_relaxed(&sides->log[offset]);
    struct uplink_once mark = sides_mark((word & ~SIDES_COUNTED) - 1);
    int counts = taker->forgets ? 1 : once_count(&taker->once, 0, &mark, (int64_t)offset, 0);

    if (counts < 0)
        torture_violation(&sides->violations, "once_count: %s", strerror(-counts));
    if (counts == 1)
        store_relaxed(&sides->log[offset], word | SIDES_COUNTED);
    else
        atomic_fetch_add(&sides->doubled, 1);
    store_release(&sides->consumed, offset + 1);
    return true;
}

/* True: something was done. At rest (false) nothing is under way. */
static inline bool sides_taker_turn(struct sides_taker *taker) {
    static bool (*const steps[])(struct sides_taker *) = {sides_take, sides_append,
                                                          sides_report_one, sides_consume};
    bool done = false;
    for (unsigned i = 0; i < ARRAY_LENGTH(steps); i++)
        for (uint64_t n = 1 + fixture_random(&taker->random) % 16; n > 0 && steps[i](taker); n--)
            done = true;
    return done;
}

/* --- the verdict, when both have come to rest --- */

/* Of each message in the log the first counts and no other, and those come in the order of their numbers; whatever was
 * told as sent is there. */
static inline void sides_judge(struct sides *sides) {
    uint64_t end = load_acquire(&sides->log_end), next = 0;
    uint64_t sent = load_relaxed(&sides->next), *counted = torture_shared(SIDES_MESSAGES * 8ul);

    for (uint64_t offset = 0; offset < end; offset++) {
        uint64_t word = load_relaxed(&sides->log[offset]), number = (word & ~SIDES_COUNTED) - 1;
        if ((word & SIDES_COUNTED) != 0 && counted[number]++ > 0)
            torture_violation(&sides->violations, "message %llu counts twice",
                              (unsigned long long)number);
        else if ((word & SIDES_COUNTED) != 0 && number < next)
            torture_violation(&sides->violations, "message %llu comes behind %llu",
                              (unsigned long long)number, (unsigned long long)next - 1);
        else if (counted[number] == 0)
            torture_violation(&sides->violations, "message %llu never counts",
                              (unsigned long long)number);
        next = (word & SIDES_COUNTED) != 0 ? number + 1 : next;
    }
    for (uint64_t number = 0; number < sent && number < SIDES_MESSAGES; number++)
        if (load_relaxed(&sides->told[number]) > SIDES_FAILED && counted[number] == 0)
            torture_violation(&sides->violations, "message %llu was told as sent, and is lost",
                              (unsigned long long)number);
    munmap(counted, SIDES_MESSAGES * 8ul);
}

#endif
