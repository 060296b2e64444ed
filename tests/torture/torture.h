/* What the torture programs share: their options, time, shared result memory, children that die with their
 * parent, and the checks that every reader makes of what it reads. Header only: each program is one file. */
#ifndef MOONX_TESTS_TORTURE_H
#define MOONX_TESTS_TORTURE_H

#include "shm/room_walk.h"
#include "shm/time_index.h"
#include "tests/shm_fixture.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define TORTURE_PARTITIONS 8
/* Offsets that give no record, as rejected messages do: `next` must pass them all the same. */
#define TORTURE_REJECTED(offset) ((offset) % 97 == 96)

struct torture_options {
    double seconds;
    uint64_t seed;
    bool broken; /* self-check: do it wrong on purpose, and fail unless that is found */
};

static inline struct torture_options torture_parse(int argc, char **argv) {
    static const struct option longs[] = {{"seconds", required_argument, NULL, 's'},
                                          {"seed", required_argument, NULL, 'r'},
                                          {"broken", no_argument, NULL, 'b'},
                                          {NULL, 0, NULL, 0}};
    struct torture_options options = {.seconds = 5, .seed = 1};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 's')
            options.seconds = strtod(optarg, NULL);
        else if (c == 'r')
            options.seed = strtoull(optarg, NULL, 10);
        else if (c == 'b')
            options.broken = true;
        else {
            fprintf(stderr, "usage: %s [--seconds N] [--seed N] [--broken]\n", argv[0]);
            exit(2);
        }
    }
    return options;
}

