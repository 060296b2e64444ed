/* Making child processes. Every child is a fresh program (fork, then exec): nothing of the supervisor's
 * memory survives in it, and of its descriptors only those that its heritage names. Used by the supervisor
 * and by --check-config. */
#ifndef MOONX_GATEWAY_SUPERVISOR_SPAWN_H
#define MOONX_GATEWAY_SUPERVISOR_SPAWN_H

#include "common/base.h"
#include "common/heritage.h"

#include <sys/types.h>

#define SPAWN_EXEC_FAILED 127 /* exit status of a child whose exec failed */

/* Descriptors of the two programs as they were at the start: an upgrade that replaces the files does not
 * mix versions under one supervisor. */
struct spawn_programs {
    int gateway_fd;
    int ingest_fd;
};

/* moonx-ingest is looked for beside this program. `error` gets one line. */
int spawn_open_programs(struct spawn_programs *out, char *error, size_t error_size) MUST_CHECK;
void spawn_close_programs(struct spawn_programs *programs);

/* Starts a child with that heritage, in a session of its own (a terminal's SIGINT reaches the supervisor
 * only), with default signals, /dev/null as stdin, and killed by the kernel when the supervisor dies.
 * argv[0] is what `ps` shows. An exec that fails shows as exit status 127. */
int spawn_child(int program_fd, char *const *argv, const struct heritage *heritage,
                pid_t *pid) MUST_CHECK;

/* Runs a helper (--check-config, token) to its end and returns its exit status, 128 + signal when it was
 * killed, or -errno; -ETIMEDOUT after timeout_ms, when it has been killed. What it writes to stdout goes
 * into output (NUL-terminated, cut at size); with_errors: to stderr too, which else is ours. output may be NULL: thrown
 * away. */
int spawn_run(int program_fd, char *const *argv, unsigned timeout_ms, bool with_errors,
              char *output, size_t size) MUST_CHECK;

#endif
