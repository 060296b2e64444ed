/* The supervisor: the process that is started, stays, and watches. It owns the listening sockets and all
 * shared memory, starts ingest and the workers, replaces what dies or hangs, and stops everything in order.
 * It initialises no Kafka, TLS or parser: what it does not do can't fail. */
#ifndef MOONX_GATEWAY_SUPERVISOR_SUPERVISOR_H
#define MOONX_GATEWAY_SUPERVISOR_SUPERVISOR_H

#include "common/base.h"
#include "common/option.h"

/* Runs until it is told to stop. Exit status: 0 after a stop; 1 when it could not start (one line on
 * stderr); 2 when the configuration is wrong (one line on stderr). */
int supervisor_run(int argc, char *const *argv, const struct options *options, bool dev);

#endif