static inline double torture_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void torture_sleep_us(uint64_t us) {
    struct timespec pause = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

static inline void torture_spin(uint64_t turns) {
    for (uint64_t i = 0; i < turns; i++)
        atomic_signal_fence(memory_order_seq_cst);
}

/* Zeroed memory that children share with their parent. */
static inline void *torture_shared(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

/* fork(); the child is killed when its parent goes, however that happens. */
static inline pid_t torture_fork(void) {
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

/* Counts a violation; the first few are told. */
static inline void torture_violation(shm_u64 *count, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void torture_violation(shm_u64 *count, const char *format, ...) {
    if (atomic_fetch_add(count, 1) >= 10)
        return;
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(stderr, "violation: %s\n", line);
}

/* -9 after so long; a child that has ended by itself is a violation. */
static inline void torture_kill_after(pid_t pid, uint64_t us, shm_u64 *violations) {
    int status = 0;
    torture_sleep_us(us);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        torture_violation(violations, "a producer ended by itself: %#x", (unsigned)status);
}

/* Readers that have been told to stop. */
static inline void torture_await_readers(const pid_t *pids, unsigned count, shm_u64 *violations) {
    for (unsigned i = 0; i < count; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        if (status != 0)
            torture_violation(violations, "reader %u ended with %#x", i, (unsigned)status);
    }
}

/* How many records partition offsets [from, to) stand for. */
static inline uint64_t torture_records(uint64_t from, uint64_t to) {
    return (to - from) - (to / 97 - from / 97);
}

/* What one reader knows. `lost` counts, by offsets alone, what it did not see; `skipped` is what the ring
 * told it: at the end both must be the same number. */
struct torture_reader {
    struct ring_read reader;
    uint64_t next[TORTURE_PARTITIONS]; /* offset after the last one seen */
    uint64_t read, laps, skipped, lost;
    uint64_t lost_before; /* `lost` may only rise when a lap was told since */
    shm_u64 *violations;
};

static inline void torture_reader_check(struct torture_reader *r, const struct record *record) {
    if (!fixture_intact(record)) {
        torture_violation(r->violations, "torn record %llu", (unsigned long long)record->sequence);
        return;
    }
    uint32_t p = record->partition;
    uint64_t offset = (uint64_t)record->offset;
    if (p >= TORTURE_PARTITIONS || offset < r->next[p] || TORTURE_REJECTED(offset)) {
        torture_violation(r->violations, "partition %u: offset %llu twice or never written", p,
                          (unsigned long long)offset);
        return;
    }
    r->lost += torture_records(r->next[p], offset);
    if (r->lost > r->skipped)
        torture_violation(r->violations, "partition %u: lost before offset %llu without a word", p,
                          (unsigned long long)offset);
    r->next[p] = offset + 1;
    r->read++;
}

/* Walks one partition's room back as far as it goes: offsets fall one record at a time, and none that the
 * time index places at `from` or behind lies before it. Returns the newest offset + 1, 0 for none. */
static inline uint64_t torture_walk(const struct segment *segment, uint32_t p, uint64_t want,
                                    shm_u64 *violations) {
    uint64_t from = 0, newest = 0, last = 0;
    bool placed = time_index_find(segment, p, 0, want, &from);
    struct room_walk walk;
    struct room_hit hit;
    int result;

    (void)room_walk_indexed(segment);
    room_walk_start(&walk, segment, fixture_room_hash(p), SPAN_LITERAL("trades"), 1u << ROOM_PLAIN,
                    ROOM_CHAIN_EVENTS);
    while ((result = room_walk_next(&walk, 0, &hit)) == ROOM_WALK_HIT) {
        uint64_t offset = (uint64_t)hit.offset;
        if (hit.partition != p || (last != 0 && torture_records(offset, last) != 1))
            torture_violation(violations, "partition %u: walked from offset %llu to %llu", p,
                              (unsigned long long)last, (unsigned long long)offset);
        if (placed && offset >= want && hit.position < from)
            torture_violation(violations, "partition %u: offset %llu lies before its stretch", p,
                              (unsigned long long)offset);
        newest = newest == 0 ? offset + 1 : newest;
        last = offset;
    }
    if (result < 0 || (result == ROOM_WALK_END && torture_records(0, last) != 0))
        torture_violation(violations, "partition %u: the walk ends with %d at offset %llu", p,
                          result, (unsigned long long)last);
    return newest;
}

/* One step; false when there was nothing to read. */
static inline bool torture_reader_step(struct torture_reader *r) {
    const struct record *record;
    uint64_t skipped;
    int result = ring_read_next(&r->reader, &record, &skipped);
    if (result == RING_OK) {
        torture_reader_check(r, record);
    } else if (result == RING_LAPPED) {
        r->laps++;
        r->skipped += skipped;
    } else if (result < 0) {
        torture_violation(r->violations, "ring_read_next: %s", strerror(-result));
    }
    return result != RING_EMPTY;
}

/* The ring has come to rest: everything published was read or told as skipped, once. */
static inline void torture_reader_finish(struct torture_reader *r, const struct segment *segment) {
    while (torture_reader_step(r))
        ;
    uint64_t position, sequence, written = 0;
    if (ring_read_head(segment, &position, &sequence) < 0)
        torture_violation(r->violations, "no head at the end");
    for (unsigned p = 0; p < TORTURE_PARTITIONS; p++) {
        uint64_t next = load_acquire(&segment->positions->partitions[p].next);
        uint64_t newest = torture_walk(segment, p, next / 2, r->violations);
        if (torture_records(newest, next) != 0)
            torture_violation(r->violations, "partition %u: the index ends before offset %llu", p,
                              (unsigned long long)next);
        written += torture_records(0, next);
        r->lost += torture_records(r->next[p], next);
    }
    if (written != sequence || r->read + r->skipped != sequence || r->lost != r->skipped)
        torture_violation(
            r->violations, "%llu offsets, %llu records; read %llu, skipped %llu, lost %llu",
            (unsigned long long)written, (unsigned long long)sequence, (unsigned long long)r->read,
            (unsigned long long)r->skipped, (unsigned long long)r->lost);
}

/* A producer as ingest is one: asks positions where to go on, appends 1-4 records, publishes, passes the
 * offsets that gave no record. */
struct torture_writer {
    struct ring_append append;
    uint64_t next[TORTURE_PARTITIONS];
    uint64_t random;
};

static inline int torture_writer_open(struct torture_writer *w, struct segment *segment,
                                      uint64_t seed) {
    int result = ring_append_open(&w->append, segment);
    if (result < 0)
        return result;
    for (unsigned p = 0; p < TORTURE_PARTITIONS; p++)
        w->next[p] = load_relaxed(&segment->positions->partitions[p].next);
    w->random = seed;
    return 0;
}

static inline void torture_writer_batch(struct torture_writer *w, size_t longest) {
    struct position *partitions = w->append.segment->positions->partitions;
    uint32_t rejected = TORTURE_PARTITIONS;

    for (uint64_t n = fixture_random(&w->random) % 4 + 1; n > 0; n--) {
        uint32_t p = (uint32_t)(fixture_random(&w->random) % TORTURE_PARTITIONS);
        if (TORTURE_REJECTED(w->next[p])) {
            w->next[p]++;
            rejected = p;
            break; /* `next` may be stored only when nothing is committed and unpublished */
        }
        size_t length = FIXTURE_LEAST + fixture_random(&w->random) % (longest - FIXTURE_LEAST + 1);
        fixture_append(&w->append, length & ~7ul, p, (int64_t)w->next[p]);
        w->next[p]++;
    }
    ring_append_publish(&w->append);
    if (rejected < TORTURE_PARTITIONS)
        store_relaxed(&partitions[rejected].next, w->next[rejected]);
}

/* After a publish, what positions say is what was appended. */
static inline bool torture_writer_agrees(const struct torture_writer *w) {
    for (unsigned p = 0; p < TORTURE_PARTITIONS; p++)
        if (load_relaxed(&w->append.segment->positions->partitions[p].next) != w->next[p])
            return false;
    return true;
}

#endif
