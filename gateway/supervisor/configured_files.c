#include "gateway/supervisor/configured_files.h"

#include "common/config_files.h"
#include "common/option_row.h"

#include <stdio.h>
#include <unistd.h>

#define SUFFIX "_FILE"

struct paths {
    const char *list[CONFIG_FILES_MAX];
    unsigned count;
};

static bool names_a_file(const struct option_row *row) {
    size_t length = strlen(row->environment), suffix = sizeof(SUFFIX) - 1;
    return row->kind == OPTION_KIND_text && length > suffix &&
           strcmp(row->environment + length - suffix, SUFFIX) == 0;
}

static bool is_for_ingest(enum option_row_index row) {
    return row == OPTION_ROW_routes_file || row == OPTION_ROW_kafka_config_file;
}

static void add(struct paths *paths, const char *path) {
    assert(paths->count < CONFIG_FILES_MAX); /* the table has fewer options */
    if (path[0] != '\0') {
        paths->list[paths->count++] = path;
    }
}

static void collect(const struct options *options, bool ingest, struct paths *out) {
    for (unsigned i = 0; i < OPTION_ROW_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (names_a_file(row) && is_for_ingest((enum option_row_index)i) == ingest) {
            option_text path;
            memcpy(&path, (const char *)options + row->offset, sizeof(path));
            add(out, path);
        }
    }
}

int configured_files_read(const struct options *options, bool dev, struct shared_state *state,
                          char *error, size_t error_size) {
    struct paths ingest = {.count = 0}, workers = {.count = 0};
    char dev_secret[4200];
    collect(options, true, &ingest);
    collect(options, false, &workers);
    /* --dev's own secret has no option */
    snprintf(dev_secret, sizeof(dev_secret), "%s/secret", options->dev_directory);
    if (dev && access(dev_secret, R_OK) == 0) {
        add(&workers, dev_secret);
    }
    int changed = 0;
    int result = config_files_store(state->ingest_config.write_fd, ingest.list, ingest.count, error,
                                    error_size);
    if (result > 0) {
        changed |= CONFIGURED_INGEST;
    }
    if (result >= 0) {
        result = config_files_store(state->worker_config.write_fd, workers.list, workers.count,
                                    error, error_size);
    }
    if (result > 0) {
        changed |= CONFIGURED_WORKERS;
    }
    return result < 0 ? result : changed;
}
