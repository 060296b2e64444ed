/* SIGHUP in a worker: new options, keys, rooms, administrators, lists and limits, in place. The supervisor has had them
 * checked and has stored the files (common/config_files.h); nobody is disconnected, and when something is wrong all the same the old stays. */
#ifndef MOONX_GATEWAY_RELOAD_H
#define MOONX_GATEWAY_RELOAD_H

#include "gateway/worker.h"

/* Makes these options, borrowed, the worker's, with all that it knows from files; before privileges are dropped, and
 * again at each reload. `error` gets one line. */
int reload_read(struct worker *worker, const struct options *options, bool dev, char *error,
                size_t error_size) MUST_CHECK;
/* When the worker is gone. */
void reload_done(void);

/* Reads anew, then takes from connections the rooms that they may no longer be in. */
void reload_in_place(struct worker *worker, bool dev);

#endif
