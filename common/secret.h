/* A secret in memory of its own: locked, left out of core dumps, wiped when freed, printed by nothing.
 * Loaded by whoever needs it before privileges are dropped. */
#ifndef MOONX_COMMON_SECRET_H
#define MOONX_COMMON_SECRET_H

#include "common/base.h"

#define SECRET_MAX_BYTES 65536

struct secret; /* opaque on purpose: no formatter can reach the bytes by accident */

/* Both copy; -EINVAL when empty, -E2BIG past SECRET_MAX_BYTES, else -errno of the file.
 * A file's single trailing newline (or CR LF) does not count. */
int secret_from_text(struct span text, struct secret **out) MUST_CHECK;
int secret_from_file(const char *path, struct secret **out) MUST_CHECK;
void secret_free(struct secret *secret);

struct span secret_bytes(const struct secret *secret);
/* Constant time for equal lengths. */
bool secret_equal(struct span a, struct span b);
/* Leaves the environment, as the process was started with it, out of core dumps: for who keeps secrets there. */
void secret_hide_environment(void);
/* The process leaves no core dump and can't be traced by its own user (prctl PR_SET_DUMPABLE 0). */
void secret_protect_process(void);

#endif
