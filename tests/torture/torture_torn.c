/* No reader ever accepts a torn copy, however close the producer is on its heels. The producer publishes
 * several records at once into a small ring, so it writes far beyond `published`; the readers wait until they
 * lag by nearly the whole ring and copy then, where it is about to write.
 *
 * --broken makes the same readers judge a copy by `published` alone (the rule that looks right). It must
 * find torn copies: that shows that this test can fail. */
#include "tests/torture/torture.h"

#include <fcntl.h>

#define READERS   2
#define CAPACITY  16384u
#define PER_BATCH 6

struct result {
    shm_u64 violations, stop, accepted, refused, torn;
};

struct tally {
    uint64_t accepted, refused, torn;
};

typedef void read_close(struct ring_read *reader, struct tally *tally);

static pid_t start(void (*child)(struct segment *, struct result *, const struct torture_options *),
                   struct segment *segment, struct result *result,
                   const struct torture_options *options);
static void produce(struct segment *segment, struct result *result,
                    const struct torture_options *options);
static void consume(struct segment *segment, struct result *result,
                    const struct torture_options *options);
static bool lag_far_behind(struct ring_read *reader, struct result *result, uint64_t distance);
static read_close read_rightly, read_wrongly;
static void resume(struct ring_read *reader);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    struct result *result = torture_shared(sizeof(*result));
    struct segment segment;
    pid_t pids[READERS + 1];

    fixture_open(&segment, CAPACITY, 1);
    for (unsigned i = 0; i < READERS; i++)
        pids[i] = start(consume, &segment, result, &options);
    pids[READERS] = start(produce, &segment, result, &options);
    double end = torture_now() + options.seconds;
    while (torture_now() < end && !(options.broken && load_relaxed(&result->torn) > 100))
        torture_sleep_us(10000);
    store_release(&result->stop, 1);
    for (unsigned i = 0; i <= READERS; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        if (status != 0)
            torture_violation(&result->violations, "child %u ended with %#x", i, (unsigned)status);
    }

    uint64_t accepted = load_relaxed(&result->accepted), refused = load_relaxed(&result->refused);
    uint64_t torn = load_relaxed(&result->torn);
    bool tested = accepted > 0 && refused > 0;
    printf("torture_torn%s: copies accepted %llu, refused %llu, torn among the accepted %llu\n",
           options.broken ? " --broken" : "", (unsigned long long)accepted,
           (unsigned long long)refused, (unsigned long long)torn);
    bool good = options.broken ? torn > 0 : torn == 0 && tested;
    fixture_close(&segment);
    return good && load_relaxed(&result->violations) == 0 ? 0 : 1;
}

static pid_t start(void (*child)(struct segment *, struct result *, const struct torture_options *),
                   struct segment *segment, struct result *result,
                   const struct torture_options *options) {
    pid_t pid = torture_fork();
    if (pid == 0) {
        child(segment, result, options);
        _exit(0);
    }
    return pid;
}

static void produce(struct segment *segment, struct result *result,
                    const struct torture_options *options) {
    struct ring_append append;
    uint64_t random = options->seed;
    fixture_need(ring_append_open(&append, segment), "ring_append_open");
    for (int64_t offset = 0; !load_relaxed(&result->stop);) {
        for (unsigned i = 0; i < PER_BATCH; i++) {
            size_t length = FIXTURE_LEAST + fixture_random(&random) % 64 * 8;
            fixture_append(&append, length, 0, offset++);
            torture_spin(fixture_random(&random) % 512);
        }
        ring_append_publish(&append);
    }
    ring_append_done(&append);
}

static void consume(struct segment *segment, struct result *result,
                    const struct torture_options *options) {
    struct ring_read reader;
    struct segment mine;
    struct tally tally = {0};
    int fd = segment_reopen(segment->fd, O_RDONLY);
    uint64_t random = options->seed + (uint64_t)getpid();

    fixture_need(segment_map(fd, false, &mine), "segment_map");
    fixture_need(ring_read_init(&reader, &mine), "ring_read_init");
    free(reader.buffer);
    reader.buffer = malloc(CAPACITY);
    reader.buffer_size = CAPACITY;
    while (lag_far_behind(&reader, result, CAPACITY - fixture_random(&random) % 4096)) {
        (options->broken ? read_wrongly : read_rightly)(&reader, &tally);
        atomic_fetch_add(&result->torn, tally.torn);
        atomic_fetch_add(&result->accepted, tally.accepted);
        atomic_fetch_add(&result->refused, tally.refused);
        tally = (struct tally){0};
    }
    ring_read_done(&reader);
}

/* False when it is time to stop. */
static bool lag_far_behind(struct ring_read *reader, struct result *result, uint64_t distance) {
    while (ring_read_lag(reader) < distance)
        if (load_relaxed(&result->stop))
            return false;
    return !load_relaxed(&result->stop);
}

/* `refused` counts only what the wrong rule would have let through: what lies in the ring by `published`. */
static void read_rightly(struct ring_read *reader, struct tally *tally) {
    const struct record *record;
    uint64_t skipped, cursor = reader->cursor, sequence = reader->sequence;
    const struct ring_words *words = reader->segment->words;
    int result = ring_read_next(reader, &record, &skipped);

    if (result == RING_OK) {
        tally->accepted++;
        if (!fixture_intact(record) || record->sequence != sequence + 1)
            tally->torn++;
    } else if (result == RING_LAPPED) {
        tally->refused += load_relaxed(&words->published) - cursor <= CAPACITY;
    } else {
        tally->torn++; /* damage would be a torn length that was believed */
    }
}

/* The same steps as ring_read.c, but a copy counts when `published` has not come round to it. */
static void read_wrongly(struct ring_read *reader, struct tally *tally) {
    const struct ring_words *words = reader->segment->words;
    const unsigned char *from = reader->segment->ring + (reader->cursor & (CAPACITY - 1));
    struct record *copy = reader->buffer;

    order_copy_out(copy, from, 8);
    uint64_t length = copy->length;
    uint64_t to_end = CAPACITY - (reader->cursor & (CAPACITY - 1));
    bool bounded = length % 8 == 0 && length >= 8 && length <= CAPACITY / 8 && length <= to_end;
    bool pad = copy->kind == RECORD_PAD;
    if (bounded && !pad)
        order_copy_out(copy, from, length);
    fence_acquire();
    if (load_relaxed(&words->published) > reader->cursor + CAPACITY) {
        tally->refused++;
        resume(reader);
        return;
    }
    if (bounded && pad) {
        reader->cursor += length;
        return;
    }
    tally->accepted++;
    if (!bounded || copy->length != length || !fixture_intact(copy) ||
        copy->sequence != reader->sequence + 1) {
        tally->torn++;
        resume(reader);
        return;
    }
    reader->cursor += length;
    reader->sequence++;
}

static void resume(struct ring_read *reader) {
    fixture_need(ring_read_head(reader->segment, &reader->cursor, &reader->sequence),
                 "ring_read_head");
}
