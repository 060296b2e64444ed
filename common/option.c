#include "common/option_hint.h"
#include "common/option_row.h"

#include <stdlib.h>
#include <unistd.h>

#define NAME_BYTES   64  /* of a flag or variable, as shown in errors */
#define SOURCE_BYTES 320 /* the same, or "FILE:LINE: NAME" */

/* What the flags gave, by row. */
struct given {
    const char *text[OPTION_ROW_COUNT]; /* NULL: nothing */
    struct span flag[OPTION_ROW_COUNT]; /* as it was spelled */
};

/* One flag of the command line, taken apart. */
struct flag {
    struct span name;
    const char *value; /* behind `=`, or NULL */
};

struct scan {
    int argc;
    char *const *argv;
    int at;
    struct option_command command;
    struct given given;
    const char *path;         /* of CONFIG_FILE */
    struct option_file *file; /* NULL: none */
    char *error;
    size_t error_size;
};

static const struct {
    const char *name;
    size_t offset;
} command_flags[] = {
    {"--help", offsetof(struct option_command, help)},
    {"--version", offsetof(struct option_command, version)},
    {"--check-config", offsetof(struct option_command, check_config)},
    {"--dev", offsetof(struct option_command, dev)},
};

static int scan_flags(struct scan *scan);
static const char *host_name(void);
static int scan_flag(struct scan *scan, struct flag flag);
static bool scan_command_flag(struct scan *scan, struct flag flag, int *result);
static bool scan_bool_flag(struct scan *scan, struct flag flag, int *result);
static int scan_row_flag(struct scan *scan, const struct option_row *row, struct flag flag);
static int unknown_flag(const struct scan *scan, struct span name);
static int refuse_secret_flag(const struct scan *scan, const struct option_row *row,
                              struct span name);
static const struct option_row *row_of_flag(struct span name);
static int read_file(struct scan *scan);
static int set_all(const struct scan *scan, struct options *out);

int option_parse(int argc, char *const *argv, struct options *out, struct option_command *command,
                 char *error, size_t error_size) {
    struct scan scan = {
        .argc = argc, .argv = argv, .at = 1, .error = error, .error_size = error_size};
    struct options options = {0};
    int result = scan_flags(&scan);

    if (result == 0) {
        result = read_file(&scan);
    }
    if (result == 0) {
        result = set_all(&scan, &options);
    }
    if (result != 0) {
        option_file_free(scan.file);
        return result;
    }
    options.file = scan.file;
    if (options.instance_id[0] == '\0') {
        options.instance_id = host_name();
    }
    *out = options;
    *command = scan.command;
    return 0;
}

void option_done(struct options *options) {
    option_file_free(options->file);
    options->file = NULL;
}

