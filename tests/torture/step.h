/* Killed after every single instruction: what all subjects of torture_step.c share. A subject's operation runs in a
 * child, step by step (ptrace). Whenever shared memory has changed, the child stands still as if it had been killed
 * there, and the subject's checks run, each on a copy of that moment: a reader and a successor must be right.
 *
 * Copies cost nothing: the checks see the same memfd mapped privately, and what they write is thrown away after each.
 *
 * --broken: two stores that follow each other are swapped, as if the code had them in the wrong order: of the moment
 * after the second one, what the first one stored is taken back. Each subject must find some of these wrong, or its
 * checks can't fail. They run in a process of their own then, since nothing is promised about such a state. */
#ifndef MOONX_TESTS_STEP_H
#define MOONX_TESTS_STEP_H

#include "tests/torture/torture.h"

#include <malloc.h>
#include <sys/ptrace.h>

#define STEP_WATCHED 12
#define STEP_CHECKS  3
#define STEP_HANGS_S 5 /* a check of a broken state that takes longer */

/* `done`: so many of its operations had been completed for sure; another one may have been. */
typedef void step_check(uint64_t done);

struct step_subject {
    const char *name;
    void (*prepare)(void);           /* makes the regions, says what of them is watched */
    void (*operate)(void);           /* in the child */
    step_check *checks[STEP_CHECKS]; /* each from the same moment */
};

static struct {
    const char *name; /* of the subject in hand */
    bool broken;
    shm_u64 *done, *violations; /* shared with children */
    uint64_t steps, states, found;
    void *copies[STEP_WATCHED];
    size_t copy_sizes[STEP_WATCHED];
    unsigned copy_count;
    struct step_piece {
        char *shared, *copy;
        char *now, *before; /* as it was at the last two moments */
        size_t length;
    } pieces[STEP_WATCHED];
    unsigned piece_count;
    uint64_t done_now, done_before;
} step;

/* ---- for subjects */

/* Turns a mapping of the memfd into the checks' own. */
static void step_copy(void *mapped, size_t size, int fd) {
    int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
    if (mmap(mapped, size, PROT_READ | PROT_WRITE, flags, fd, 0) != mapped) {
        perror("mmap");
        exit(2);
    }
    step.copies[step.copy_count] = mapped;
    step.copy_sizes[step.copy_count++] = size;
}

/* A part whose every change is a moment to look at: where it lies for the child and in the copy. */
static void step_watch(void *shared, void *copy, size_t length) {
    struct step_piece *piece = &step.pieces[step.piece_count++];
    *piece = (struct step_piece){shared, copy, malloc(length), malloc(length), length};
    if (piece->now == NULL || piece->before == NULL) {
        perror("malloc");
        exit(2);
    }
}

/* Operation: one is complete. */
static void step_done(void) {
    store_relaxed(step.done, load_relaxed(step.done) + 1);
}

/* Operation: what must hold there. */
static void step_need(bool holds) {
    if (!holds) {
        fprintf(stderr, "%s: what it needs does not hold\n", step.name);
        _exit(1);
    }
}

/* Check: what must hold. */
static void step_expect(bool holds, const char *format, ...) PRINTF_LIKE(2, 3);
static void step_expect(bool holds, const char *format, ...) {
    char line[192];
    va_list arguments;
    if (holds)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (step.broken)
        _exit(1);
    torture_violation(step.violations, "%s, after instruction %llu: %s", step.name,
                      (unsigned long long)step.steps, line);
}

/* ---- the machine */

static void step_remember(void) {
    for (unsigned i = 0; i < step.piece_count; i++) {
        struct step_piece *piece = &step.pieces[i];
        char *oldest = piece->before;
        piece->before = piece->now;
        piece->now = oldest;
        memcpy(piece->now, piece->shared, piece->length);
    }
    step.done_before = step.done_now;
    step.done_now = load_relaxed(step.done);
}

static bool step_changed(void) {
    for (unsigned i = 0; i < step.piece_count; i++)
        if (memcmp(step.pieces[i].shared, step.pieces[i].now, step.pieces[i].length) != 0)
            return true;
    return false;
}

/* Of the copy: what changed a moment ago, and not just now, has not happened. False: there is no such thing. */
static bool step_swap(void) {
    bool swapped = false;
    for (unsigned i = 0; i < step.piece_count; i++) {
        struct step_piece *piece = &step.pieces[i];
        for (size_t at = 0; at < piece->length; at++)
            if (piece->before[at] != piece->now[at] && piece->shared[at] == piece->now[at]) {
                piece->copy[at] = piece->before[at];
                swapped = true;
            }
    }
    return swapped;
}

static void step_forget(void) {
    for (unsigned i = 0; i < step.copy_count; i++)
        madvise(step.copies[i], step.copy_sizes[i], MADV_DONTNEED);
}

static void step_look(const struct step_subject *subject) {
    for (unsigned i = 0; i < STEP_CHECKS && subject->checks[i] != NULL; i++) {
        subject->checks[i](load_relaxed(step.done));
        step_forget();
    }
}

static void step_look_at_swapped(const struct step_subject *subject) {
    int status = 0;
    pid_t pid = torture_fork();
    if (pid == 0) {
        alarm(STEP_HANGS_S);
        (void)!freopen("/dev/null", "w", stderr);
        for (unsigned i = 0; i < STEP_CHECKS && subject->checks[i] != NULL; i++) {
            if (step_swap())
                subject->checks[i](step.done_before);
            step_forget();
        }
        _exit(0);
    }
    waitpid(pid, &status, 0);
    step.found += status != 0;
}

static bool step_on(pid_t pid) {
    int status;
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        torture_violation(step.violations, "%s: the operation ended with %#x", step.name,
                          (unsigned)status);
    return false;
}

static pid_t step_start(const struct step_subject *subject) {
    int status;
    pid_t pid = torture_fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        raise(SIGSTOP);
        subject->operate();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) {
        fprintf(stderr, "processes can't be traced here: %#x\n", (unsigned)status);
        exit(2);
    }
    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
    return pid;
}

/* Looks at every so many instructions. */
static void step_through(const struct step_subject *subject, uint64_t every) {
    step.name = subject->name;
    mallopt(M_MMAP_THRESHOLD, 4096); /* zeros come from the kernel, instead of a step for each */
    mallopt(M_TOP_PAD, 0);
    malloc_trim(0);
    subject->prepare();
    step_remember();
    step_remember();
    step_look(subject); /* before anything has happened */
    pid_t pid = step_start(subject);
    while (step_on(pid)) {
        if (++step.steps % every != 0 || !step_changed())
            continue;
        step.states++;
        (step.broken ? step_look_at_swapped : step_look)(subject);
        step_remember();
    }
}

#endif
