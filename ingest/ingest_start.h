/* Getting ingest on its feet, in the only order that works: what needs privileges (files, keys, the lock on the
 * segment), then giving them up, then everything that listens to the world. Once a process. */
#ifndef MOONX_INGEST_INGEST_START_H
#define MOONX_INGEST_INGEST_START_H

#include "ingest/ingest.h"

/* 0; -EINVAL: bad configuration; else -errno. `error` gets one line. What was opened is left to the process's
 * end: on failure that is now. */
int ingest_start(struct ingest *ingest, char *error, size_t error_size) MUST_CHECK;

#endif