static const char *host_name(void) {
    static char name[129]; /* INSTANCE_ID's own limit */
    return gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

static int scan_flags(struct scan *scan) {
    int result = 0;

    while (scan->at < scan->argc && scan->argv[scan->at][0] == '-') {
        const char *argument = scan->argv[scan->at++];
        const char *equals = strchrnul(argument, '=');
        struct flag flag = {{argument, (size_t)(equals - argument)}, *equals ? equals + 1 : NULL};

        if (strcmp(argument, "--") == 0) {
            break;
        }
        result = scan_flag(scan, flag);
        if (result != 0) {
            return result;
        }
    }
    if (scan->at < scan->argc) {
        scan->command.argument_count = scan->argc - scan->at;
        scan->command.arguments = scan->argv + scan->at;
    }
    return 0;
}

static int scan_flag(struct scan *scan, struct flag flag) {
    const struct option_row *row;
    int result = 0;

    if (scan_command_flag(scan, flag, &result) || scan_bool_flag(scan, flag, &result)) {
        return result;
    }
    row = row_of_flag(flag.name);
    if (row == NULL) {
        return unknown_flag(scan, flag.name);
    }
    if (row->kind == OPTION_KIND_secret) {
        return refuse_secret_flag(scan, row, flag.name);
    }
    return scan_row_flag(scan, row, flag);
}

static bool scan_command_flag(struct scan *scan, struct flag flag, int *result) {
    for (size_t i = 0; i < ARRAY_LENGTH(command_flags); i++) {
        if (!span_is(flag.name, command_flags[i].name)) {
            continue;
        }
        if (flag.value != NULL) {
            snprintf(scan->error, scan->error_size, "%s: takes no value", command_flags[i].name);
            *result = -EINVAL;
        }
        *(bool *)((char *)&scan->command + command_flags[i].offset) = true;
        return true;
    }
    return false;
}

static void give(struct scan *scan, const struct option_row *row, struct span flag,
                 const char *text) {
    size_t index = (size_t)(row - option_rows);

    scan->given.text[index] = text;
    scan->given.flag[index] = flag;
}

/* `--name` alone and `--no-name`. */
static bool scan_bool_flag(struct scan *scan, struct flag flag, int *result) {
    static const struct span no = SPAN_LITERAL("--no-");
    bool negated = flag.name.length > no.length && memcmp(flag.name.data, "--no-", no.length) == 0;
    char name[NAME_BYTES];
    const struct option_row *row;

    if (negated) {
        snprintf(name, sizeof(name), "--" SPAN_FORMAT, (int)(flag.name.length - no.length),
                 flag.name.data + no.length);
    }
    row = row_of_flag(negated ? span_of(name) : flag.name);
    if (row == NULL || row->kind != OPTION_KIND_bool || (!negated && flag.value != NULL)) {
        return false;
    }
    if (negated && flag.value != NULL) {
        snprintf(scan->error, scan->error_size, SPAN_FORMAT ": takes no value",
                 SPAN_ARGS(flag.name));
        *result = -EINVAL;
    }
    give(scan, row, flag.name, negated ? "false" : "true");
    return true;
}

static int scan_row_flag(struct scan *scan, const struct option_row *row, struct flag flag) {
    const char *next = scan->at < scan->argc ? scan->argv[scan->at] : NULL;
    const char *value = flag.value != NULL ? flag.value : next;
    char allowed[256];

    if (row->kind == OPTION_KIND_url && value != NULL && strchr(value, '@') != NULL) {
        return refuse_secret_flag(scan, row, flag.name);
    }
    if (flag.value != NULL) {
        give(scan, row, flag.name, flag.value);
        return 0;
    }
    if (next == NULL || strncmp(next, "--", 2) == 0) {
        option_row_allowed(row, allowed, sizeof(allowed));
        snprintf(scan->error, scan->error_size, SPAN_FORMAT ": needs a value: %s",
                 SPAN_ARGS(flag.name), allowed);
        return -EINVAL;
    }
    give(scan, row, flag.name, next);
    scan->at++;
    return 0;
}

static const struct option_row *row_of_flag(struct span name) {
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        char flag[OPTION_FLAG_BYTES];
        option_row_flag(&option_rows[i], flag);
        if (span_is(name, flag) || option_row_lists(option_rows[i].flags, ' ', name)) {
            return &option_rows[i];
        }
    }
    return NULL;
}

static int refuse_secret_flag(const struct scan *scan, const struct option_row *row,
                              struct span name) {
    char file[NAME_BYTES];

    snprintf(file, sizeof(file), "%s_FILE", row->environment);
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        if (strcmp(option_rows[i].environment, file) == 0) {
            snprintf(scan->error, scan->error_size,
                     SPAN_FORMAT ": a secret can't be a flag, others would see it; name a file "
                                 "with %s or set %s in the environment",
                     SPAN_ARGS(name), file, row->environment);
            return -EINVAL;
        }
    }
    snprintf(scan->error, scan->error_size,
             SPAN_FORMAT
             ": a secret can't be a flag, others would see it; set %s in the environment",
             SPAN_ARGS(name), row->environment);
    return -EINVAL;
}

static void consider_row(struct option_hint *hint, const struct option_row *row) {
    char flag[OPTION_FLAG_BYTES], negated[OPTION_FLAG_BYTES + 3];

    if (row->kind == OPTION_KIND_secret) {
        return;
    }
    option_row_flag(row, flag);
    option_hint_consider(hint, span_of(flag));
    if (row->kind == OPTION_KIND_bool) {
        snprintf(negated, sizeof(negated), "--no-%s", flag + 2);
        option_hint_consider(hint, span_of(negated));
    }
    for (const char *word = row->flags; *word != 0;) {
        size_t width = strcspn(word, " ");
        option_hint_consider(hint, (struct span){word, width});
        word += width + (word[width] == ' ');
    }
}

