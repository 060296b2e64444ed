/* The ring across processes, with a producer that is killed -9 at random moments and replaced, hundreds of
 * times a second. Readers in other processes, on a read-only mapping, check each record's checksum, that
 * sequence numbers have no hole, that every partition's offsets rise one by one, and that what they missed is
 * exactly what the ring told them. Now and then they walk a room back along the index, whole or until they are
 * lapped, and ask the time index for a place. Positions must neither lose nor double an offset over any kill.
 *
 * Two rounds: a small ring that crosses 2^63 and laps its slow readers all the time, and a large one whose
 * producer is paced by its readers (as ingest is), where no lap at all may happen. */
#include "tests/torture/torture.h"

#include <fcntl.h>

#define READERS 3

struct result {
    shm_u64 violations;
    shm_u64 stop;    /* the producer is gone for good: come to an end */
    shm_u64 batches; /* of all producers */
    shm_u64 redone;  /* successors that found published != indexed */
    shm_u64 half;    /* successors that found intent != published */
    shm_u64 walks;   /* along the room index */
    struct {
        _Alignas(CACHE_LINE) shm_u64 cursor;
        shm_u64 read, laps, skipped;
    } readers[READERS];
};

struct round {
    const char *name;
    uint64_t ring_bytes;
    size_t longest; /* record */
    bool paced;
};

static const struct round rounds[] = {
    {"small", 65536, 1024, false},
    {"large", 16u << 20, 4096, true},
};

static bool run_round(const struct round *round, const struct torture_options *options);
static pid_t start_reader(const struct segment *segment, struct result *result, unsigned index,
                          const struct round *round);
static void read_on(struct torture_reader *r, struct result *result, unsigned index, bool slow);
static uint64_t supervise(struct segment *segment, struct result *result, const struct round *round,
                          const struct torture_options *options);
static _Noreturn void produce(struct segment *segment, struct result *result,
                              const struct round *round, uint64_t seed);
static void note_what_was_left(const struct ring_words *words, struct result *result);
static bool readers_lag(const struct segment *segment, const struct result *result);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    bool good = true;

    options.seconds /= 2; /* one half for each round */
    for (unsigned i = 0; i < ARRAY_LENGTH(rounds); i++)
        good = run_round(&rounds[i], &options) && good;
    return good ? 0 : 1;
}

static bool run_round(const struct round *round, const struct torture_options *options) {
    struct segment segment;
    struct result *result = torture_shared(sizeof(*result));
    pid_t pids[READERS];

    fixture_open(&segment, round->ring_bytes, TORTURE_PARTITIONS);
    if (!round->paced)
        fixture_preset(&segment, (1ull << 63) - (1u << 20), 0);
    for (unsigned i = 0; i < READERS; i++)
        pids[i] = start_reader(&segment, result, i, round);
    uint64_t kills = supervise(&segment, result, round, options);
    store_release(&result->stop, 1);
    torture_await_readers(pids, READERS, &result->violations);

    uint64_t read = 0, laps = 0, skipped = 0;
    for (unsigned i = 0; i < READERS; i++) {
        read += load_relaxed(&result->readers[i].read);
        laps += load_relaxed(&result->readers[i].laps);
        skipped += load_relaxed(&result->readers[i].skipped);
    }
    if (round->paced && laps > 0)
        torture_violation(&result->violations, "a paced producer lapped its readers");
    if (read == 0 || kills == 0 || (!round->paced && laps == 0))
        torture_violation(&result->violations, "nothing was put to the test");
    uint64_t violations = load_relaxed(&result->violations);
    printf("torture_ring %s: kills %llu (redone %llu, half written %llu), batches %llu, "
           "read %llu, laps %llu, skipped %llu, walks %llu, violations %llu\n",
           round->name, (unsigned long long)kills,
           (unsigned long long)load_relaxed(&result->redone),
           (unsigned long long)load_relaxed(&result->half),
           (unsigned long long)load_relaxed(&result->batches), (unsigned long long)read,
           (unsigned long long)laps, (unsigned long long)skipped,
           (unsigned long long)load_relaxed(&result->walks), (unsigned long long)violations);
    fixture_close(&segment);
    munmap(result, sizeof(*result));
    return violations == 0;
}

