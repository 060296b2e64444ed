/* Tables in files (routes, rooms): one row a line, fields separated by blanks, `#` to the end of the
 * line is a comment, `\` at the end continues. The reader hands each row with its line number to the
 * caller, who makes errors of the form "FILE:LINE: …". */
#ifndef MOONX_COMMON_TABLE_FILE_H
#define MOONX_COMMON_TABLE_FILE_H

#include "common/base.h"

#define TABLE_FILE_MAX_BYTES  1048576
#define TABLE_FILE_MAX_FIELDS 64

struct table_row {
    const char *file;
    unsigned line; /* of the row's first line, from 1 */
    unsigned count;
    struct span fields[TABLE_FILE_MAX_FIELDS];
};

/* row() returns 0 to go on; a negative errno stops and is returned, with its own text in `error`.
 * `error` gets one line "FILE:LINE: what is wrong" (or "FILE: No such file or directory"). */
typedef int table_file_row(void *context, const struct table_row *row, char *error,
                           size_t error_size);
int table_file_read(const char *path, table_file_row *row, void *context, char *error,
                    size_t error_size) MUST_CHECK;
/* The same over text already in memory; `name` stands for the file in errors. */
int table_file_parse(const char *name, struct span text, table_file_row *row, void *context,
                     char *error, size_t error_size) MUST_CHECK;

#endif
