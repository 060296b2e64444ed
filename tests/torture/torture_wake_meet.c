/* The one race of wake.h, met head on: a sleeper and a waker start at the same instant, from a gate, some
 * million times; afterwards either the sleeper did not go to sleep, or it was woken. This is the store-buffer
 * litmus test over the real functions, so it finds a missing fence, which ping-pong (torture_wake.c) meets
 * too rarely.
 *
 * --broken wakes without the fence. It must lose wake-ups. (A machine whose processors do not run side by
 * side may never show that one.) */
#include "shm/wake.h"
#include "tests/torture/torture.h"

#include <sched.h>
#include <sys/eventfd.h>

enum { SLEEPER, WAKER };

struct arena {
    _Alignas(CACHE_LINE)
        shm_u64 gate[2][CACHE_LINE / 8]; /* a line each: how often each side has arrived */
    _Alignas(CACHE_LINE) shm_u64 published;
    _Alignas(CACHE_LINE) shm_u64 slept;
    _Alignas(CACHE_LINE) shm_u64 woken;
    _Alignas(CACHE_LINE) shm_u64 stop, rounds, asleep, lost;
    struct worker_block block;
};

static void sleeper(struct arena *arena, uint64_t random);
static void waker(struct arena *arena, uint64_t random, bool broken);
static unsigned wake_without_fence(struct worker_block *block);
static bool meet(struct arena *arena, unsigned side, uint64_t round);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    struct arena *arena = torture_shared(sizeof(*arena));
    pid_t pids[2];

    for (unsigned side = 0; side < 2; side++) {
        pids[side] = torture_fork();
        if (pids[side] == 0) {
            if (side == SLEEPER)
                sleeper(arena, options.seed);
            else
                waker(arena, options.seed + 1, options.broken);
            _exit(0);
        }
    }
    double end = torture_now() + options.seconds;
    while (torture_now() < end && load_relaxed(&arena->lost) == 0)
        torture_sleep_us(10000);
    store_release(&arena->stop, 1);
    bool good = true;
    for (unsigned side = 0; side < 2; side++) {
        int status = 0;
        waitpid(pids[side], &status, 0);
        good = good && status == 0;
    }
    uint64_t rounds = load_relaxed(&arena->rounds), asleep = load_relaxed(&arena->asleep);
    uint64_t lost = load_relaxed(&arena->lost);
    printf("torture_wake_meet%s: rounds %llu, asleep and woken %llu, lost %llu\n",
           options.broken ? " --broken" : "", (unsigned long long)rounds,
           (unsigned long long)asleep, (unsigned long long)lost);
    bool both_ways = asleep > 0 && asleep < rounds;
    return good && (options.broken ? lost > 0 : lost == 0 && both_ways) ? 0 : 1;
}

/* Three meetings a round: start together, both done, both have looked. */
static void sleeper(struct arena *arena, uint64_t random) {
    for (uint64_t round = 0;; round++) {
        if (!meet(arena, SLEEPER, 3 * round + 1))
            return;
        torture_spin(fixture_random(&random) % 64);
        bool slept = wake_prepare_sleep(&arena->block, &arena->published, round);
        store_relaxed(&arena->slept, slept);
        if (!meet(arena, SLEEPER, 3 * round + 2))
            return;
        bool lost = slept && !load_relaxed(&arena->woken);
        store_relaxed(&arena->rounds, round + 1);
        store_relaxed(&arena->asleep, load_relaxed(&arena->asleep) + slept);
        store_relaxed(&arena->lost, load_relaxed(&arena->lost) + lost);
        wake_awake(&arena->block);
        if (!meet(arena, SLEEPER, 3 * round + 3))
            return;
    }
}

static void waker(struct arena *arena, uint64_t random, bool broken) {
    struct wake_set everyone = {.everyone = true};
    struct worker_block *block = &arena->block;
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    for (uint64_t round = 0;; round++) {
        if (!meet(arena, WAKER, 3 * round + 1))
            return;
        torture_spin(fixture_random(&random) % 64);
        store_release(&arena->published, round + 1);
        unsigned woken =
            broken ? wake_without_fence(block) : wake_sleepers(&everyone, &block, &bell, 1);
        store_relaxed(&arena->woken, woken);
        if (!meet(arena, WAKER, 3 * round + 2) || !meet(arena, WAKER, 3 * round + 3))
            return;
    }
}

static unsigned wake_without_fence(struct worker_block *block) {
    return load_acquire(&block->sleeping) && exchange_full(&block->sleeping, 0);
}

/* Spins until the other side has come as far; false when it is time to stop. */
static bool meet(struct arena *arena, unsigned side, uint64_t round) {
    store_release(&arena->gate[side][0], round);
    for (uint64_t turns = 1; load_acquire(&arena->gate[!side][0]) < round; turns++) {
        if (load_relaxed(&arena->stop))
            return false;
        if (turns % 4096 == 0)
            sched_yield(); /* the other one may be waiting for this processor */
    }
    return true;
}
