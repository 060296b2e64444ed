/* The uplink's queue in the threads of one process, for ThreadSanitizer (make VARIANT=tsan): a sender and a taker that
 * sleeps by its bell, each replaced from time to time as if it had been killed between two turns. ThreadSanitizer
 * reports an access that nothing orders; a bell that did not ring is missed when the sender has gone on for long; the rest is judged as in
 * torture_uplink.c. */
#include "shm/wake.h"
#include "tests/torture/uplink_sides.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define LIFE_TURNS 2000
#define MANY_TURNS 1000 /* each puts a message, unless the queue is full already */

static struct sides *sides;
static struct uplink_block *block;
static int once_fd, bell;
static struct torture_options options;
static shm_u64 turns, sleeps, replaced;

static void *send_on(void *unused);
static void *take_on(void *unused);
static void doze(struct sides_taker *taker);

int main(int argc, char **argv) {
    pthread_t sender, taker;
    int fd = -1;

    options = torture_parse(argc, argv);
    sides = torture_shared(sizeof(*sides));
    fixture_need(uplink_create(&fd), "uplink_create");
    fixture_need(uplink_map(fd, &block), "uplink_map");
    fixture_need(once_create(&once_fd), "once_create");
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_create(&sender, NULL, send_on, NULL);
    pthread_create(&taker, NULL, take_on, NULL);
    double end = torture_now() + options.seconds;
    while (torture_now() < end && !sides_spent(sides))
        torture_sleep_us(10000);
    store_release(&sides->stop, 1);
    pthread_join(sender, NULL);
    store_release(&sides->stop, 2);
    wake_bell(bell);
    pthread_join(taker, NULL);
    sides_judge(sides);

    uint64_t violations = load_relaxed(&sides->violations);
    printf("torture_uplink_threads: messages %llu, sent %llu, twice %llu, sleeps %llu, "
           "replaced %llu, violations %llu\n",
           (unsigned long long)load_relaxed(&sides->next),
           (unsigned long long)load_relaxed(&sides->ok),
           (unsigned long long)load_relaxed(&sides->doubled),
           (unsigned long long)load_relaxed(&sleeps), (unsigned long long)load_relaxed(&replaced),
           (unsigned long long)violations);
    return violations == 0 && load_relaxed(&sides->ok) > 0 && load_relaxed(&sleeps) > 0 &&
                   load_relaxed(&replaced) > 0
               ? 0
               : 1;
}

/* A pause now and then, so that the taker falls asleep. */
static void *send_on(void *unused) {
    static struct sides_sender sender;
    uint64_t random = options.seed;
    unsigned life = LIFE_TURNS;

    (void)unused;
    sides_sender_init(&sender, sides, block, random);
    while (load_acquire(&sides->stop) == 0 || sender.waits > 0) {
        bool more = load_acquire(&sides->stop) == 0;
        if (more && sides_sender_turn(&sender)) {
            if (uplink_put_must_wake(&sender.put))
                wake_bell(bell);
        } else {
            uplink_put_answers(&sender.put, sides_told, &sender);
        }
        atomic_fetch_add(&turns, 1);
        if (fixture_random(&random) % 64 == 0)
            torture_sleep_us(100);
        if (more && --life == 0) {
            sides_sender_init(&sender, sides, block, fixture_random(&random));
            life = LIFE_TURNS;
            atomic_fetch_add(&replaced, 1);
        }
    }
    return NULL;
}

static void *take_on(void *unused) {
    static struct sides_taker taker;
    uint64_t random = options.seed + 1;
    unsigned life = LIFE_TURNS;

    (void)unused;
    sides_taker_init(&taker, sides, block, once_fd, random);
    for (;;) {
        bool busy = sides_taker_turn(&taker);
        if (!busy && load_acquire(&sides->stop) == 2)
            break;
        if (!busy)
            doze(&taker);
        if (--life == 0) {
            once_close(&taker.once);
            sides_taker_init(&taker, sides, block, once_fd, fixture_random(&random));
            life = LIFE_TURNS;
            atomic_fetch_add(&replaced, 1);
        }
    }
    once_close(&taker.once);
    return NULL;
}

/* Not woken: the sender has gone on, turn by turn, and the bell is silent all the same. */
static void doze(struct sides_taker *taker) {
    struct pollfd ring = {.fd = bell, .events = POLLIN};
    uint64_t from;

    if (!uplink_take_sleep(&taker->take, false))
        return;
    from = load_acquire(&turns);
    while (poll(&ring, 1, 500) == 0 && load_acquire(&sides->stop) == 0 && !sides_spent(sides)) {
        if (load_acquire(&turns) > from + MANY_TURNS && poll(&ring, 1, 0) == 0) {
            torture_violation(&sides->violations, "the taker was not woken");
            break;
        }
    }
    wake_drain(bell);
    atomic_fetch_add(&sleeps, 1);
}
