/* `--check-config`: is everything that was configured usable? Run by an operator, and by the supervisor as
 * its first child, so that the supervisor itself loads no secret, table or library. */
#ifndef MOONX_GATEWAY_SUPERVISOR_CONFIG_CHECK_H
#define MOONX_GATEWAY_SUPERVISOR_CONFIG_CHECK_H

#include "common/base.h"
#include "common/option.h"
#include "gateway/supervisor/spawn.h"

#define CONFIG_CHECK_TIMEOUT_MS 30000u

/* Checks options against the machine and each other, builds the token verifier, and has moonx-ingest check
 * its side with the same arguments. Exit status: 0 after "configuration is fine" on stdout, 2 after one line on
 * stderr. */
int config_check_command(int argc, char *const *argv, const struct options *options, bool dev);

/* The supervisor's way: the above in a child with the same arguments. 0, or 2 when that has said why not: in one line on
 * stderr, or into `said` unless that is NULL. */
int config_check_by_child(const struct spawn_programs *programs, int argc, char *const *argv,
                          char *said, size_t size) MUST_CHECK;

#endif
