#include "common/table_file.h"

#include "common/config_files.h"
#include "common/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct parser {
    const char *name;
    struct span text;
    size_t at;
    unsigned line; /* that `at` stands in */
    char *error;
    size_t error_size;
};

static int read_whole(const char *path, char **text, size_t *length, const char **why);
static int next_row(struct parser *parser, struct table_row *row);
static int fail(const struct parser *parser, unsigned line, const char *what);
static void set_error(char *error, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

int table_file_read(const char *path, table_file_row *row, void *context, char *error,
                    size_t error_size) {
    char *text = NULL;
    size_t length = 0;
    const char *why = NULL;
    int result = read_whole(path, &text, &length, &why);

    if (result != 0) {
        set_error(error, error_size, "%s: %s", path, why != NULL ? why : strerror(-result));
        return result;
    }
    result = table_file_parse(path, (struct span){text, length}, row, context, error, error_size);
    free(text);
    return result;
}

int table_file_parse(const char *name, struct span text, table_file_row *row, void *context,
                     char *error, size_t error_size) {
    struct parser parser = {name, text, 0, 1, error, error_size};
    struct table_row next = {.file = name};
    int result;

    if (text.length > TABLE_FILE_MAX_BYTES) {
        set_error(error, error_size, "%s: larger than 1 MiB", name);
        return -EFBIG;
    }
    set_error(error, error_size, "%s", "");
    for (;;) {
        result = next_row(&parser, &next);
        if (result <= 0) {
            return result;
        }
        result = row(context, &next, error, error_size);
        if (result != 0) {
            if (error_size > 0 && error[0] == 0) {
                fail(&parser, next.line, strerror(-result));
            }
            return result;
        }
    }
}

static int read_up_to(int fd, char *buffer, size_t size, size_t *length) {
    size_t total = 0;
    ssize_t got;

    do {
        got = read(fd, buffer + total, size - total);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        total += got > 0 ? (size_t)got : 0;
    } while (got != 0 && total < size);
    *length = total;
    return 0;
}

static int read_whole(const char *path, char **text, size_t *length, const char **why) {
    struct stat status;
    char *buffer = NULL;
    int result = 0;
    int fd = config_files_open(path);

    if (fd < 0) {
        return fd;
    }
    if (fstat(fd, &status) != 0) {
        result = -errno;
    } else if (!S_ISREG(status.st_mode)) {
        *why = "not a regular file";
        result = -EINVAL;
    } else if ((buffer = malloc(TABLE_FILE_MAX_BYTES + 1)) == NULL) {
        result = -ENOMEM;
    } else {
        /* One byte past the limit, for table_file_parse() to see that there is more. */
        result = read_up_to(fd, buffer, TABLE_FILE_MAX_BYTES + 1, length);
    }
    close(fd);
    if (result != 0) {
        free(buffer);
        return result;
    }
    *text = buffer;
    return 0;
}

static void set_error(char *error, size_t size, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
}

static int fail(const struct parser *parser, unsigned line, const char *what) {
    set_error(parser->error, parser->error_size, "%s:%u: %s", parser->name, line, what);
    return -EINVAL;
}

/* The line that starts at parser->at, without its newline or CR LF; steps behind it. */
static struct span next_line(struct parser *parser) {
    const char *from = parser->text.data + parser->at;
    size_t rest = parser->text.length - parser->at;
    const char *newline = memchr(from, '\n', rest);
    size_t length = newline != NULL ? (size_t)(newline - from) : rest;

    parser->at += newline != NULL ? length + 1 : length;
    parser->line++;
    if (length > 0 && from[length - 1] == '\r') {
        length--;
    }
    return (struct span){from, length};
}

static const char *wrong_bytes(struct span line) {
    if (!json_utf8_valid(line)) {
        return "text that is not UTF-8";
    }
    for (size_t i = 0; i < line.length; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return "a control character";
        }
    }
    if (line.length >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0) {
        return "a byte order mark; save the file without it";
    }
    return NULL;
}

/* Cuts the comment and the continuation mark off. */
static bool take_continuation(struct span *line) {
    const char *comment = line->length > 0 ? memchr(line->data, '#', line->length) : NULL;

    if (comment != NULL) {
        line->length = (size_t)(comment - line->data);
        return false;
    }
    if (line->length > 0 && line->data[line->length - 1] == '\\') {
        line->length--;
        return true;
    }
    return false;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

/* Appends the fields of `line`; false when there are too many. */
static bool split(struct span line, struct table_row *row) {
    size_t at = 0;

    for (;;) {
        size_t from;
        while (at < line.length && is_blank(line.data[at])) {
            at++;
        }
        if (at == line.length) {
            return true;
        }
        if (row->count == TABLE_FILE_MAX_FIELDS) {
            return false;
        }
        from = at;
        while (at < line.length && !is_blank(line.data[at])) {
            at++;
        }
        row->fields[row->count++] = (struct span){line.data + from, at - from};
    }
}

/* 1: a row with at least one field; 0: the end; -EINVAL with the error set. */
static int next_row(struct parser *parser, struct table_row *row) {
    bool continued = false;

    row->count = 0;
    while (parser->at < parser->text.length) {
        unsigned number = parser->line;
        struct span line = next_line(parser);
        const char *wrong = wrong_bytes(line);

        if (wrong != NULL) {
            return fail(parser, number, wrong);
        }
        row->line = continued ? row->line : number;
        continued = take_continuation(&line);
        if (!split(line, row)) {
            return fail(parser, row->line, "more than 64 fields");
        }
        if (continued && parser->at == parser->text.length) {
            return fail(parser, number, "`\\` at the end, but no line follows");
        }
        if (!continued && row->count > 0) {
            return 1;
        }
    }
    return 0;
}
