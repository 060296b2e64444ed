/* SIGHUP in a worker: new keys, rooms and administrators, in place. The supervisor has had the files checked and has
 * stored them (common/config_files.h); nobody is disconnected, and when something is wrong all the same the old stays. */
#ifndef MOONX_GATEWAY_RELOAD_H
#define MOONX_GATEWAY_RELOAD_H

#include "gateway/worker.h"

/* What a worker knows from files; made before privileges are dropped, and again at each reload. `error` gets one
 * line. */
int reload_read(struct worker *worker, bool dev, char *error, size_t error_size) MUST_CHECK;

/* Reads anew, then takes from connections the rooms that they may no longer be in. */
void reload_in_place(struct worker *worker, bool dev);

#endif
