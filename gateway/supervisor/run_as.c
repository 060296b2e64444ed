#include "gateway/supervisor/run_as.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

static int find_user(const char *option, const char *name, struct run_as_user *out, char *error,
                     size_t error_size) {
    const struct passwd *entry = getpwnam(name);
    if (!entry) {
        snprintf(error, error_size, "%s: \"%s\" is not a user of this machine", option, name);
        return -EINVAL;
    }
    if (entry->pw_uid == 0) {
        snprintf(error, error_size, "%s: \"%s\" is not a user without root's rights", option, name);
        return -EINVAL;
    }
    *out = (struct run_as_user){entry->pw_uid, entry->pw_gid};
    return 0;
}

int run_as_find(const struct options *options, struct run_as *out, char *error, size_t error_size) {
    struct run_as_user current = {getuid(), getgid()};
    struct run_as found = {.worker = current, .ingest = current, .changes = geteuid() == 0};
    if (found.changes) {
        int result =
            find_user("WORKER_USER", options->worker_user, &found.worker, error, error_size);
        if (result == 0) {
            result =
                find_user("INGEST_USER", options->ingest_user, &found.ingest, error, error_size);
        }
        if (result < 0) {
            return result;
        }
    }
    *out = found;
    return 0;
}

bool run_as_shared(const struct run_as *run_as) {
    return run_as->worker.uid == run_as->ingest.uid;
}
