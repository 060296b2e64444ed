/* The option table as data: one row each, and how the text of one value becomes the field of struct
 * options. Shared by option.c (flags and environment), option_file.c, option_doc.c (--help) and man/option_entries.c (the
 * manual); nobody else includes it. Static, read-only. */
#ifndef MOONX_COMMON_OPTION_ROW_H
#define MOONX_COMMON_OPTION_ROW_H

#include "common/option.h"
#include "common/option_file.h"

#define OPTION_FLAG_BYTES  64  /* longest flag with its NUL */
#define OPTION_SHOWN_BYTES 400 /* a bad value as errors show it */

enum option_kind {
    OPTION_KIND_int,
    OPTION_KIND_bool,
    OPTION_KIND_text,
    OPTION_KIND_choice,
    OPTION_KIND_secret,
    OPTION_KIND_url,
    OPTION_KIND_COUNT
};

/* Bits: who takes a new value at a reload (enum option_reader). */
enum option_reload {
    OPTION_RELOAD_restart = 0,
    OPTION_RELOAD_workers = OPTION_READER_WORKERS,
    OPTION_RELOAD_ingest = OPTION_READER_INGEST,
    OPTION_RELOAD_both = OPTION_READER_WORKERS | OPTION_READER_INGEST,
};

struct option_row {
    enum option_kind kind;
    enum option_reload reload;
    size_t offset; /* in struct options */
    const char *environment, *aliases, *flags;
    const char *fallback, *dev_fallback;
    long long min, max;
    const char *unit, *group, *prose;
};

enum option_row_index {
#define X(type, field, environment, aliases, flags, fallback, dev, min, max, unit, group, reload,  \
          prose)                                                                                   \
    OPTION_ROW_##field,
    OPTION_TABLE(X)
#undef X
        OPTION_ROW_COUNT
};

extern const struct option_row option_rows[OPTION_ROW_COUNT];

/* "--ws-ping-interval" of WS_PING_INTERVAL. */
void option_row_flag(const struct option_row *row, char flag[OPTION_FLAG_BYTES]);

/* What stands for its value in --help and the manual: N, TEXT …; "" where it takes none. */
const char *option_row_operand(const struct option_row *row);

/* True when `word` is one of the words of `list`, which stand apart by `separator`. */
bool option_row_lists(const char *list, char separator, struct span word);

/* Text of unknown origin for an error: escaped, and cut after 64 bytes. */
void option_row_show(struct span text, char shown[OPTION_SHOWN_BYTES]);

/* What the row allows, as it ends a sentence: "a whole number from 1 to 64". */
void option_row_allowed(const struct option_row *row, char *buffer, size_t size);

/* Sets the row's field from `text`, which must live as long as the process. -EINVAL with one line in
 * `error` that begins with `name`: the flag or variable that gave the value. */
int option_row_set(const struct option_row *row, const char *name, const char *text,
                   struct options *out, char *error, size_t error_size) MUST_CHECK;

#endif
