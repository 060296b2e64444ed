/* The configured files as the supervisor has read them, so that every process sees the same: a successor of a killed
 * worker that of its siblings, whatever has been edited since; and a worker without privileges, told to reload, what
 * it could not open any more.
 *
 * A sealed memfd of two slots. The supervisor writes the one that is not in use, then stores `generation`; children,
 * who have it read-only, read slot generation % 2 and look again whether the generation has moved meanwhile.
 *
 *        0  magic u64 · generation u32 · slot lengths u32[2]
 *     4096  slot 0, CONFIG_FILES_SLOT_BYTES
 *        …  slot 1
 *   a slot: for each file  path length u32 · data length u32 · path · data
 *
 * Writer: the supervisor. Readers: its children, each at its start and when told to reload. */
#ifndef MOONX_COMMON_CONFIG_FILES_H
#define MOONX_COMMON_CONFIG_FILES_H

#include "common/base.h"

#define CONFIG_FILES_SLOT_BYTES (4u << 20)
#define CONFIG_FILES_MAX_BYTES                                                                     \
    (1u << 20) /* of one file; one byte more is stored, for its reader to object */
#define CONFIG_FILES_MAX 96u

/* *write_fd is the supervisor's, *read_fd (O_RDONLY) for children. */
int config_files_create(int *write_fd, int *read_fd) MUST_CHECK;

/* One file: what is stored under its path. */
struct config_files_source {
    const char *path;
    struct span text; /* data NULL: the file's own bytes, read now */
};

/* Makes these files the next generation. 1: done; 0: nothing differs from what is there, all stays;
 * -errno with one line in `error` when a file can't be read or all together are too long: all stays too. */
int config_files_store(int write_fd, const struct config_files_source *sources, unsigned count,
                       char *error, size_t error_size) MUST_CHECK;

/* From now on config_files_open() finds there what is stored. -EPROTO when the memfd is none of ours. */
int config_files_attach(int read_fd) MUST_CHECK;

/* Of what this process is attached to, 1 after the first store; 0: nothing stored, or attached to nothing. */
uint32_t config_files_generation(void);

/* A descriptor to read the file from, close-on-exec: a copy of what is stored, or the file itself when this process
 * is attached to nothing or the path is not stored. -errno as of open(2). O_NONBLOCK: a FIFO does not hang. */
int config_files_open(const char *path) MUST_CHECK;

#endif