static int unknown_flag(const struct scan *scan, struct span name) {
    struct option_hint hint = {.wanted = name};
    char shown[OPTION_SHOWN_BYTES];

    for (size_t i = 0; i < ARRAY_LENGTH(command_flags); i++) {
        option_hint_consider(&hint, span_of(command_flags[i].name));
    }
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        consider_row(&hint, &option_rows[i]);
    }
    option_row_show(name, shown);
    snprintf(scan->error, scan->error_size, "%s: no such flag; %s%s%s", shown,
             hint.best[0] != 0 ? "did you mean " : "--help lists them", hint.best,
             hint.best[0] != 0 ? "?" : "");
    return -EINVAL;
}

/* The first of the row's variables that is set and not empty. */
static const char *from_environment(const struct option_row *row, char name[SOURCE_BYTES]) {
    const char *next = row->aliases;
    const char *text;

    snprintf(name, SOURCE_BYTES, "%s", row->environment);
    for (;;) {
        size_t width = strcspn(next, " ");
        text = getenv(name);
        if ((text != NULL && *text != 0) || width == 0) {
            break;
        }
        snprintf(name, SOURCE_BYTES, "%.*s", (int)width, next);
        next += width + (next[width] == ' ');
    }
    return text != NULL && *text != 0 ? text : NULL;
}

/* What a flag, the environment or the file says, in this order; `name` is where. */
static const char *find_text(const struct scan *scan, size_t index, char name[SOURCE_BYTES]) {
    const struct option_row *row = &option_rows[index];
    const char *text = scan->given.text[index];
    unsigned line = 0;

    if (text != NULL) {
        snprintf(name, SOURCE_BYTES, SPAN_FORMAT, SPAN_ARGS(scan->given.flag[index]));
        return text;
    }
    text = from_environment(row, name);
    if (text == NULL) {
        text = option_file_value(scan->file, index, &line);
    }
    if (line != 0) {
        snprintf(name, SOURCE_BYTES, "%.200s:%u: %s", scan->path, line, row->environment);
    }
    return text;
}

static bool defaults_only(const struct scan *scan) {
    return scan->command.help || scan->command.version;
}

static int read_file(struct scan *scan) {
    char name[SOURCE_BYTES];

    scan->path = defaults_only(scan) ? NULL : find_text(scan, OPTION_ROW_config_file, name);
    return scan->path == NULL || scan->path[0] == '\0'
               ? 0
               : option_file_read(scan->path, &scan->file, scan->error, scan->error_size);
}

static int set_one(const struct scan *scan, size_t index, struct options *out) {
    const struct option_row *row = &option_rows[index];
    bool dev = scan->command.dev && row->dev_fallback != NULL;
    char name[SOURCE_BYTES];
    const char *text = defaults_only(scan) ? NULL : find_text(scan, index, name);

    if (text == NULL) {
        snprintf(name, sizeof(name), "%s", row->environment);
        text = dev ? row->dev_fallback : row->fallback;
    }
    return option_row_set(row, name, text, out, scan->error, scan->error_size);
}

/* Also a value of the file that a flag or variable stands in for: it would stop the first start without them. */
static int check_in_file(const struct scan *scan, size_t index) {
    const struct option_row *row = &option_rows[index];
    struct options ignored;
    char name[SOURCE_BYTES];
    unsigned line = 0;
    const char *text = option_file_value(scan->file, index, &line);

    if (text == NULL) {
        return 0;
    }
    snprintf(name, sizeof(name), "%.200s:%u: %s", scan->path, line, row->environment);
    return option_row_set(row, name, text, &ignored, scan->error, scan->error_size);
}

static int set_all(const struct scan *scan, struct options *out) {
    int result = 0;

    for (size_t i = 0; i < OPTION_ROW_COUNT && result == 0; i++) {
        result = set_one(scan, i, out);
        result = result != 0 ? result : check_in_file(scan, i);
    }
    return result;
}
