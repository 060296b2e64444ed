/* CONFIG_FILE: options as lines NAME=value, in the form of systemd's EnvironmentFile. Read by every process at its start
 * and by supervisor and workers again at a reload; what the lines mean is the option table's affair (option.h).
 *
 *   # a comment, as behind `;`
 *   WS_PING_INTERVAL=20000
 *   AUTO_JOIN_ROOMS="prices,user:{userId}"     quotes around the whole value are taken off, inside nothing is special
 *   LOG_LEVEL=                                 an empty value is none, as in the environment
 *
 * A name is a variable of the table or one of its aliases, each option at most once. No line goes on in the next one.
 *
 * The supervisor reads the file itself, children read what it has stored for them under that path: option_file_merge()
 * says what that is, so that the successor of a dead worker lives by what is in force and not by what has been written
 * since. */
#ifndef MOONX_COMMON_OPTION_FILE_H
#define MOONX_COMMON_OPTION_FILE_H

#include "common/base.h"

struct option_file;

/* Errors have one line in `error`, "FILE:LINE: what is wrong" or "CONFIG_FILE FILE: No such file or directory"; no value
 * stands in it, it might be a secret. */
int option_file_read(const char *path, struct option_file **out, char *error,
                     size_t error_size) MUST_CHECK;
/* The same over text already in memory; `path` stands for the file in errors. */
int option_file_parse(const char *path, struct span text, struct option_file **out, char *error,
                      size_t error_size) MUST_CHECK;
void option_file_free(struct option_file *file);

/* The value of that row (an index into option_rows) and its line; NULL when the file gives none, or is NULL itself. It
 * lives as long as the file. */
const char *option_file_value(const struct option_file *file, size_t row, unsigned *line);

enum option_reader { OPTION_READER_WORKERS = 1, OPTION_READER_INGEST = 2 };

/* The file as that role is to read it after a reload: what it may change from `fresh`, what needs a restart from `held`,
 * the file of the start. Either may be NULL, or both be the same. *text is to be freed. -ENOMEM. */
int option_file_merge(const struct option_file *held, const struct option_file *fresh,
                      enum option_reader reader, char **text, size_t *length) MUST_CHECK;

#endif
