/* The ring, positions and wake in the threads of one process, for ThreadSanitizer (make VARIANT=tsan): one
 * producer that is replaced from time to time, readers that sleep by wake.h, and one that only looks at
 * positions and heads, as /metrics does. ThreadSanitizer reports an access that nothing orders; the checks
 * are those of torture_ring.c. */
#include "shm/wake.h"
#include "tests/torture/torture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define READERS 3

static struct segment segment;
static struct worker_block *blocks[READERS];
static int bells[READERS];
static shm_u64 violations, stop;
static shm_u64 sleeps, looks;
static struct torture_reader readers[READERS];

static void *produce(void *options);
static void *consume(void *index);
static void doze(unsigned index);
static void *look(void *unused);
static void set_up(void);
static bool report(void);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    pthread_t producer, observer, consumers[READERS];

    set_up();
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&consumers[i], NULL, consume, (void *)i);
    pthread_create(&observer, NULL, look, NULL);
    pthread_create(&producer, NULL, produce, &options);
    torture_sleep_us((uint64_t)(options.seconds * 1e6));
    store_release(&stop, 1);
    pthread_join(producer, NULL);
    pthread_join(observer, NULL);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(consumers[i], NULL);
    return report() ? 0 : 1;
}

static void set_up(void) {
    fixture_open(&segment, 65536, TORTURE_PARTITIONS);
    for (unsigned i = 0; i < READERS; i++) {
        int fd = -1;
        fixture_need(worker_block_create(&fd), "worker_block_create");
        fixture_need(worker_block_map(fd, true, &blocks[i]), "worker_block_map");
        close(fd);
        bells[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        readers[i].violations = &violations;
        fixture_need(ring_read_init(&readers[i].reader, &segment), "ring_read_init");
    }
}

static void *produce(void *argument) {
    const struct torture_options *options = argument;
    uint64_t random = options->seed;
    struct torture_writer w;
    struct wake_set everyone = {.everyone = true};

    fixture_need(torture_writer_open(&w, &segment, random), "ring_append_open");
    while (!load_acquire(&stop)) {
        torture_writer_batch(&w, 1024);
        wake_sleepers(&everyone, blocks, bells, READERS);
        uint64_t chance = fixture_random(&random);
        if (chance % 64 == 0)
            torture_sleep_us(chance >> 32 & 127);
        if (chance % 512 == 1) { /* gone in the middle of a batch; a successor takes over */
            fixture_append(&w.append, 256, 0, (int64_t)w.next[0]);
            ring_append_done(&w.append);
            fixture_need(torture_writer_open(&w, &segment, chance), "ring_append_open");
        }
    }
    ring_append_done(&w.append);
    return NULL;
}

static void *consume(void *argument) {
    unsigned index = (unsigned)(uintptr_t)argument;
    struct torture_reader *r = &readers[index];

    while (!load_acquire(&stop)) {
        if (torture_reader_step(r))
            continue;
        if (wake_prepare_sleep(blocks[index], &segment.words->published, r->reader.cursor))
            doze(index);
        wake_awake(blocks[index]);
    }
    return NULL;
}

static void doze(unsigned index) {
    struct pollfd bell = {.fd = bells[index], .events = POLLIN};
    if (poll(&bell, 1, 1000) == 0 && !load_acquire(&stop))
        torture_violation(&violations, "reader %u was not woken", index);
    wake_drain(bells[index]);
    atomic_fetch_add(&sleeps, 1);
}

static void *look(void *unused) {
    (void)unused;
    uint64_t before = 0, next_before = 0;
    while (!load_acquire(&stop)) {
        uint64_t position, sequence;
        if (ring_read_head(&segment, &position, &sequence) < 0 || sequence < before)
            torture_violation(&violations, "a head went back");
        before = sequence;
        uint64_t next = load_relaxed(&segment.positions->partitions[0].next);
        if (next < next_before || !positions_topic_name(segment.positions, 0).length)
            torture_violation(&violations, "a position went back");
        next_before = next;
        atomic_fetch_add(&looks, 1);
    }
    return NULL;
}

static bool report(void) {
    uint64_t read = 0, laps = 0;
    for (unsigned i = 0; i < READERS; i++) {
        torture_reader_finish(&readers[i], &segment);
        read += readers[i].read;
        laps += readers[i].laps;
        ring_read_done(&readers[i].reader);
        worker_block_unmap(blocks[i]);
        close(bells[i]);
    }
    fixture_close(&segment);
    uint64_t bad = load_relaxed(&violations);
    printf("torture_threads: read %llu, laps %llu, sleeps %llu, looks %llu, violations %llu\n",
           (unsigned long long)read, (unsigned long long)laps,
           (unsigned long long)load_relaxed(&sleeps), (unsigned long long)load_relaxed(&looks),
           (unsigned long long)bad);
    return bad == 0 && read > 0 && load_relaxed(&sleeps) > 0;
}
