/* The secret of --dev: random, in a file of mode 0600 that the first who needs it makes and everybody after
 * finds, so tokens live over restarts. Called by the supervisor or a worker, before privileges are dropped. */
#ifndef MOONX_GATEWAY_ACCESS_DEV_SECRET_H
#define MOONX_GATEWAY_ACCESS_DEV_SECRET_H

#include "common/base.h"

/* Path of the file; -ENAMETOOLONG. */
int dev_secret_path(const char *directory, char *path, size_t size) MUST_CHECK;

/* Makes the directory's last component and the file where they are missing. Two processes may do so at
 * once: the file appears whole, and only one of the two wins. 0 or -errno. */
int dev_secret_ensure(const char *directory) MUST_CHECK;

#endif
