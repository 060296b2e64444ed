/* Two processes play ping-pong through wake.h, with random delays around every step: each round is a chance
 * to lose a wake-up. A sleep counts as lost when the bell is silent although the other side has done all that it
 * does to wake: how long either had to wait for a processor is no matter. `published` is a bare word here: what a
 * ring does around it would only hide races (torture_wake_meet.c goes for the narrowest one).
 *
 * --broken goes to sleep without looking at `published` again after its flag is up. It must lose wake-ups:
 * that shows that this test can fail. */
#include "shm/wake.h"
#include "tests/torture/torture.h"

#include <poll.h>
#include <sys/eventfd.h>

enum { PING, PONG };

struct result {
    shm_u64 violations, stop, rounds, sleeps, wakes, lost;
};

/* One direction: who stores `published` wakes the one who waits for it. */
struct lane {
    shm_u64 *published;
    shm_u64 *done; /* rounds whose wake-up has been seen to */
    struct worker_block *sleeper;
    int bell;
};

struct player {
    const struct lane *in, *out;
    struct result *result;
    uint64_t cursor; /* rounds heard from the other side */
    uint64_t random;
    bool broken;
};

static void open_lane(struct lane *lane);
static void play(struct player *player, unsigned side);
static void send_one(struct player *player, uint64_t round);
static bool await_one(struct player *player);
static bool may_sleep(struct player *player);
static void sleep_until_woken(struct player *player);
static void dither(struct player *player);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    struct result *result = torture_shared(sizeof(*result));
    static struct lane lanes[2];
    pid_t pids[2];

    open_lane(&lanes[PING]);
    open_lane(&lanes[PONG]);
    for (unsigned side = 0; side < 2; side++) {
        pids[side] = torture_fork();
        if (pids[side] == 0) {
            struct player player = {.in = &lanes[!side],
                                    .out = &lanes[side],
                                    .result = result,
                                    .random = options.seed + side,
                                    .broken = options.broken};
            play(&player, side);
            _exit(0);
        }
    }
    double end = torture_now() + options.seconds;
    while (torture_now() < end && load_relaxed(&result->lost) == 0)
        torture_sleep_us(10000);
    store_release(&result->stop, 1);
    for (unsigned side = 0; side < 2; side++) {
        int status = 0;
        waitpid(pids[side], &status, 0);
        if (status != 0)
            torture_violation(&result->violations, "player %u ended with %#x", side,
                              (unsigned)status);
    }
    uint64_t lost = load_relaxed(&result->lost), sleeps = load_relaxed(&result->sleeps);
    printf("torture_wake%s: rounds %llu, sleeps %llu, wakes %llu, lost %llu\n",
           options.broken ? " --broken" : "", (unsigned long long)load_relaxed(&result->rounds),
           (unsigned long long)sleeps, (unsigned long long)load_relaxed(&result->wakes),
           (unsigned long long)lost);
    bool good = options.broken ? lost > 0 : lost == 0 && sleeps > 0;
    return good && load_relaxed(&result->violations) == 0 ? 0 : 1;
}

static void open_lane(struct lane *lane) {
    int fd = -1;
    lane->published = torture_shared(4096);
    lane->done = torture_shared(4096);
    fixture_need(worker_block_create(&fd), "worker_block_create");
    fixture_need(worker_block_map(fd, true, &lane->sleeper), "worker_block_map");
    lane->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void play(struct player *player, unsigned side) {
    for (uint64_t round = 1;; round++) {
        if (side == PING)
            send_one(player, round);
        if (!await_one(player))
            break;
        if (side == PONG)
            send_one(player, round);
        else
            atomic_fetch_add(&player->result->rounds, 1);
    }
}

static void send_one(struct player *player, uint64_t round) {
    struct wake_set everyone = {.everyone = true};
    struct worker_block *sleeper = player->out->sleeper;

    dither(player);
    store_release(player->out->published, round);
    unsigned woken = wake_sleepers(&everyone, &sleeper, &player->out->bell, 1);
    store_release(player->out->done, round);
    atomic_fetch_add(&player->result->wakes, woken);
}

/* False when the game is over. */
static bool await_one(struct player *player) {
    while (load_acquire(player->in->published) == player->cursor) {
        if (load_acquire(&player->result->stop))
            return false;
        dither(player);
        if (may_sleep(player))
            sleep_until_woken(player);
        wake_awake(player->in->sleeper);
    }
    player->cursor++;
    return true;
}

static bool may_sleep(struct player *player) {
    struct worker_block *block = player->in->sleeper;
    if (!player->broken)
        return wake_prepare_sleep(block, player->in->published, player->cursor);
    store_release(&block->sleeping, 1);
    return true;
}

static void sleep_until_woken(struct player *player) {
    struct pollfd bell = {.fd = player->in->bell, .events = POLLIN};
    atomic_fetch_add(&player->result->sleeps, 1);
    /* The other side stops too: then nobody is to blame. */
    while (poll(&bell, 1, 100) == 0 && !load_acquire(&player->result->stop)) {
        if (load_acquire(player->in->done) > player->cursor && poll(&bell, 1, 0) == 0) {
            atomic_fetch_add(&player->result->lost, 1);
            break;
        }
    }
    wake_drain(player->in->bell);
}

/* Mostly nothing or some hundred nanoseconds, where the races are; now and then long enough to be slept on. */
static void dither(struct player *player) {
    uint64_t chance = fixture_random(&player->random);
    if (chance % 8 < 4)
        return;
    torture_spin(chance >> 32 & (chance % 64 == 7 ? 0x7fff : 0xff));
}