/* Returns when the reader stands at the start of the ring. */
static pid_t start_reader(const struct segment *segment, struct result *result, unsigned index,
                          const struct round *round) {
    store_relaxed(&result->readers[index].cursor, UINT64_MAX);
    pid_t pid = torture_fork();
    if (pid == 0) {
        struct segment mine;
        struct torture_reader r = {.violations = &result->violations};
        int fd = segment_reopen(segment->fd, O_RDONLY);
        fixture_need(segment_map(fd, false, &mine), "segment_map");
        fixture_need(ring_read_init(&r.reader, &mine), "ring_read_init");
        read_on(&r, result, index, !round->paced && index > 0);
        torture_reader_finish(&r, &mine);
        store_relaxed(&result->readers[index].read, r.read);
        store_relaxed(&result->readers[index].laps, r.laps);
        store_relaxed(&result->readers[index].skipped, r.skipped);
        _exit(0);
    }
    while (load_acquire(&result->readers[index].cursor) == UINT64_MAX)
        torture_sleep_us(100);
    return pid;
}

static void read_on(struct torture_reader *r, struct result *result, unsigned index, bool slow) {
    uint64_t random = index;
    while (!load_acquire(&result->stop)) {
        store_release(&result->readers[index].cursor, r->reader.cursor);
        if (fixture_random(&random) % 1024 == 0) {
            uint32_t p = (uint32_t)(fixture_random(&random) % TORTURE_PARTITIONS);
            uint64_t back = fixture_random(&random) % 64;
            uint64_t want = r->next[p] > back ? r->next[p] - back : 0;
            torture_walk(r->reader.segment, p, want, r->violations);
            atomic_fetch_add_explicit(&result->walks, 1, memory_order_relaxed);
        }
        if (!torture_reader_step(r))
            torture_sleep_us(20);
        else if (slow && fixture_random(&random) % 64 == 0)
            torture_sleep_us(fixture_random(&random) % 500);
    }
}

/* Starts one producer after the other and kills each. Returns how many. */
static uint64_t supervise(struct segment *segment, struct result *result, const struct round *round,
                          const struct torture_options *options) {
    double end = torture_now() + options->seconds;
    uint64_t random = options->seed, kills = 0;

    while (torture_now() < end) {
        uint64_t seed = fixture_random(&random);
        pid_t pid = torture_fork();
        if (pid == 0)
            produce(segment, result, round, seed);
        torture_kill_after(pid, fixture_random(&random) % 4000, &result->violations);
        kills++;
    }
    struct ring_append last; /* what the last one left is redone as well */
    int left = ring_append_open(&last, segment);
    if (left < 0)
        torture_violation(&result->violations, "ring_append_open: %s", strerror(-left));
    else
        ring_append_done(&last);
    return kills;
}

static _Noreturn void produce(struct segment *segment, struct result *result,
                              const struct round *round, uint64_t seed) {
    struct torture_writer w;
    int lock;
    int locked = segment_lock(segment->fd, &lock);
    if (locked < 0)
        torture_violation(&result->violations, "segment_lock: %s", strerror(-locked));
    note_what_was_left(segment->words, result);
    int opened = torture_writer_open(&w, segment, seed);
    if (opened < 0)
        torture_violation(&result->violations, "ring_append_open: %s", strerror(-opened));
    if (locked < 0 || opened < 0)
        _exit(1);
    for (uint64_t n = 0;; n++) {
        if (round->paced && readers_lag(segment, result)) {
            torture_sleep_us(50);
            continue;
        }
        torture_writer_batch(&w, round->longest);
        if (!round->paced && n % 512 == 511)
            torture_sleep_us(20); /* so that readers come close to the head now and then */
        atomic_fetch_add_explicit(&result->batches, 1, memory_order_relaxed);
        if (n % 16 == 0 && !torture_writer_agrees(&w))
            torture_violation(&result->violations, "positions differ from what was appended");
    }
}

static void note_what_was_left(const struct ring_words *words, struct result *result) {
    uint64_t published = load_relaxed(&words->published);
    if (load_relaxed(&words->indexed) != published)
        atomic_fetch_add(&result->redone, 1);
    if (load_relaxed(&words->intent) != published)
        atomic_fetch_add(&result->half, 1);
}

static bool readers_lag(const struct segment *segment, const struct result *result) {
    uint64_t published = load_relaxed(&segment->words->published);
    for (unsigned i = 0; i < READERS; i++)
        if (published - load_acquire(&result->readers[i].cursor) >
            segment->header->ring_capacity / 2)
            return true;
    return false;
}
