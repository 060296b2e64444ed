#include "gateway/supervisor/configured_files.h"

#include "common/config_files.h"
#include "common/issuer_list.h"
#include "common/option_row.h"
#include "common/path_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX "_FILE"

#define LIST_BYTES 16385 /* an option's longest list, with its NUL */
#define LISTS      2     /* options that name several files */

struct sources {
    char lists[LISTS][LIST_BYTES]; /* of these, cut into the paths that list[] points to */
    unsigned lists_used;
    struct config_files_source list[CONFIG_FILES_MAX];
    const char *options[CONFIG_FILES_MAX]; /* which option names each; NULL: none */
    unsigned count;
    char key_sets[ISSUER_LIST_MAX][4200];
};

/* One role's files, and where they are kept for it. */
struct role {
    enum option_reader reader;
    int store_fd;
    int changed;       /* CONFIGURED_ bit */
    const char *extra; /* one more file, or "" */
};

static int store(const struct role *role, const struct options *options,
                 const struct option_file *held, char *error, size_t error_size);

static bool names_a_file(const struct option_row *row) {
    size_t length = strlen(row->environment), suffix = sizeof(SUFFIX) - 1;
    return row->kind == OPTION_KIND_text && length > suffix &&
           row != &option_rows[OPTION_ROW_config_file] &&
           strcmp(row->environment + length - suffix, SUFFIX) == 0;
}

static enum option_reader reader_of(enum option_row_index row) {
    return row == OPTION_ROW_routes_file || row == OPTION_ROW_kafka_config_file
               ? OPTION_READER_INGEST
               : OPTION_READER_WORKERS;
}

static void add(struct sources *sources, const char *option, const char *path, struct span text) {
    assert(sources->count < CONFIG_FILES_MAX); /* the table has fewer options */
    if (path[0] != '\0') {
        sources->options[sources->count] = option;
        sources->list[sources->count++] = (struct config_files_source){path, text};
    }
}

static bool names_several(enum option_row_index row) {
    return row == OPTION_ROW_tls_cert_file || row == OPTION_ROW_tls_key_file;
}

/* More than there is room for: the check has refused that already. */
static void add_list(struct sources *sources, const char *option, const char *list) {
    const char *paths[CONFIG_FILES_MAX];
    assert(sources->lists_used < LISTS);
    char *text = sources->lists[sources->lists_used++];
    snprintf(text, LIST_BYTES, "%s", list);
    int count = path_list_split(text, paths, CONFIG_FILES_MAX - sources->count);
    for (int i = 0; i < count; i++) {
        add(sources, option, paths[i], (struct span){NULL, 0});
    }
}

/* The one option that may name several; what is wrong with it --check-config tells. */
static void add_key_sets(struct sources *sources, const char *option, const char *list) {
    struct issuer_place places[ISSUER_LIST_MAX];
    const char *why;
    int count = issuer_list_read(list, places, &why);
    for (int i = 0; i < count && sources->count < CONFIG_FILES_MAX; i++) {
        struct span place = places[i].place;
        snprintf(sources->key_sets[i], sizeof(sources->key_sets[i]), SPAN_FORMAT, SPAN_ARGS(place));
        add(sources, option, sources->key_sets[i], (struct span){NULL, 0});
    }
}

static void collect(const struct options *options, enum option_reader reader, struct sources *out) {
    for (unsigned i = 0; i < OPTION_ROW_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (names_a_file(row) && reader_of((enum option_row_index)i) == reader) {
            option_text path;
            memcpy(&path, (const char *)options + row->offset, sizeof(path));
            if (names_several((enum option_row_index)i)) {
                add_list(out, row->environment, path);
            } else if (i == OPTION_ROW_jwt_jwks_file) {
                add_key_sets(out, row->environment, path);
            } else {
                add(out, row->environment, path, (struct span){NULL, 0});
            }
        }
    }
}

static int check_file(const char *option, const char *path, char *error, size_t error_size) {
    struct stat status;
    int fd = config_files_open(path), result = fd < 0 ? fd : 0;
    if (result == 0 && fstat(fd, &status) != 0) {
        result = -errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (result == 0 && S_ISDIR(status.st_mode)) {
        result = -EISDIR;
    }
    if (result < 0) {
        snprintf(error, error_size, "%s: \"%s\": cannot be read: %s", option, path,
                 strerror(-result));
    } else if (!S_ISREG(status.st_mode)) { /* a pipe would be empty at the second reading */
        snprintf(error, error_size, "%s: \"%s\": is no regular file", option, path);
        result = -EINVAL;
    }
    return result;
}

int configured_files_check(const struct options *options, char *error, size_t error_size) {
    static const enum option_reader readers[] = {OPTION_READER_INGEST, OPTION_READER_WORKERS};
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(readers) && result == 0; i++) {
        struct sources sources;
        sources.count = sources.lists_used = 0;
        collect(options, readers[i], &sources);
        for (unsigned j = 0; j < sources.count && result == 0; j++) {
            result = check_file(sources.options[j], sources.list[j].path, error, error_size);
        }
    }
    return result;
}

int configured_files_read(const struct options *options, const struct option_file *held, bool dev,
                          struct shared_state *state, char *error, size_t error_size) {
    char dev_secret[4200]; /* --dev's own secret has no option */
    snprintf(dev_secret, sizeof(dev_secret), "%s/secret", options->dev_directory);
    const struct role roles[] = {
        {OPTION_READER_INGEST, state->ingest_config.write_fd, CONFIGURED_INGEST, ""},
        {OPTION_READER_WORKERS, state->worker_config.write_fd, CONFIGURED_WORKERS,
         dev && access(dev_secret, R_OK) == 0 ? dev_secret : ""},
    };
    int changed = 0, result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(roles) && result >= 0; i++) {
        result = store(&roles[i], options, held, error, error_size);
        changed |= result > 0 ? roles[i].changed : 0;
    }
    return result < 0 ? result : changed;
}

/* As config_files_store(). */
static int store(const struct role *role, const struct options *options,
                 const struct option_file *held, char *error, size_t error_size) {
    struct sources sources;
    char *text = NULL;
    size_t length = 0;
    sources.count = sources.lists_used = 0;
    int result = option_file_merge(held, options->file, role->reader, &text, &length);
    if (result < 0) {
        snprintf(error, error_size, "CONFIG_FILE: %s", strerror(-result));
        return result;
    }
    add(&sources, "CONFIG_FILE", options->config_file, (struct span){text, length});
    add(&sources, NULL, role->extra, (struct span){NULL, 0});
    collect(options, role->reader, &sources);
    result = config_files_store(role->store_fd, sources.list, sources.count, error, error_size);
    explicit_bzero(text, length);
    free(text);
    return result;
}
