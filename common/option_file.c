#include "common/option_file.h"

#include "common/config_files.h"
#include "common/option_hint.h"
#include "common/option_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r"

struct option_file {
    char *text; /* the values point into it */
    const char *values[OPTION_ROW_COUNT];
    unsigned lines[OPTION_ROW_COUNT];
};

/* Where the reading is, for its errors. */
struct place {
    const char *path;
    unsigned line;
    char *error;
    size_t error_size;
};

static int take_all(int fd, char **text, size_t *length);
static int take_line(struct option_file *file, char *line, const struct place *place);

int option_file_read(const char *path, struct option_file **out, char *error, size_t error_size) {
    char *text = NULL;
    size_t length = 0;
    struct stat status;
    int fd = config_files_open(path);
    int result = fd < 0 ? fd : take_all(fd, &text, &length);
    bool stream = fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);

    if (fd >= 0) {
        close(fd);
    }
    if (stream) { /* empty at the second reading, or already at the first */
        free(text);
        snprintf(error, error_size, "CONFIG_FILE: \"%s\" is no regular file", path);
        return -EINVAL;
    }
    if (result < 0) {
        snprintf(error, error_size, "CONFIG_FILE: \"%s\": cannot be read: %s", path,
                 strerror(-result));
        return -EINVAL;
    }
    result = option_file_parse(path, (struct span){text, length}, out, error, error_size);
    free(text);
    return result;
}

static int take_all(int fd, char **text, size_t *length) {
    char *bytes = malloc(CONFIG_FILES_MAX_BYTES + 1);
    size_t total = 0;
    ssize_t got = 1;

    if (bytes == NULL) {
        return -ENOMEM;
    }
    while (got != 0 && total <= CONFIG_FILES_MAX_BYTES) {
        got = read(fd, bytes + total, CONFIG_FILES_MAX_BYTES + 1 - total);
        if (got < 0 && errno != EINTR) {
            int failure = -errno;
            free(bytes);
            return failure;
        }
        total += got > 0 ? (size_t)got : 0;
    }
    if (total > CONFIG_FILES_MAX_BYTES) {
        free(bytes);
        return -EFBIG;
    }
    *text = bytes;
    *length = total;
    return 0;
}

static int refuse_line(const struct place *place, const char *what) {
    snprintf(place->error, place->error_size, "%s:%u: %s", place->path, place->line, what);
    return -EINVAL;
}

int option_file_parse(const char *path, struct span text, struct option_file **out, char *error,
                      size_t error_size) {
    struct option_file *file = calloc(1, sizeof(*file));
    struct place place = {path, 0, error, error_size};
    int result = 0;

    if (file == NULL || (file->text = malloc(text.length + 1)) == NULL) {
        free(file);
        snprintf(error, error_size, "CONFIG_FILE: \"%s\": out of memory", path);
        return -EINVAL;
    }
    memcpy(file->text, text.data != NULL ? text.data : "", text.length);
    file->text[text.length] = '\0';
    if (strlen(file->text) != text.length) {
        snprintf(error, error_size, "CONFIG_FILE: \"%s\" has a NUL byte", path);
        result = -EINVAL;
    }
    for (char *rest = file->text, *line; result == 0 && (line = strsep(&rest, "\n")) != NULL;) {
        place.line++;
        result = take_line(file, line, &place);
    }
    if (result != 0) {
        option_file_free(file);
        return result;
    }
    *out = file;
    return 0;
}

void option_file_free(struct option_file *file) {
    if (file != NULL) {
        explicit_bzero(file->text, strlen(file->text)); /* what is left of it may be a secret */
        free(file->text);
        free(file);
    }
}

static void trim_end(char *text) {
    size_t length = strlen(text);

    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
}

static const struct option_row *row_of(const char *name) {
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        if (strcmp(option_rows[i].environment, name) == 0 ||
            option_row_lists(option_rows[i].aliases, ' ', span_of(name))) {
            return &option_rows[i];
        }
    }
    return NULL;
}

static int refuse_name(const struct place *place, const char *name) {
    struct option_hint hint = {.wanted = span_of(name)};
    char shown[OPTION_SHOWN_BYTES], what[OPTION_SHOWN_BYTES + 128];

    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        option_hint_consider(&hint, span_of(option_rows[i].environment));
    }
    option_row_show(span_of(name), shown);
    snprintf(what, sizeof(what), "\"%s\" is no option%s%s%s", shown,
             hint.best[0] != 0 ? "; did you mean " : "", hint.best, hint.best[0] != 0 ? "?" : "");
    return refuse_line(place, what);
}

/* NULL: the value is not as it should be. */
static char *unquoted(char *value) {
    size_t length = strlen(value);

    if (value[0] == '"' || value[0] == '\'') {
        if (length < 2 || value[length - 1] != value[0]) {
            return NULL;
        }
        value[length - 1] = '\0';
        return value + 1;
    }
    return length > 0 && value[length - 1] == '\\' ? NULL : value;
}

static int set_value(struct option_file *file, const struct option_row *row, char *value,
                     const struct place *place) {
    size_t index = (size_t)(row - option_rows);
    char what[160];

    if (index == OPTION_ROW_config_file) {
        return refuse_line(place, "CONFIG_FILE can't stand in the file itself");
    }
    if (file->lines[index] != 0) {
        snprintf(what, sizeof(what), "%s is set in line %u already", row->environment,
                 file->lines[index]);
        return refuse_line(place, what);
    }
    file->lines[index] = place->line;
    value = unquoted(value);
    if (value == NULL) {
        return refuse_line(place,
                           "the value's quotes don't close, or it ends with \\; one line is one "
                           "option");
    }
    file->values[index] = value[0] != '\0' ? value : NULL;
    return 0;
}

static int take_line(struct option_file *file, char *line, const struct place *place) {
    char *name = line + strspn(line, BLANKS);
    char *equals = strchr(name, '=');

    if (*name == '\0' || *name == '#' || *name == ';') {
        return 0;
    }
    if (equals == NULL) {
        return refuse_line(place, "is not NAME=value");
    }
    *equals = '\0';
    trim_end(name);
    trim_end(equals + 1);
    const struct option_row *row = row_of(name);
    return row == NULL ? refuse_name(place, name)
                       : set_value(file, row, equals + 1 + strspn(equals + 1, BLANKS), place);
}

const char *option_file_value(const struct option_file *file, size_t row, unsigned *line) {
    if (file == NULL || file->values[row] == NULL) {
        return NULL;
    }
    *line = file->lines[row];
    return file->values[row];
}

int option_file_merge(const struct option_file *held, const struct option_file *fresh,
                      enum option_reader reader, char **text, size_t *length) {
    FILE *out = open_memstream(text, length);
    bool failed;

    if (out == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        unsigned reload = option_rows[i].reload, line;
        const char *value =
            option_file_value(reload == OPTION_RELOAD_restart ? held : fresh, i, &line);
        if (value != NULL && (reload == OPTION_RELOAD_restart || (reload & reader) != 0)) {
            fprintf(out, "%s=\"%s\"\n", option_rows[i].environment, value);
        }
    }
    failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(*text);
        return -ENOMEM;
    }
    return 0;
}
