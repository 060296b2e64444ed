/* Every shared structure that outlives its writer, its writer killed after each single machine instruction (step.h):
 * whoever reads it then, and whoever takes over, must be right. The tortures by time meet a window of a few nanoseconds
 * by luck, this one meets all of them.
 *
 * Each subject has a process of its own. --every N: looks at every N-th instruction only; --only NAME: one subject;
 * --broken: swaps stores, and each subject must notice (step.h). */
#include "tests/torture/step_limits.h"
#include "tests/torture/step_once.h"
#include "tests/torture/step_positions.h"
#include "tests/torture/step_revocations.h"
#include "tests/torture/step_ring.h"
#include "tests/torture/step_survey.h"
#include "tests/torture/step_uplink.h"
#include "tests/torture/step_values.h"

static const struct step_subject subjects[] = {
    {"ring", step_ring_prepare, step_ring_operate, {step_ring_succeed}},
    {"values", step_values_prepare, step_values_operate, {step_values_read, step_values_succeed}},
    {"values, left",
     step_values_prepare_left,
     step_values_take_over,
     {step_values_read, step_values_succeed}},
    {"positions",
     step_positions_prepare,
     step_positions_operate,
     {step_positions_read, step_positions_succeed}},
    {"revocations",
     step_revocations_prepare,
     step_revocations_operate,
     {step_revocations_read, step_revocations_succeed}},
    {"uplink put",
     step_uplink_prepare,
     step_uplink_put,
     {step_uplink_take_on, step_uplink_take_anew}},
    {"uplink take",
     step_uplink_prepare_taken,
     step_uplink_take,
     {step_uplink_hear, step_uplink_hear_later}},
    {"once", step_once_prepare, step_once_operate, {step_once_succeed}},
    {"once, full", step_once_prepare_full, step_once_operate, {step_once_succeed}},
    {"survey", step_survey_prepare, step_survey_operate, {step_survey_read, step_survey_succeed}},
    {"limits", step_limits_prepare, step_limits_operate, {step_limits_succeed}},
};

struct arguments {
    uint64_t every;
    const char *only;
};

static struct arguments parse(int argc, char **argv) {
    static const struct option longs[] = {{"every", required_argument, NULL, 'e'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"broken", no_argument, NULL, 'b'},
                                          {NULL, 0, NULL, 0}};
    struct arguments arguments = {.every = 1};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'e')
            arguments.every = strtoull(optarg, NULL, 10);
        else if (c == 'o')
            arguments.only = optarg;
        else if (c == 'b')
            step.broken = true;
    }
    if (arguments.every == 0 || optind < argc) {
        fprintf(stderr, "usage: %s [--every N] [--only NAME] [--broken]\n", argv[0]);
        exit(2);
    }
    return arguments;
}

/* True: it is as it should be. */
static bool judge(const struct step_subject *subject) {
    uint64_t violations = load_relaxed(step.violations);
    printf("torture_step%s, %s: instructions %llu, moments %llu, ", step.broken ? " --broken" : "",
           subject->name, (unsigned long long)step.steps, (unsigned long long)step.states);
    if (step.broken)
        printf("found %llu\n", (unsigned long long)step.found);
    else
        printf("violations %llu\n", (unsigned long long)violations);
    return violations == 0 && step.states > 0 && (!step.broken || step.found > 0);
}

static bool run(const struct step_subject *subject, uint64_t every) {
    int status = 1;
    pid_t pid = torture_fork();
    if (pid == 0) {
        step.done = torture_shared(sizeof(*step.done));
        step.violations = torture_shared(sizeof(*step.violations));
        step_through(subject, every);
        exit(judge(subject) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(int argc, char **argv) {
    struct arguments arguments = parse(argc, argv);
    unsigned failed = 0, ran = 0;

    for (unsigned i = 0; i < ARRAY_LENGTH(subjects); i++) {
        if (arguments.only == NULL || strcmp(arguments.only, subjects[i].name) == 0) {
            ran++;
            failed += !run(&subjects[i], arguments.every);
        }
    }
    return ran > 0 && failed == 0 ? 0 : 1;
}
