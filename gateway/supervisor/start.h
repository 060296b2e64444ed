/* Everything that the supervisor needs before its first child runs, made in order, each failure told in one
 * line. One per supervisor, opened first, closed last. */
#ifndef MOONX_GATEWAY_SUPERVISOR_START_H
#define MOONX_GATEWAY_SUPERVISOR_START_H

#include "common/option.h"
#include "gateway/supervisor/listeners.h"
#include "gateway/supervisor/run_as.h"
#include "gateway/supervisor/shared_state.h"
#include "gateway/supervisor/spawn.h"

#define START_TOKEN_MAX_BYTES 4096

struct start {
    int argc; /* borrowed, as are the options */
    char *const *argv;
    const struct options *options;
    bool dev;
    bool programs_open, listeners_open, state_open;
    struct spawn_programs programs;
    struct run_as run_as;
    struct listeners listeners;
    struct shared_state state;
    char token[START_TOKEN_MAX_BYTES]; /* --dev: the demo user's, until it has been shown */
};

/* Exit status: 0; 1 when the machine refuses, 2 when the configuration is wrong, after one line on stderr.
 * *out can be closed in every case. */
int start_open(int argc, char *const *argv, const struct options *options, bool dev,
               struct start *out);
void start_close(struct start *start);

/* --dev: the greeting on stdout; forgets the token. */
void start_greet(struct start *start, const char *broker);

#endif
