/* The snapshot table across processes, with a producer that is killed -9 at random moments and replaced, hundreds of
 * times a second. Readers on a read-only mapping follow the ring and remember of each key the last record that they
 * have read; wherever their cursor stands, table and ring together must give them exactly that one, whole. What a kill
 * in the middle of a slot costs is that slot alone, until its key's next value: `absent` counts how often one was met. */
#include "shm/snapshot_former.h"
#include "shm/snapshot_put.h"
#include "tests/torture/torture.h"

#include <fcntl.h>

#define READERS      2
#define KEYS         40 /* all of them fit */
#define RING_BYTES   (1u << 20)
#define LONGEST      900
#define MAX_HOPS     100000u
#define ABSENT_SHARE 20 /* of the checks, one in so many at most */

struct result {
    shm_u64 violations;
    shm_u64 stop;
    shm_u64 ready;
    shm_u64 checks, former, absent, laps;
};

struct known {
    uint64_t position, sequence;
    uint32_t slot; /* + 1; 0: none of its records read yet */
};

struct reader {
    struct ring_read ring, missed;
    struct known keys[KEYS];
    struct result *result;
    bool broken;
};

static pid_t start_reader(const struct segment *segment, struct result *result,
                          const struct torture_options *options, unsigned index);
static void step(struct reader *reader);
static void check(struct reader *reader, unsigned key);
static int former_of(struct reader *reader, const struct snapshot_value *value, uint64_t *position);
static bool is_whole(const struct record *record, unsigned key);
static uint64_t supervise(struct segment *segment, struct result *result,
                          const struct torture_options *options);
static _Noreturn void produce(struct segment *segment, uint64_t seed);
static void append(struct ring_append *writer, struct snapshot_put *put, uint64_t *random);
static uint64_t count(const shm_u64 *counter);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    struct segment segment;
    struct result *result = torture_shared(sizeof(*result));
    pid_t pids[READERS];

    fixture_open(&segment, RING_BYTES, 1);
    for (unsigned i = 0; i < READERS; i++)
        pids[i] = start_reader(&segment, result, &options, i);
    uint64_t kills = supervise(&segment, result, &options);
    store_release(&result->stop, 1);
    torture_await_readers(pids, READERS, &result->violations);

    uint64_t checks = count(&result->checks), absent = count(&result->absent);
    uint64_t violations = count(&result->violations);
    printf("torture_snapshot%s: kills %llu, checks %llu (behind the table %llu, absent %llu), laps "
           "%llu, "
           "violations %llu\n",
           options.broken ? " --broken" : "", (unsigned long long)kills, (unsigned long long)checks,
           (unsigned long long)count(&result->former), (unsigned long long)absent,
           (unsigned long long)count(&result->laps), (unsigned long long)violations);
    fixture_close(&segment);
    if (options.broken)
        return violations > 0 ? 0 : 1;
    return violations == 0 && count(&result->former) > 0 && absent <= checks / ABSENT_SHARE ? 0 : 1;
}

static uint64_t count(const shm_u64 *counter) {
    return load_relaxed(counter);
}

/* Returns when the reader stands at the start of the ring. */
static pid_t start_reader(const struct segment *segment, struct result *result,
                          const struct torture_options *options, unsigned index) {
    pid_t pid = torture_fork();
    if (pid == 0) {
        struct segment mine;
        struct reader reader = {.result = result, .broken = options->broken};
        uint64_t random = options->seed + index;
        int fd = segment_reopen(segment->fd, O_RDONLY);
        fixture_need(segment_map(fd, false, &mine), "segment_map");
        fixture_need(ring_read_init(&reader.ring, &mine), "ring_read_init");
        fixture_need(ring_read_init(&reader.missed, &mine), "ring_read_init");
        atomic_fetch_add(&result->ready, 1);
        while (!load_acquire(&result->stop)) {
            step(&reader);
            if (fixture_random(&random) % 4 == 0)
                check(&reader, (unsigned)(fixture_random(&random) % KEYS));
            if (fixture_random(&random) % 4096 == 0)
                torture_sleep_us(fixture_random(&random) % 1000); /* falls behind, may be lapped */
        }
        _exit(0);
    }
    while (load_acquire(&result->ready) != index + 1)
        torture_sleep_us(100);
    return pid;
}

static void step(struct reader *reader) {
    const struct record *record;
    uint64_t skipped;

    switch (ring_read_next(&reader->ring, &record, &skipped)) {
    case RING_OK:
        reader->keys[record->sender] =
            (struct known){.position = reader->ring.cursor - record->length,
                           .sequence = record->sequence,
                           .slot = record->snapshot_slot};
        break;
    case RING_LAPPED:
        memset(reader->keys, 0, sizeof(reader->keys));
        atomic_fetch_add(&reader->result->laps, 1);
        break;
    case RING_EMPTY:
        break;
    default:
        torture_violation(&reader->result->violations, "the ring is damaged");
    }
}

