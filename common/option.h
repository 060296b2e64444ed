/* Options: one table (option_table.h) gives parsing of flags, environment and CONFIG_FILE, `--help`, the manual's
 * chapter and the typed struct below. Flag beats environment beats file beats default. */
#ifndef MOONX_COMMON_OPTION_H
#define MOONX_COMMON_OPTION_H

#include "common/base.h"
#include "common/option_file.h"
#include "common/option_table.h"

#include <stdio.h>

typedef long long option_int;
typedef bool option_bool;
typedef const char
    *option_text; /* "" when unset; lives as long as the process, or as options.file */
typedef const char *option_choice; /* one of the words of its row */
typedef const char *option_secret; /* as text; never printed, never logged */
typedef const char *option_url;    /* as text; may hold a password: never logged */

struct options {
#define X(type, field, environment, aliases, flags, fallback, dev_fallback, min, max, unit, group, \
          reload, prose)                                                                           \
    option_##type field;
    OPTION_TABLE(X)
#undef X
    struct option_file *file; /* owns the texts that came from CONFIG_FILE; NULL: there is none */
};

struct option_command {
    bool help, version, check_config, dev;
    int argument_count;     /* what is left: a subcommand such as `token` and its own flags */
    char *const *arguments; /* points into argv */
};

/* -EINVAL: `error` has one line that names the option, the value and what is allowed; the caller prints it
 * and exits 2. An unknown flag is such an error too, with the nearest known one suggested. Parsing stops at
 * the first argument that is no flag (the subcommand). Secrets have no flag: giving one is an error that
 * names the environment variable and the _FILE option; a url given as a flag may hold no password. A variable that is set but empty counts as unset. With
 * --help or --version nothing else is read: *out has the defaults. An empty INSTANCE_ID becomes the host's
 * name. CONFIG_FILE is opened as common/config_files.h finds it. *out ends with option_done(). */
int option_parse(int argc, char *const *argv, struct options *out, struct option_command *command,
                 char *error, size_t error_size) MUST_CHECK;

/* Frees what came from CONFIG_FILE: all texts of these options are out of use then. */
void option_done(struct options *options);

/* The table in groups, wrapped to `columns` (as if within 40 to 120). */
void option_print_help(FILE *out, const char *program, unsigned columns);

#endif
