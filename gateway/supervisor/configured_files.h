/* Which files the options name, and which role may see them: every option whose variable ends in _FILE. Ingest gets the
 * routes and Kafka's properties, workers all else; no process holds a secret that it has no use for. Of CONFIG_FILE each
 * gets the lines that concern it. Used by the
 * supervisor at the start and at a reload; it reads the bytes and understands none of them. */
#ifndef MOONX_GATEWAY_SUPERVISOR_CONFIGURED_FILES_H
#define MOONX_GATEWAY_SUPERVISOR_CONFIGURED_FILES_H

#include "common/option.h"
#include "gateway/supervisor/shared_state.h"

enum configured_change { CONFIGURED_INGEST = 1, CONFIGURED_WORKERS = 2 };

/* Can each be read? -errno with one line in `error` that names the option and the file. What a file must hold, whoever
 * understands it checks. */
int configured_files_check(const struct options *options, char *error,
                           size_t error_size) MUST_CHECK;

/* Reads them anew into the shared state; `held` is the CONFIG_FILE of the start, options->file that of now. Which roles' files have changed (CONFIGURED_ bits), or -errno with one line
 * in `error`; what was there stays then. */
int configured_files_read(const struct options *options, const struct option_file *held, bool dev,
                          struct shared_state *state, char *error, size_t error_size) MUST_CHECK;

#endif
