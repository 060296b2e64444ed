/* The users that children become when the gateway is started as root (WORKER_USER, INGEST_USER). Looked up
 * once, at the start, by the supervisor and by --check-config. */
#ifndef MOONX_GATEWAY_SUPERVISOR_RUN_AS_H
#define MOONX_GATEWAY_SUPERVISOR_RUN_AS_H

#include "common/base.h"
#include "common/option.h"

#include <sys/types.h>

struct run_as_user {
    uid_t uid;
    gid_t gid;
};

struct run_as {
    struct run_as_user worker;
    struct run_as_user ingest;
    bool changes; /* started as root; otherwise both are the current user */
};

/* -EINVAL: `error` has one line that names the option, the value and what is allowed. */
int run_as_find(const struct options *options, struct run_as *out, char *error,
                size_t error_size) MUST_CHECK;

/* Both become the same user: then a worker could write to the ring after all. */
bool run_as_shared(const struct run_as *run_as);

#endif
