/* The uplink's queue across processes, with both sides killed -9 at random moments and replaced. Senders (workers) and
 * takers (ingest) check each other: no message torn, no answer that is not true or not one's own, none lost that was
 * told as sent, none that counts twice, order kept. The last sender is left alive and must be told the fate of every
 * message of its own, its predecessors' in front of them included.
 *
 * --broken consumes without asking `once`: what a killed taker had sent already must be found to count twice. */
#include "shm/wake.h"
#include "tests/torture/uplink_sides.h"

#include <poll.h>
#include <sys/eventfd.h>

#define REST_SECONDS 30 /* for the last answers, on a busy machine */

enum side { SENDER, TAKER, SIDE_COUNT };

static struct sides *sides;
static struct uplink_block *block;
static int once_fd, bell;
static bool broken;
static uint64_t lives[SIDE_COUNT];

static pid_t start(enum side side, uint64_t seed);
static _Noreturn void send_on(uint64_t seed);
static _Noreturn void take_on(uint64_t seed);
static void kill_them(pid_t *pids, const struct torture_options *options);
static void come_to_rest(pid_t *pids);

int main(int argc, char **argv) {
    struct torture_options options = torture_parse(argc, argv);
    pid_t pids[SIDE_COUNT];
    int fd = -1;

    sides = torture_shared(sizeof(*sides));
    broken = options.broken;
    fixture_need(uplink_create(&fd), "uplink_create");
    fixture_need(uplink_map(fd, &block), "uplink_map");
    fixture_need(once_create(&once_fd), "once_create");
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (unsigned side = 0; side < SIDE_COUNT; side++)
        pids[side] = start(side, options.seed + side);
    kill_them(pids, &options);
    come_to_rest(pids);
    sides_judge(sides);

    uint64_t violations = load_relaxed(&sides->violations), doubled = load_relaxed(&sides->doubled);
    printf("torture_uplink%s: senders %llu, takers %llu, messages %llu, sent %llu, failed %llu, "
           "in the log %llu, twice %llu, violations %llu\n",
           broken ? " --broken" : "", (unsigned long long)lives[SENDER],
           (unsigned long long)lives[TAKER], (unsigned long long)load_relaxed(&sides->next),
           (unsigned long long)load_relaxed(&sides->ok),
           (unsigned long long)load_relaxed(&sides->failed),
           (unsigned long long)load_relaxed(&sides->log_end), (unsigned long long)doubled,
           (unsigned long long)violations);
    if (broken)
        return violations > 0 ? 0 : 1;
    return violations == 0 && doubled > 0 && load_relaxed(&sides->ok) > 0 ? 0 : 1;
}

static pid_t start(enum side side, uint64_t seed) {
    pid_t pid = torture_fork();
    if (pid == 0)
        (side == SENDER ? send_on : take_on)(seed);
    lives[side]++;
    return pid;
}

static void kill_them(pid_t *pids, const struct torture_options *options) {
    uint64_t random = options->seed;
    double end = torture_now() + options->seconds;

    while (torture_now() < end && !sides_spent(sides)) {
        uint64_t chance = fixture_random(&random);
        enum side side = chance & 1 ? SENDER : TAKER;
        torture_sleep_us((chance >> 8) % 1500);
        kill(pids[side], SIGKILL);
        waitpid(pids[side], NULL, 0);
        pids[side] = start(side, chance | 1);
    }
}

/* First the sender, which waits for its answers, then the taker. */
static void come_to_rest(pid_t *pids) {
    for (unsigned side = 0; side < SIDE_COUNT; side++) {
        int status = 0;
        store_release(&sides->stop, side + 1);
        waitpid(pids[side], &status, 0);
        if (status != 0)
            torture_violation(&sides->violations, "side %u ended with %#x", side, (unsigned)status);
    }
}

/* In the end it waits for what its predecessors left as well: their last answer may come after its own. */
static _Noreturn void send_on(uint64_t seed) {
    static struct sides_sender sender;
    double stopped = 0;

    sides_sender_init(&sender, sides, block, seed);
    do {
        bool more = load_acquire(&sides->stop) == 0;
        stopped = more || stopped > 0 ? stopped : torture_now();
        if (more && sides_sender_turn(&sender)) {
            if (uplink_put_must_wake(&sender.put))
                wake_bell(bell);
        } else {
            uplink_put_answers(&sender.put, sides_told, &sender);
            torture_sleep_us(20);
        }
    } while (stopped == 0 ||
             (sender.put.head != sender.put.tail && torture_now() < stopped + REST_SECONDS));
    _exit(sender.put.head == sender.put.tail && sender.waits == 0 ? 0 : 1);
}

static _Noreturn void take_on(uint64_t seed) {
    static struct sides_taker taker;
    struct pollfd ring = {.fd = bell, .events = POLLIN};

    sides_taker_init(&taker, sides, block, once_fd, seed);
    taker.forgets = broken;
    for (;;) {
        if (sides_taker_turn(&taker))
            continue;
        if (load_acquire(&sides->stop) > TAKER)
            _exit(0);
        if (uplink_take_sleep(&taker.take, false)) /* a sender may die before it rings */
            poll(&ring, 1, 1);
        wake_drain(bell);
    }
}
