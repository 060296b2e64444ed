/* Killed after every single instruction. A producer is run step by step (ptrace); whenever shared memory has
 * changed, that moment's memory is copied, and a successor takes over in the copy: it must find exactly the
 * records published so far, with positions that fit, and go on. Where torture_ring.c meets a window of a few
 * nanoseconds by luck, this meets all of them.
 *
 * The producer appends over the ring's end, publishes several records, stores `next` itself, adds a
 * partition, and takes over from a predecessor killed before `indexed` and one killed in mid-record. */
#include "tests/torture/torture.h"

#include <sys/ptrace.h>

#define CAPACITY  SEGMENT_RING_MIN_BYTES
#define STRETCHES 8u /* of a ring that small */

static struct segment live, copy;
static shm_u64 violations;

static void produce(void);
static void step_through(pid_t pid, uint64_t *steps, uint64_t *states);
static bool step(pid_t pid);
static bool changed(void);
static void take_copy(void);
static void succeed(void);
static uint64_t published_offsets(const struct segment *segment);
static void check_next(uint64_t offsets);
static void check_indexes(void);
static void check_new_partition(void);

/* What is compared and copied at every step: the used parts of the segment, not its hundreds of empty KiB. */
struct piece {
    size_t at, length;
};
static struct piece pieces[8];

int main(int argc, char **argv) {
    (void)torture_parse(argc, argv);
    fixture_open(&live, CAPACITY, 2);
    fixture_open(&copy, CAPACITY, 2);
    fixture_preset(&live, (1ull << 63) - 512, 0);
    size_t positions = live.header->positions_at;
    pieces[0] = (struct piece){positions, offsetof(struct positions, topics) + 512};
    pieces[1] = (struct piece){positions + offsetof(struct positions, partitions),
                               4 * sizeof(struct position)};
    pieces[2] = (struct piece){live.header->words_at, sizeof(struct ring_words)};
    pieces[3] = (struct piece){live.header->ring_at, CAPACITY};
    pieces[4] = (struct piece){live.header->rooms_at, room_index_size(CAPACITY)};
    size_t times = live.header->times_at, row = sizeof(live.times->next[0]);
    pieces[5] = (struct piece){times, STRETCHES * sizeof(shm_u64)};
    for (unsigned i = 0; i < 2; i++)
        pieces[6 + i] = (struct piece){times + offsetof(struct time_index, next) + i * row,
                                       STRETCHES * sizeof(shm_u64)};

    pid_t pid = torture_fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        raise(SIGSTOP);
        produce();
        _exit(0);
    }
    uint64_t steps = 0, states = 0;
    step_through(pid, &steps, &states);
    printf("torture_step: instructions %llu, states taken over %llu, violations %llu\n",
           (unsigned long long)steps, (unsigned long long)states,
           (unsigned long long)load_relaxed(&violations));
    return load_relaxed(&violations) == 0 && states > 100 ? 0 : 1;
}

/* Every record's offset is its partition's count so far, so `next` follows from the sequence alone: odd
 * sequence numbers go to partition 0, even ones to 1. */
static void append(struct ring_append *writer, size_t length) {
    uint64_t sequence = writer->sequence + 1;
    fixture_append(writer, length, sequence % 2 ? 0 : 1, (int64_t)((sequence - 1) / 2));
}

static void produce(void) {
    struct ring_append writer;
    fixture_need(ring_append_open(&writer, &live), "ring_append_open");
    append(&writer, 200);
    append(&writer, 200);
    ring_append_publish(&writer);
    append(&writer, 400); /* over the ring's end: a pad before it */
    append(&writer, 136);
    append(&writer, 136);
    ring_append_publish(&writer);
    fixture_need(positions_intern(live.positions, SPAN_LITERAL("new-topic"), 0),
                 "positions_intern");
    if (!ring_append_reserve(&writer, 512)) /* announced, never written */
        _exit(1);

    /* A predecessor killed before it had stored the first `next` of its last publish. */
    store_relaxed(&live.words->indexed, load_relaxed(&live.words->published) - 272);
    store_relaxed(&live.positions->partitions[0].next, 2);
    store_relaxed(&live.positions->partitions[1].next, 1);
    fixture_need(ring_append_open(&writer, &live), "ring_append_open again");
    append(&writer, 144);
    ring_append_publish(&writer);
}