static void check(struct reader *reader, unsigned key) {
    static _Alignas(8) char buffer[1 << 16];
    const struct known *known = &reader->keys[key];
    struct result *result = reader->result;
    uint64_t position = SNAPSHOT_NOWHERE;
    struct snapshot_value value;
    char name[8];

    if (known->slot == 0)
        return;
    snprintf(name, sizeof(name), "k%u", key);
    enum snapshot_result found = snapshot_table_read(reader->ring.segment, known->slot - 1,
                                                     reader->ring.cursor, buffer, &value);
    atomic_fetch_add(&result->checks, 1);
    bool mine = (found == SNAPSHOT_OK || found == SNAPSHOT_LATER) &&
                span_is((struct span){value.key, value.key_length}, name);
    if (mine && !is_whole(value.record, key))
        torture_violation(&result->violations, "%s: a torn value", name);
    if (mine && found == SNAPSHOT_OK)
        position = value.position;
    if (mine && found == SNAPSHOT_LATER && former_of(reader, &value, &position) != 0)
        return; /* lapped: the reader will be told */
    if (position == SNAPSHOT_NOWHERE)
        atomic_fetch_add(&result->absent, 1);
    else if (position != known->position)
        torture_violation(&result->violations, "%s: the value at %llu, not the one at %llu", name,
                          (unsigned long long)position, (unsigned long long)known->position);
}

static int former_of(struct reader *reader, const struct snapshot_value *value,
                     uint64_t *position) {
    struct snapshot_former former = {.position = value->settled};
    unsigned hops = MAX_HOPS;
    int result = 0;

    if (!reader->broken)
        result = snapshot_former_find(&reader->missed, value, reader->ring.cursor, &hops, &former);
    if (result == -EAGAIN || result == -EBADMSG)
        torture_violation(&reader->result->violations, "no way back: %s", strerror(-result));
    atomic_fetch_add(&reader->result->former, 1);
    *position = former.position;
    return result;
}

static bool is_whole(const struct record *record, unsigned key) {
    struct span envelope = record_envelope(record);

    for (size_t at = 0; at < envelope.length; at += 8) {
        uint64_t word;
        memcpy(&word, envelope.data + at, sizeof(word));
        if (word != record->sequence * 0x9e3779b97f4a7c15ull)
            return false;
    }
    return record->sender == key;
}

/* Starts one producer after the other and kills each. Returns how many. */
static uint64_t supervise(struct segment *segment, struct result *result,
                          const struct torture_options *options) {
    double end = torture_now() + options->seconds;
    uint64_t random = options->seed, kills = 0;

    while (torture_now() < end) {
        uint64_t seed = fixture_random(&random);
        pid_t pid = torture_fork();
        if (pid == 0)
            produce(segment, seed);
        torture_kill_after(pid, 500 + fixture_random(&random) % 4000, &result->violations);
        kills++;
    }
    return kills;
}

static _Noreturn void produce(struct segment *segment, uint64_t seed) {
    struct ring_append writer;
    struct snapshot_put put;
    uint64_t random = seed;
    int lock;

    fixture_need(segment_lock(segment->fd, &lock), "segment_lock");
    fixture_need(ring_append_open(&writer, segment), "ring_append_open");
    fixture_need(snapshot_put_open(&put, segment), "snapshot_put_open");
    for (;;) {
        for (uint64_t n = fixture_random(&random) % 8 + 1; n > 0; n--)
            append(&writer, &put, &random);
        ring_append_publish(&writer);
        if (fixture_random(&random) % 32 == 0)
            torture_sleep_us(fixture_random(&random) % 200); /* so that readers come close */
    }
}

/* As ingest does (ingest/event_publish.c). Half of the values are of five keys. */
static void append(struct ring_append *writer, struct snapshot_put *put, uint64_t *random) {
    size_t length = FIXTURE_LEAST + fixture_random(random) % (LONGEST - FIXTURE_LEAST);
    unsigned key = (unsigned)(fixture_random(random) % (fixture_random(random) % 2 ? KEYS : 5));
    struct record *record = ring_append_reserve(writer, length & ~7ul);
    char name[8];

    fixture_fill(record, RECORD_EVENT, 0, (int64_t)record->sequence);
    record->sender = key;
    snprintf(name, sizeof(name), "k%u", key);
    record->snapshot_slot = snapshot_put_value(put, span_of(name), record, writer->reserved);
    ring_append_commit(writer);
}
