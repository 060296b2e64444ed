/* What --dev adds: a folder with a random secret, the built-in broker's address, and a friendly greeting.
 * DEV_DIRECTORY holds `secret` (0600, made once, kept) and `bootstrap` (HOST:PORT of the broker, written by
 * ingest, gone after the stop). Used by the supervisor and by the other commands under --dev. */
#ifndef MOONX_GATEWAY_SUPERVISOR_DEV_H
#define MOONX_GATEWAY_SUPERVISOR_DEV_H

#include "common/base.h"
#include "common/option.h"

#include <stdio.h>

#define DEV_BROKER_MAX_BYTES 256
#define DEV_BROKER_WAIT_MS   10000u
#define DEV_USER             "demo"
#define DEV_TOKEN_TTL        "86400"

/* Makes the folder (0700) and the secret where they are missing. -errno: `error` has one line. */
int dev_prepare(const struct options *options, char *error, size_t error_size) MUST_CHECK;

/* An empty `bootstrap`, before ingest starts, which opens it before it gives up its privileges. */
int dev_bootstrap_clear(const struct options *options, char *error, size_t error_size) MUST_CHECK;
/* 1: *broker is filled (NUL-terminated, one word); 0: ingest has not written it yet. */
int dev_bootstrap_read(const struct options *options, char broker[DEV_BROKER_MAX_BYTES]);
void dev_bootstrap_remove(const struct options *options);

/* The greeting. program: argv[0], so that the client is named as the gateway was; broker "" and token ""
 * where there is none. */
void dev_print_banner(FILE *out, const struct options *options, const char *program,
                      const char *broker, const char *token);

#endif