static void step_through(pid_t pid, uint64_t *steps, uint64_t *states) {
    int status;
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) {
        torture_violation(&violations, "can't be traced here: %#x", (unsigned)status);
        return;
    }
    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
    do {
        ++*steps;
        if (!changed())
            continue;
        ++*states;
        take_copy();
        succeed();
        take_copy(); /* the successor wrote into it */
    } while (step(pid));
}

static bool step(pid_t pid) {
    int status;
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        torture_violation(&violations, "the producer ended with %#x", (unsigned)status);
    return false;
}

static char *start_of(const struct segment *segment) {
    return (char *)(void *)segment->header;
}

static bool changed(void) {
    for (unsigned i = 0; i < ARRAY_LENGTH(pieces); i++)
        if (memcmp(start_of(&live) + pieces[i].at, start_of(&copy) + pieces[i].at,
                   pieces[i].length) != 0)
            return true;
    return false;
}

static void take_copy(void) {
    for (unsigned i = 0; i < ARRAY_LENGTH(pieces); i++)
        memcpy(start_of(&copy) + pieces[i].at, start_of(&live) + pieces[i].at, pieces[i].length);
}

/* The successor's life in the copy: recovery, then two more records that a reader of the copy must see. */
static void succeed(void) {
    struct ring_append writer;
    struct ring_read reader;
    const struct record *record;
    uint64_t skipped, intent = load_relaxed(&copy.words->intent);
    uint64_t expected = published_offsets(&copy);

    int result = ring_append_open(&writer, &copy);
    if (result < 0) {
        torture_violation(&violations, "ring_append_open: %s", strerror(-result));
        return;
    }
    if (writer.sequence != expected)
        torture_violation(&violations, "sequence %llu after %llu records",
                          (unsigned long long)writer.sequence, (unsigned long long)expected);
    check_next(expected);
    check_new_partition();
    fixture_need(ring_read_init(&reader, &copy), "ring_read_init");
    append(&writer, 136);
    append(&writer, 480);
    if (load_relaxed(&copy.words->intent) < intent)
        torture_violation(&violations, "intent went back");
    ring_append_publish(&writer);
    for (unsigned i = 0; i < 2; i++)
        if (ring_read_next(&reader, &record, &skipped) != RING_OK || !fixture_intact(record))
            torture_violation(&violations, "what the successor wrote can't be read");
    check_next(expected + 2);
    check_indexes();
    ring_read_done(&reader);
    ring_append_done(&writer);
}

/* Counted from the ring alone, from the position the producer started at. */
static uint64_t published_offsets(const struct segment *segment) {
    uint64_t at = (1ull << 63) - 512, count = 0;
    uint64_t published = load_relaxed(&segment->words->published);
    while (at < published) {
        const struct record *record = (const void *)(segment->ring + (at & (CAPACITY - 1)));
        count += record->kind != RECORD_PAD;
        if (record->length == 0)
            break;
        at += record->length;
    }
    return count;
}

static void check_next(uint64_t offsets) {
    uint64_t next[2] = {load_relaxed(&copy.positions->partitions[0].next),
                        load_relaxed(&copy.positions->partitions[1].next)};
    if (next[0] != (offsets + 1) / 2 || next[1] != offsets / 2)
        torture_violation(&violations, "after %llu records next is %llu and %llu",
                          (unsigned long long)offsets, (unsigned long long)next[0],
                          (unsigned long long)next[1]);
}

/* Both rooms can be walked from their newest record on, and every offset has its place. */
static void check_indexes(void) {
    for (uint32_t p = 0; p < 2; p++) {
        uint64_t next = load_relaxed(&copy.positions->partitions[p].next);
        for (uint64_t want = 0; want <= next; want++)
            if (torture_walk(&copy, p, want, &violations) != next)
                torture_violation(&violations, "partition %u: the index does not reach %llu", p,
                                  (unsigned long long)next);
    }
}

/* Either it is not there, or it is whole. */
static void check_new_partition(void) {
    if (positions_count(copy.positions) < 3)
        return;
    const struct position *entry = &copy.positions->partitions[2];
    if (!span_is(positions_topic_name(copy.positions, 2), "new-topic") || entry->number != 0 ||
        load_relaxed(&entry->next) != POSITION_UNKNOWN ||
        load_relaxed(&entry->live_from) != POSITION_UNKNOWN)
        torture_violation(&violations, "a partition is counted before it is whole");
}
